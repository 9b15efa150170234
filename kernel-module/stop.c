// SPDX-License-Identifier: GPL-2.0
/* stop.c - a session stops a target's threads, asks about them, lets them go */
#include <linux/jiffies.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>

#include "compat/compat.h"
#include "hold.h"
#include "internal.h"

#define MAX_WAIT_MS 60000
#define AT_ONCE 32 /* threads found under one rcu_read_lock() */

bool cr_stop_available(void)
{
	return true;
}

/* Work items end with module_put(); none may still be in our text then. */
void cr_stop_exit(void)
{
	synchronize_rcu_tasks();
}

void cr_stop_thaw(struct cr_target *t)
{
	if (!t->hold)
		return;
	cr_hold_thaw(t->hold);
	cr_hold_put(t->hold);
	t->hold = NULL;
}

static enum cr_thread_phase phase_of(const struct cr_thread *t)
{
	/* pairs with the release in hold.c: the record is complete then */
	return smp_load_acquire(&t->phase);
}

static struct cr_thread *find_thread(struct cr_hold *h,
				     const struct task_struct *task)
{
	struct cr_thread *t;

	hash_for_each_possible(h->by_task, t, by_task, (unsigned long)task)
		if (t->task == task)
			return t;
	return NULL;
}

/* Threads that have not been asked, up to AT_ONCE, with references. */
static unsigned int find_new(struct cr_hold *h, struct task_struct *leader,
			     struct task_struct *found[AT_ONCE])
{
	struct task_struct *task;
	unsigned int n = 0;

	rcu_read_lock();
	for_each_thread(leader, task) {
		if (task->flags & PF_EXITING || find_thread(h, task))
			continue;
		found[n++] = get_task_struct(task);
		if (n == AT_ONCE)
			break;
	}
	rcu_read_unlock();
	return n;
}

/* Some can be told from the beginning not to come. */
static unsigned int why_not(const struct task_struct *task)
{
	if (task->flags & CR_COMPAT_WORKER)
		return CR_WHY_WORKER;
	if (READ_ONCE(task->ptrace))
		return CR_WHY_TRACED;
	if (task_is_stopped_or_traced(task))
		return CR_WHY_STOPPED;
	return CR_WHY_NONE;
}

/* A child that still has the memory of its parent holds it up. */
static bool waits_for_vfork(const struct task_struct *task)
{
	struct task_struct *child;
	bool yes = false;

	rcu_read_lock();
	for_each_process(child) {
		yes = rcu_access_pointer(child->real_parent) == task &&
		      READ_ONCE(child->vfork_done);
		if (yes)
			break;
	}
	rcu_read_unlock();
	return yes;
}

static int hindered(struct cr_ioc_stop *arg, struct task_struct *task,
		    unsigned int why)
{
	arg->tid = task_pid_vnr(task);
	arg->why = why;
	return -EBUSY;
}

/* Asks the threads that are new; *n is how many there were. */
static int ask_new(struct cr_hold *h, struct task_struct *leader,
		   struct cr_ioc_stop *arg, unsigned int *n)
{
	struct task_struct *found[AT_ONCE];
	unsigned int i, why;
	int ret = 0;

	*n = find_new(h, leader, found);
	for (i = 0; i < *n; i++) {
		why = why_not(found[i]);
		if (!ret && why)
			ret = hindered(arg, found[i], why);
		if (!ret && h->asked == CR_MAX_THREADS)
			ret = -ENOSPC;
		if (!ret)
			ret = cr_hold_ask(h, found[i]);
		if (ret == -ESRCH)
			ret = 0;
		put_task_struct(found[i]);
	}
	return ret;
}

static int name_late(struct cr_hold *h, struct cr_ioc_stop *arg)
{
	struct cr_thread *t;
	unsigned int why;

	list_for_each_entry(t, &h->threads, node) {
		if (phase_of(t) != CR_THREAD_ASKED)
			continue;
		why = why_not(t->task);
		if (!why && waits_for_vfork(t->task))
			why = CR_WHY_VFORK;
		else if (!why && cr_compat_uninterruptible(t->task))
			why = CR_WHY_WAITS;
		return hindered(arg, t->task, why ? why : CR_WHY_SLOW);
	}
	return -EBUSY;
}

static bool all_arrived(struct cr_hold *h)
{
	return atomic_read(&h->arrived) >= h->asked;
}

/* A thread that is stopped, for whatever reason, never comes by itself. */
static int wait_all(struct cr_hold *h, struct cr_ioc_stop *arg,
		    unsigned long end)
{
	long left = end - jiffies;

	left = wait_event_interruptible_timeout(h->arrivals, all_arrived(h),
						left > 0 ? left : 1);
	if (left < 0)
		return -EINTR;
	return all_arrived(h) ? 0 : name_late(h, arg);
}

static int count_held(struct cr_hold *h, struct cr_ioc_stop *arg)
{
	struct cr_thread *t;
	int ret = 0;

	list_for_each_entry(t, &h->threads, node) {
		switch (phase_of(t)) {
		case CR_THREAD_HELD:
			arg->n_threads++;
			break;
		case CR_THREAD_FAILED:
			ret = t->error;
			break;
		default:
			break;
		}
	}
	return ret;
}

