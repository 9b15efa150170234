// SPDX-License-Identifier: GPL-2.0
/* read.c - what a stopped thread says of itself: registers, signals, sleep */
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/regset.h>
#include <linux/restart_block.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/time64.h>
#include <linux/unistd.h>
#include <asm/syscall.h>

#include "hold.h"

static int read_regset(unsigned int note, void **data, unsigned int *size)
{
	const struct user_regset_view *view = task_user_regset_view(current);
	unsigned int i;
	int ret;

	for (i = 0; i < view->n; i++) {
		const struct user_regset *set = &view->regsets[i];

		if (set->core_note_type != note)
			continue;
		ret = regset_get_alloc(current, set, set->n * set->size, data);
		if (ret < 0)
			return ret;
		*size = ret;
		return 0;
	}
	return -EOPNOTSUPP;
}

static unsigned int count_bits(const sigset_t *set)
{
	unsigned int i, n = 0;

	for (i = 0; i < _NSIG_WORDS; i++)
		n += hweight_long(set->sig[i]);
	return n;
}

/* Queued ones in order, then those for which there was no room to queue. */
static unsigned int list_pending(const struct sigpending *from, siginfo_t *to)
{
	const struct sigqueue *q;
	kernel_siginfo_t bare;
	sigset_t rest = from->signal;
	unsigned int n = 0;
	int sig;

	lockdep_assert_held(cr_siglock());
	list_for_each_entry(q, &from->list, list) {
		copy_siginfo_to_external(&to[n++], &q->info);
		sigdelset(&rest, q->info.si_signo);
	}
	for (sig = 1; sig <= _NSIG; sig++) {
		if (!sigismember(&rest, sig))
			continue;
		clear_siginfo(&bare);
		bare.si_signo = sig;
		bare.si_code = SI_USER;
		copy_siginfo_to_external(&to[n++], &bare);
	}
	return n;
}

/* No more than there can be. */
static unsigned int count_pending(const struct sigpending *from)
{
	const struct sigqueue *q;
	unsigned int n = count_bits(&from->signal);

	lockdep_assert_held(cr_siglock());
	list_for_each_entry(q, &from->list, list)
		n++;
	return n;
}

static int read_pending(const struct sigpending *from, void **data,
			unsigned int *size)
{
	unsigned int room = 0, n;
	siginfo_t *to = NULL;

	for (;;) {
		spin_lock_irq(cr_siglock());
		n = count_pending(from);
		if (n <= room) {
			*size = list_pending(from, to) * sizeof(*to);
			spin_unlock_irq(cr_siglock());
			*data = to;
			return 0;
		}
		spin_unlock_irq(cr_siglock());
		/* more may come while we have no lock */
		kvfree(to);
		room = n + n / 4 + 16;
		to = kvcalloc(room, sizeof(*to), GFP_KERNEL_ACCOUNT);
		if (!to)
			return -ENOMEM;
	}
}

/* What a call that was interrupted in its sleep still waits for. */
static void read_restart(struct cr_thread_state *s)
{
	const struct restart_block *b = &current->restart_block;
	struct pt_regs *regs = task_pt_regs(current);

	if (syscall_get_error(current, regs) != -ERESTART_RESTARTBLOCK)
		return;
	switch (syscall_get_nr(current, regs)) {
	case __NR_nanosleep:
	case __NR_clock_nanosleep:
		s->restart_ns = b->nanosleep.expires;
		s->restart_clock = b->nanosleep.clockid;
		break;
	case __NR_futex:
		s->restart_ns = b->futex.time;
		s->restart_clock = CLOCK_MONOTONIC;
		break;
	case __NR_poll:
		if (b->poll.has_timeout)
			s->restart_ns = b->poll.tv_sec * NSEC_PER_SEC +
					b->poll.tv_nsec;
		s->restart_clock = CLOCK_MONOTONIC;
		break;
	}
}

static void read_state(struct cr_thread_state *s)
{
	s->sigmask = current->blocked.sig[0];
	s->altstack_sp = current->sas_ss_sp;
	s->altstack_size = current->sas_ss_size;
	s->altstack_flags = current->sas_ss_flags;
	s->clear_child_tid = (unsigned long)current->clear_child_tid;
	s->robust_list = (unsigned long)current->robust_list;
	read_restart(s);
}

int cr_record_fill(struct cr_record *r)
{
	int ret;

	read_state(&r->state);
	ret = read_regset(NT_PRSTATUS, &r->regs, &r->regs_size);
	if (!ret)
		ret = read_regset(NT_X86_XSTATE, &r->xstate, &r->xstate_size);
	if (!ret)
		ret = read_pending(&current->pending, &r->pending,
				   &r->pending_size);
	if (!ret)
		ret = read_pending(&current->signal->shared_pending, &r->shared,
				   &r->shared_size);
	return ret;
}

void cr_record_free(struct cr_record *r)
{
	kvfree(r->regs);
	kvfree(r->xstate);
	kvfree(r->pending);
	kvfree(r->shared);
}
