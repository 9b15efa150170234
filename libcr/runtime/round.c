/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * round.c - the callbacks of one request
 *
 * A callback calls cr_checkpoint(), which runs the next one, and so on: the
 * stack holds them until the outcome is known, and then they go on in
 * reverse.  In libcr's thread the innermost cr_checkpoint() has the threads
 * with signal-context callbacks run theirs the same way in a signal handler,
 * and then talks with the requester (answer.c).
 *
 * The first callback that does not say READY decides ("verdict"); those after
 * it are not run.
 *
 * Threads that are to be held (hold.c) take part like those with callbacks,
 * and stay in the handler until the last callback of the round has ended.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/runtime.h"

#define TICK_MS 50

__thread struct cr_frame *cr_frame;

static struct {
	struct cr_callback callback[CR_MAX_CALLBACKS];
	unsigned int n_thread; /* the first ones, in thread context */
	unsigned int n;
	_Atomic int verdict;   /* flags of the first refusal, 0: none */
	_Atomic uint32_t step; /* grows with all that may be waited for */
	_Atomic uint32_t over; /* outcome is valid */
	_Atomic uint32_t done; /* all callbacks have ended */
	int outcome;	       /* what cr_checkpoint() returns */
	bool hold;	       /* some thread may be held */
} rd;

static int run_from(unsigned int i, unsigned int end, int (*bottom)(void));

static void stepped(void)
{
	atomic_fetch_add(&rd.step, 1);
	cr_futex_wake(&rd.step);
}

void cr_round_party_gone(void)
{
	stepped();
}

/*
 * True while a thread is on its way to a state after "last".  One that ended
 * without telling is dropped.  With give_up, one that has not begun need not
 * any more.
 */
bool cr_party_busy(_Atomic uint32_t *party, pid_t tid, enum cr_party last,
		   bool give_up)
{
	uint32_t now = CR_PARTY_SENT;

	if (give_up)
		atomic_compare_exchange_strong(party, &now, CR_PARTY_NONE);
	now = atomic_load(party);
	if (now == CR_PARTY_NONE || now > last)
		return false;
	if (!syscall(SYS_tgkill, getpid(), tid, 0) || errno != ESRCH)
		return true;
	atomic_store(party, CR_PARTY_NONE);
	return false;
}

static bool parties_busy(enum cr_party last, bool give_up)
{
	struct cr_client *c;
	bool busy;
	sigset_t saved;

	cr_registry_lock(&saved);
	busy = cr_hold_busy(last, give_up);
	for (c = cr_clients; c; c = c->next)
		busy |= cr_party_busy(&c->party, c->tid, last, give_up);
	cr_registry_unlock(&saved);
	return busy;
}

/* Marked as ours, so that one that comes late is not taken for the program's.
 */
int cr_signal_thread(pid_t tid)
{
	siginfo_t info = { .si_signo = CR_SIGNUM, .si_code = SI_QUEUE };

	info.si_errno = CR_SIGNAL_MARK;
	info.si_pid = getpid();
	info.si_uid = getuid();
	if (!syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, CR_SIGNUM, &info))
		return 0;
	if (errno == EAGAIN) /* RLIMIT_SIGPENDING */
		return syscall(SYS_tgkill, getpid(), tid, CR_SIGNUM);
	return -1;
}

/* Returns when no thread is on its way to a state after "last". */
static void wait_parties(enum cr_party last, bool (*give_up)(void))
{
	uint32_t step;

	for (;;) {
		step = atomic_load(&rd.step);
		if (!parties_busy(last, give_up()))
			return;
		cr_futex_wait(&rd.step, step, TICK_MS);
	}
}

static bool given_up(void)
{
	return atomic_load(&rd.verdict) || cr_answer_cancelled();
}

static bool at_once(void)
{
	return true;
}

/* Has the signal-context callbacks run; returns when all have arrived. */
static void gather_parties(void)
{
	struct cr_client *c;
	sigset_t saved;

	cr_registry_lock(&saved);
	for (c = cr_clients; c; c = c->next) {
		if (!c->n && !cr_hold_of(c))
			continue;
		atomic_store(&c->party, CR_PARTY_SENT);
		if (cr_signal_thread(c->tid))
			atomic_store(&c->party, CR_PARTY_NONE);
	}
	cr_registry_unlock(&saved);
	wait_parties(CR_PARTY_RUNNING, given_up);
	/* those there are may have made others meanwhile */
	while (!given_up() && cr_hold_invite())
		wait_parties(CR_PARTY_RUNNING, given_up);
}

/* They go on with the outcome; returns when their last callback ended. */
static void release_parties(int outcome)
{
	rd.outcome = outcome;
	atomic_store(&rd.over, 1);
	cr_futex_wake(&rd.over);
	wait_parties(CR_PARTY_ARRIVED, at_once);
}

