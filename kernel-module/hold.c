// SPDX-License-Identifier: GPL-2.0
/* hold.c - how a thread comes to a stop, stays there and goes on */
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/unistd.h>
#include <asm/syscall.h>

#include "hold.h"
#include "internal.h"

struct cr_hold *cr_hold_create(struct mm_struct *mm)
{
	struct cr_hold *h = kvzalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);

	if (!h)
		return NULL;
	kref_init(&h->ref);
	h->mm = mm;
	INIT_LIST_HEAD(&h->threads);
	init_waitqueue_head(&h->arrivals);
	init_waitqueue_head(&h->held);
	return h;
}

static void hold_free(struct kref *ref)
{
	struct cr_hold *h = container_of(ref, struct cr_hold, ref);
	struct cr_thread *t, *next;

	list_for_each_entry_safe(t, next, &h->threads, node) {
		cr_record_free(&t->record);
		put_task_struct(t->task);
		kfree(t);
	}
	kvfree(h);
}

void cr_hold_put(struct cr_hold *h)
{
	kref_put(&h->ref, hold_free);
}

void cr_hold_thaw(struct cr_hold *h)
{
	WRITE_ONCE(h->thawed, true);
	wake_up_all(&h->held);
}

/*
 * System calls that end with EINTR, instead of asking for a restart, when
 * they are woken by something that is no signal; with a signal they would, so
 * they may all be made again.
 */
static bool gives_eintr(long nr)
{
	switch (nr) {
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
#ifdef __NR_epoll_pwait2
	case __NR_epoll_pwait2:
#endif
	case __NR_semop:
	case __NR_semtimedop:
	case __NR_rt_sigtimedwait:
	case __NR_io_getevents:
	case __NR_io_pgetevents:
	case __NR_select:
	case __NR_pselect6:
	case __NR_ppoll:
	/* sockets with SO_RCVTIMEO or SO_SNDTIMEO, FUSE files */
	case __NR_read:
	case __NR_readv:
	case __NR_write:
	case __NR_writev:
	case __NR_recvfrom:
	case __NR_recvmsg:
	case __NR_recvmmsg:
	case __NR_sendto:
	case __NR_sendmsg:
	case __NR_sendmmsg:
	case __NR_accept:
	case __NR_accept4:
	case __NR_connect:
		return true;
	default:
		return false;
	}
}

static bool signal_to_come(void)
{
	sigset_t set;

	spin_lock_irq(cr_siglock());
	sigorsets(&set, &current->pending.signal,
		  &current->signal->shared_pending.signal);
	sigandnsets(&set, &set, &current->blocked);
	spin_unlock_irq(cr_siglock());
	return !sigisemptyset(&set);
}

/* The flag has the kernel look at the registers again before it returns. */
static void hide_wakeup(struct pt_regs *regs)
{
	if (syscall_get_error(current, regs) != -EINTR ||
	    !gives_eintr(syscall_get_nr(current, regs)) || signal_to_come())
		return;
	regs->ax = -ERESTARTNOHAND;
	set_thread_flag(TIF_SIGPENDING);
}

static void arrive(struct cr_thread *t, enum cr_thread_phase phase)
{
	/* pairs with the acquire in phase_of(): the record is complete */
	smp_store_release(&t->phase, phase);
	atomic_inc(&t->hold->arrived);
	wake_up(&t->hold->arrivals);
}

static void stay(struct cr_thread *t)
{
	struct cr_hold *h = t->hold;

	hide_wakeup(task_pt_regs(current));
	t->error = cr_record_fill(&t->record);
	arrive(t, t->error ? CR_THREAD_FAILED : CR_THREAD_HELD);
	/* a kill is the only thing that comes in between */
	if (wait_event_killable(h->held, READ_ONCE(h->thawed)))
		WRITE_ONCE(t->phase, CR_THREAD_LEFT);
}

/* Runs on the thread, on its way back to user space or into its end. */
static void come(struct callback_head *work)
{
	struct cr_thread *t = container_of(work, struct cr_thread, work);
	struct cr_hold *h = t->hold;

	if (READ_ONCE(h->thawed) || current->flags & PF_EXITING ||
	    current->mm != h->mm)
		arrive(t, CR_THREAD_LEFT);
	else
		stay(t);
	cr_hold_put(h);
	/* cr_stop_exit() waits until we are out of here */
	module_put(THIS_MODULE);
}

/* -ESRCH: it is about to end. */
int cr_hold_ask(struct cr_hold *h, struct task_struct *task)
{
	struct cr_thread *t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (!t)
		return -ENOMEM;
	t->hold = h;
	t->task = get_task_struct(task);
	init_task_work(&t->work, come);
	kref_get(&h->ref);
	__module_get(THIS_MODULE);
	if (task_work_add(task, &t->work, TWA_SIGNAL)) {
		module_put(THIS_MODULE);
		cr_hold_put(h);
		put_task_struct(task);
		kfree(t);
		return -ESRCH;
	}
	list_add_tail(&t->node, &h->threads);
	hash_add(h->by_task, &t->by_task, (unsigned long)task);
	h->asked++;
	return 0;
}