/* New threads are made until the last one that runs has stopped. */
static int stop_all(struct cr_target *t, struct task_struct *leader,
		    struct cr_ioc_stop *arg)
{
	unsigned long end = jiffies + msecs_to_jiffies(arg->timeout_ms);
	unsigned int n;
	int ret;

	do {
		ret = ask_new(t->hold, leader, arg, &n);
		if (!ret)
			ret = wait_all(t->hold, arg, end);
		cond_resched();
	} while (!ret && n);
	if (!ret)
		ret = count_held(t->hold, arg);
	/* all have ended, or it has called exec since it was attached */
	if (!ret && !arg->n_threads)
		ret = -ESRCH;
	return ret;
}

int cr_stop(struct cr_session *s, struct cr_ioc_stop *arg)
{
	struct task_struct *leader;
	struct cr_target *t;
	int ret;

	lockdep_assert_held(&s->lock);
	arg->n_threads = 0;
	arg->tid = 0;
	arg->why = CR_WHY_NONE;
	if (arg->flags || arg->timeout_ms > MAX_WAIT_MS)
		return -EINVAL;
	t = cr_target_find(s, arg->pid);
	if (!t)
		return -ESRCH;
	if (t->hold)
		return -EALREADY;
	leader = get_pid_task(t->pid, PIDTYPE_TGID);
	if (!leader)
		return -ESRCH;
	ret = -EDEADLK;
	if (same_thread_group(leader, current))
		goto out;
	ret = -ENOMEM;
	t->hold = cr_hold_create(t->mm);
	if (!t->hold)
		goto out;
	ret = stop_all(t, leader, arg);
	if (ret)
		cr_stop_thaw(t);
out:
	put_task_struct(leader);
	return ret;
}

static struct cr_target *find_stopped(struct cr_session *s, pid_t pid)
{
	struct cr_target *t = cr_target_find(s, pid);

	return t && t->hold ? t : NULL;
}

int cr_stop_resume(struct cr_session *s, const struct cr_ioc_target *arg)
{
	struct cr_target *t = find_stopped(s, arg->pid);

	if (arg->flags)
		return -EINVAL;
	if (!t)
		return -ESRCH;
	cr_stop_thaw(t);
	return 0;
}

/* A hold that is complete changes no more. */
static struct cr_hold *get_hold(struct cr_session *s, pid_t pid)
{
	struct cr_hold *h = NULL;
	struct cr_target *t;

	mutex_lock(&s->lock);
	t = s->over ? NULL : find_stopped(s, pid);
	if (t) {
		h = t->hold;
		kref_get(&h->ref);
	}
	mutex_unlock(&s->lock);
	return h;
}

static int list_threads(struct cr_hold *h, struct cr_ioc_threads *arg)
{
	__s32 __user *tids = u64_to_user_ptr(arg->tids);
	struct cr_thread *t;

	list_for_each_entry(t, &h->threads, node) {
		if (phase_of(t) != CR_THREAD_HELD)
			continue;
		if (arg->n < arg->max &&
		    put_user(task_pid_vnr(t->task), &tids[arg->n]))
			return -EFAULT;
		arg->n++;
	}
	return arg->n > arg->max ? -ENOSPC : 0;
}

int cr_stop_threads(struct cr_session *s, struct cr_ioc_threads *arg)
{
	struct cr_hold *h;
	int ret;

	arg->n = 0;
	if (arg->reserved)
		return -EINVAL;
	h = get_hold(s, arg->pid);
	if (!h)
		return -ESRCH;
	ret = list_threads(h, arg);
	cr_hold_put(h);
	return ret;
}

static int give(struct cr_ioc_read *arg, const void *data, unsigned int size)
{
	unsigned int room = arg->size;

	arg->size = size;
	if (room < size)
		return -ENOSPC;
	if (copy_to_user(u64_to_user_ptr(arg->buf), data, size))
		return -EFAULT;
	return 0;
}

static int read_thread(struct cr_thread *t, struct cr_ioc_read *arg)
{
	const struct cr_record *r = &t->record;

	switch (arg->what) {
	case CR_READ_REGS:
		return give(arg, r->regs, r->regs_size);
	case CR_READ_XSTATE:
		return give(arg, r->xstate, r->xstate_size);
	case CR_READ_PENDING:
		return give(arg, r->pending, r->pending_size);
	case CR_READ_SHARED:
		return give(arg, r->shared, r->shared_size);
	case CR_READ_STATE:
		return give(arg, &r->state, sizeof(r->state));
	}
	return -EINVAL;
}

int cr_stop_read(struct cr_session *s, struct cr_ioc_read *arg)
{
	struct cr_hold *h = get_hold(s, arg->pid);
	struct cr_thread *t;
	int ret = -ESRCH;

	if (!h)
		return -ESRCH;
	list_for_each_entry(t, &h->threads, node) {
		if (phase_of(t) != CR_THREAD_HELD ||
		    task_pid_vnr(t->task) != arg->tid)
			continue;
		ret = read_thread(t, arg);
		break;
	}
	cr_hold_put(h);
	return ret;
}