/* And when no thread is held any more. */
static void release_held(void)
{
	atomic_store(&rd.done, 1);
	cr_futex_wake(&rd.done);
	wait_parties(CR_PARTY_HELD, at_once);
	cr_hold_reset();
}

/* Innermost in libcr's thread. */
static int thread_bottom(void)
{
	int outcome;

	if ((rd.n > rd.n_thread || rd.hold) && !atomic_load(&rd.verdict))
		gather_parties();
	outcome = cr_answer_finish(atomic_load(&rd.verdict));
	release_parties(outcome);
	if (rd.n_thread)
		cr_hook_run(outcome, CR_HOOK_CONT_THREAD_CONTEXT,
			    CR_HOOK_RSTRT_THREAD_CONTEXT);
	else if (!rd.n)
		cr_hook_run(outcome, CR_HOOK_CONT_NO_CALLBACKS,
			    CR_HOOK_RSTRT_NO_CALLBACKS);
	return outcome;
}

/* In the handler: all callbacks of this thread called cr_checkpoint(). */
static int wait_over(_Atomic uint32_t *party)
{
	atomic_store(party, CR_PARTY_ARRIVED);
	stepped();
	while (!atomic_load(&rd.over))
		cr_futex_wait(&rd.over, 0, -1);
	return rd.outcome;
}

/* Innermost in a signal handler. */
static int signal_bottom(void)
{
	int outcome = wait_over(&cr_self->party);

	cr_hook_run(outcome, CR_HOOK_CONT_SIGNAL_CONTEXT,
		    CR_HOOK_RSTRT_SIGNAL_CONTEXT);
	return outcome;
}

/* Runs callbacks i..end and then bottom(); what cr_checkpoint() returned. */
static int run_from(unsigned int i, unsigned int end, int (*bottom)(void))
{
	struct cr_frame frame = { .outer = cr_frame, .index = i };

	if (i == end || given_up())
		return bottom();
	frame.signal_context = i >= rd.n_thread;
	frame.callback = &rd.callback[i];
	cr_frame = &frame;
	frame.callback->func(frame.callback->arg);
	if (!frame.called)
		cr_checkpoint(CR_CHECKPOINT_READY);
	cr_frame = frame.outer;
	return frame.result;
}

static bool valid_flags(int flags)
{
	switch (flags & 0xff) {
	case CR_CHECKPOINT_READY:
	case CR_CHECKPOINT_OMIT:
		return !(flags & ~0xff);
	case CR_CHECKPOINT_TEMP_FAILURE:
	case CR_CHECKPOINT_PERM_FAILURE:
		return !(flags & ~0xffffff);
	default:
		return false;
	}
}

int cr_checkpoint(int flags)
{
	struct cr_frame *frame = cr_frame;
	int none = 0;

	if (!frame || frame->called)
		return -CR_ENOTCB;
	if (!valid_flags(flags))
		return -EINVAL;
	frame->called = true;
	if (flags != CR_CHECKPOINT_READY)
		atomic_compare_exchange_strong(&rd.verdict, &none, flags);
	if (frame->signal_context)
		frame->result =
			run_from(frame->index + 1, cr_self->first + cr_self->n,
				 signal_bottom);
	else
		frame->result =
			run_from(frame->index + 1, rd.n_thread, thread_bottom);
	cr_frame = frame; /* "called" tells which side of it this is */
	return frame->result;
}

void cr_round_signal(_Atomic uint32_t *party)
{
	uint32_t sent = CR_PARTY_SENT;
	int saved = errno;

	if (!atomic_compare_exchange_strong(party, &sent, CR_PARTY_RUNNING))
		return;
	if (cr_self && cr_self->n)
		run_from(cr_self->first, cr_self->first + cr_self->n,
			 signal_bottom);
	else
		wait_over(party);
	/* not in a child that a callback made */
	if (atomic_load(party) == CR_PARTY_ARRIVED && cr_hold_now(rd.outcome)) {
		atomic_store(party, CR_PARTY_HELD);
		stepped();
		while (!atomic_load(&rd.done))
			cr_futex_wait(&rd.done, 0, -1);
	}
	atomic_store(party, CR_PARTY_NONE);
	stepped();
	errno = saved;
}

void cr_round_run(void)
{
	struct cr_client *c;
	sigset_t saved;

	cr_registry_lock(&saved);
	rd.n = rd.n_thread = cr_callbacks_of(-1, rd.callback);
	rd.hold = cr_hold_any();
	for (c = cr_clients; c; c = c->next) {
		c->first = rd.n;
		c->n = cr_callbacks_of(c->id, rd.callback + rd.n);
		rd.n += c->n;
		rd.hold |= cr_hold_of(c) != CR_HOLD_NONE;
	}
	atomic_store(&rd.verdict, 0);
	atomic_store(&rd.over, 0);
	atomic_store(&rd.done, 0);
	cr_registry_unlock(&saved);
	run_from(0, rd.n_thread, thread_bottom);
	release_held();
}
