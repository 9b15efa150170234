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
	int outcome;	       /* what cr_checkpoint() returns */
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
 * True while a thread is on its way to the state after "last".  Threads that
 * ended without telling are dropped.  With give_up, those that have not begun
 * need not any more.
 */
static bool parties_busy(enum cr_party last, bool give_up)
{
	struct cr_client *c;
	bool busy = false;
	uint32_t party;
	sigset_t saved;

	cr_registry_lock(&saved);
	for (c = cr_clients; c; c = c->next) {
		party = CR_PARTY_SENT;
		if (give_up)
			atomic_compare_exchange_strong(&c->party, &party,
						       CR_PARTY_NONE);
		party = atomic_load(&c->party);
		if (party == CR_PARTY_NONE || party > last)
			continue;
		if (syscall(SYS_tgkill, getpid(), c->tid, 0) && errno == ESRCH)
			atomic_store(&c->party, CR_PARTY_NONE);
		else
			busy = true;
	}
	cr_registry_unlock(&saved);
	return busy;
}

/* Marked as ours, so that one that comes late is not taken for the program's.
 */
static int signal_client(const struct cr_client *c)
{
	siginfo_t info = { .si_signo = CR_SIGNUM, .si_code = SI_QUEUE };

	info.si_errno = CR_SIGNAL_MARK;
	info.si_pid = getpid();
	info.si_uid = getuid();
	if (!syscall(SYS_rt_tgsigqueueinfo, getpid(), c->tid, CR_SIGNUM, &info))
		return 0;
	if (errno == EAGAIN) /* RLIMIT_SIGPENDING */
		return syscall(SYS_tgkill, getpid(), c->tid, CR_SIGNUM);
	return -1;
}

/* Has the signal-context callbacks run; returns when all have arrived. */
static void gather_parties(void)
{
	struct cr_client *c;
	sigset_t saved;
	uint32_t step;

	cr_registry_lock(&saved);
	for (c = cr_clients; c; c = c->next) {
		if (!c->n)
			continue;
		atomic_store(&c->party, CR_PARTY_SENT);
		if (signal_client(c))
			atomic_store(&c->party, CR_PARTY_NONE);
	}
	cr_registry_unlock(&saved);
	do {
		step = atomic_load(&rd.step);
		if (!parties_busy(CR_PARTY_RUNNING,
				  atomic_load(&rd.verdict) ||
					  cr_answer_cancelled()))
			break;
		cr_futex_wait(&rd.step, step, TICK_MS);
	} while (1);
}

/* They go on with the outcome; returns when their last callback ended. */
static void release_parties(int outcome)
{
	uint32_t step;

	rd.outcome = outcome;
	atomic_store(&rd.over, 1);
	cr_futex_wake(&rd.over);
	do {
		step = atomic_load(&rd.step);
		if (!parties_busy(CR_PARTY_ARRIVED, true))
			break;
		cr_futex_wait(&rd.step, step, TICK_MS);
	} while (1);
}

/* Innermost in libcr's thread. */
static int thread_bottom(void)
{
	int outcome;

	if (rd.n > rd.n_thread && !atomic_load(&rd.verdict))
		gather_parties();
	outcome = cr_answer_finish(atomic_load(&rd.verdict));
	release_parties(outcome);
	return outcome;
}

/* Innermost in a signal handler. */
static int signal_bottom(void)
{
	atomic_store(&cr_self->party, CR_PARTY_ARRIVED);
	stepped();
	while (!atomic_load(&rd.over))
		cr_futex_wait(&rd.over, 0, -1);
	return rd.outcome;
}

static bool given_up(void)
{
	return atomic_load(&rd.verdict) || cr_answer_cancelled();
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

void cr_round_signal(void)
{
	uint32_t party = CR_PARTY_SENT;
	int saved = errno;

	if (!atomic_compare_exchange_strong(&cr_self->party, &party,
					    CR_PARTY_RUNNING))
		return;
	run_from(cr_self->first, cr_self->first + cr_self->n, signal_bottom);
	atomic_store(&cr_self->party, CR_PARTY_NONE);
	stepped();
	errno = saved;
}

void cr_round_run(void)
{
	struct cr_client *c;
	sigset_t saved;

	cr_registry_lock(&saved);
	rd.n = rd.n_thread = cr_callbacks_of(-1, rd.callback);
	for (c = cr_clients; c; c = c->next) {
		c->first = rd.n;
		c->n = cr_callbacks_of(c->id, rd.callback + rd.n);
		rd.n += c->n;
	}
	atomic_store(&rd.verdict, 0);
	atomic_store(&rd.over, 0);
	cr_registry_unlock(&saved);
	run_from(0, rd.n_thread, thread_bottom);
}
