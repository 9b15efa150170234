/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deliver.c - from the kernel's signal frame to the program's handler
 *
 * A handler may not be half done when a checkpoint rolls back the call that
 * it interrupted: for the moment of the snapshot handlers on top of such
 * calls wait before they begin, and those that have begun are waited for.
 * One that waits is on the list of its thread (trampoline.S), and its signal is
 * delivered anew after a rollback.
 *
 * All here runs with all signals blocked, except for the handler itself; it
 * may not touch errno.
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/deliver.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <ucontext.h>

#include "mpi/lower/boot.h"

_Static_assert(CR_DELIVER_ARENA == CR_LOWER_START &&
		       1UL << CR_DELIVER_ARENA_SHIFT == CR_LOWER_SIZE,
	       "arena");
_Static_assert(offsetof(struct cr_lower, upper_offset) ==
			       CR_DELIVER_UPPER_OFFSET &&
		       offsetof(struct cr_lower_tls, upper) ==
			       CR_DELIVER_TLS_UPPER,
	       "control block");
_Static_assert(offsetof(struct cr_lower_thread, slot) == CR_DELIVER_SLOT &&
		       offsetof(struct cr_lower_thread, delivered) ==
			       CR_DELIVER_LIST &&
		       offsetof(struct cr_rollback, active) == 0,
	       "thread");
_Static_assert(offsetof(struct cr_delivery, older) == 0 &&
		       offsetof(struct cr_delivery, info) == 8 &&
		       offsetof(struct cr_delivery, context) == 16 &&
		       sizeof(struct cr_delivery) == 24,
	       "record");

/* ---- what the program has set ---- */

/*
 * Each different action has a place for good, so that whoever looks sees a
 * whole one; programs have few of them.
 */
#define MOST_ACTIONS 1024
static struct {
	struct cr_action action;
	int ready;
} known[MOST_ACTIONS];
static int n_known;

static int current[NSIG]; /* place, plus one */
static int armed[NSIG];	  /* a one-shot handler has not yet been begun */

static int find_action(const struct cr_action *a)
{
	const struct cr_action *k;
	int i, n = __atomic_load_n(&n_known, __ATOMIC_ACQUIRE);

	for (i = 0; i < n && i < MOST_ACTIONS; i++) {
		k = &known[i].action;
		if (__atomic_load_n(&known[i].ready, __ATOMIC_ACQUIRE) &&
		    k->run == a->run && k->flags == a->flags &&
		    k->mask == a->mask)
			return i;
	}
	if (n >= MOST_ACTIONS)
		return -ENOSPC;
	i = __atomic_fetch_add(&n_known, 1, __ATOMIC_SEQ_CST);
	if (i >= MOST_ACTIONS)
		return -ENOSPC;
	known[i].action = *a;
	__atomic_store_n(&known[i].ready, 1, __ATOMIC_RELEASE);
	return i;
}

int cr_action_set(int sig, const struct cr_action *action)
{
	int i = action->run ? find_action(action) : -1;

	if (action->run && i < 0)
		return i;
	__atomic_store_n(&armed[sig], 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&current[sig], i + 1, __ATOMIC_SEQ_CST);
	return 0;
}

struct cr_action cr_action_get(int sig)
{
	static const struct cr_action none;
	int i = __atomic_load_n(&current[sig], __ATOMIC_ACQUIRE);

	return i ? known[i - 1].action : none;
}

/* ---- the handler ---- */

static void set_mask(uint64_t mask)
{
	cr_raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0,
		       sizeof(mask), 0, 0);
}

/*
 * As the kernel does with "one shot" at the delivery.  False: another thread
 * was first, this signal comes once more and finds no handler.
 */
static bool disarm(int sig, siginfo_t *info)
{
	const struct {
		void (*handler)(int);
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} none = { SIG_DFL, 0, NULL, 0 };
	long pid = cr_raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
	long tid = cr_raw_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);

	if (__atomic_exchange_n(&armed[sig], 0, __ATOMIC_SEQ_CST)) {
		cr_raw_syscall(SYS_rt_sigaction, sig, (long)&none, 0,
			       sizeof(none.mask), 0, 0);
		return true;
	}
	cr_raw_syscall(SYS_rt_tgsigqueueinfo, pid, tid, sig, (long)info, 0, 0);
	return false;
}

/* In the upper half; comes back with any mask. */
static void run(int sig, siginfo_t *info, ucontext_t *context)
{
	struct cr_action a = cr_action_get(sig);
	uint64_t mask;

	if (!a.run || (a.flags & (int)SA_RESETHAND && !disarm(sig, info)))
		return;
	mask = *(uint64_t *)&context->uc_sigmask | a.mask;
	if (!(a.flags & SA_NODEFER))
		mask |= 1ULL << (sig - 1);
	set_mask(mask);
	a.run(sig, info, context); /* one that wants less takes no notice */
}

void cr_deliver_plain(int sig, siginfo_t *info, void *context)
{
	unsigned long fs = cr_lower_callback_begin();

	if (!fs)
		return;
	run(sig, info, context);
	cr_lower_callback_end(fs);
}

/* ---- on top of calls with an active slot ---- */

static int closed;  /* new ones wait (futex) */
static int running; /* have begun */

/*
 * One of the two sees the other: the one who closes the count, or this one
 * that it is closed.  A handler on top of another one that has begun must
 * not wait, since that is waited for.
 */
static void begin(const struct cr_lower_thread *self)
{
	for (;;) {
		while (!self->begun &&
		       __atomic_load_n(&closed, __ATOMIC_SEQ_CST))
			cr_raw_syscall(SYS_futex, (long)&closed,
				       FUTEX_WAIT_PRIVATE, 1, 0, 0, 0);
		__atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST);
		if (self->begun || !__atomic_load_n(&closed, __ATOMIC_SEQ_CST))
			return;
		__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
	}
}

void cr_deliver_on_top(struct cr_delivery *d, int sig,
		       struct cr_lower_thread *self)
{
	unsigned long fs = cr_lower_callback_begin();
	siginfo_t *info = (siginfo_t *)d->info;

	begin(self);
	self->begun++;
	d->info = 0; /* from now on it is not to be delivered anew */
	run(sig, info, (ucontext_t *)d->context);
	set_mask(~0ULL);
	self->begun--;
	__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
	cr_lower_callback_end(fs);
}

void cr_signals_close(void)
{
	__atomic_store_n(&closed, 1, __ATOMIC_SEQ_CST);
}

bool cr_signals_running(void)
{
	return __atomic_load_n(&running, __ATOMIC_SEQ_CST) != 0;
}

void cr_signals_open(void)
{
	__atomic_store_n(&closed, 0, __ATOMIC_SEQ_CST);
	cr_raw_syscall(SYS_futex, (long)&closed, FUTEX_WAKE_PRIVATE, INT_MAX, 0,
		       0, 0);
}

void cr_signals_reset(void)
{
	__atomic_store_n(&running, 0, __ATOMIC_SEQ_CST);
	cr_signals_open();
}
