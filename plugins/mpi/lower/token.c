/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * token.c - lends the lower half to libcr's thread
 *
 * Unless it gives MPI_THREAD_MULTIPLE, one thread at most may be inside the
 * lower half.  A thread that waits inside calls Open MPI's progress engine
 * again and again, and that calls our hook: when libcr's thread has asked,
 * the hook holds the waiting thread there.  It is no different for the
 * engine than a progress function that takes long.
 *
 * Only without MPI's thread support, that is MPI_THREAD_SINGLE: with it the
 * first thread that waits makes progress for all others, and libcr's thread
 * would wait for the parked one.  One thread at a time, memory ordered by the
 * token, is what MPI_THREAD_SINGLE can bear.
 *
 * Each asking has a number, so that a thread which is just waking up from
 * the last one is not taken for parked.
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/lower.h"

#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#define POLL_NS 200000 /* a thread that leaves wakes nobody */

static struct {
	uint32_t asked;	 /* number of the asking, 0: nobody asks */
	uint32_t parked; /* number for which a thread was parked last */
	uint32_t number;
	unsigned long holder; /* FS base of the thread that asks */
} token;

static long futex(uint32_t *word, int op, uint32_t value,
		  const struct timespec *timeout)
{
	return cr_raw_syscall(SYS_futex, (long)word, op | FUTEX_PRIVATE_FLAG,
			      (long)value, (long)timeout, 0, 0);
}

/* The calling thread's FS base when it is outside, 0: the lower half's own. */
static unsigned long upper_fs(void)
{
	unsigned long fs = cr_lower_get_fs();

	return cr_lower_owns((void *)fs) ? cr_lower_tls(fs)->upper_fs : fs;
}

/* Called by the lower half's progress engine, on whatever thread. */
static int hook(void)
{
	uint32_t n = __atomic_load_n(&token.asked, __ATOMIC_ACQUIRE);

	if (__builtin_expect(!n, 1))
		return 0;
	if (upper_fs() == token.holder)
		return 0;
	__atomic_store_n(&token.parked, n, __ATOMIC_SEQ_CST);
	futex(&token.parked, FUTEX_WAKE, 1, NULL);
	while (__atomic_load_n(&token.asked, __ATOMIC_ACQUIRE) == n)
		futex(&token.asked, FUTEX_WAIT, n, NULL);
	return 0;
}

int cr_lower_token_init(struct cr_error *err)
{
	int (*add)(int (*)(void)) =
		(int (*)(int (*)(void)))cr_lower_symbol(
			"opal_progress_register_lp");
	const bool *threads = cr_lower_symbol("opal_uses_threads");
	int rc;

	token.asked = token.parked = 0;
	if (!threads || *threads)
		return cr_error_set(err, -EINVAL,
				    "the MPI library was not initialised with "
				    "MPI_THREAD_SINGLE");
	if (!add)
		return cr_error_set(err, -ENOSYS,
				    "this MPI library has no progress engine "
				    "that we know "
				    "(opal_progress_register_lp)");
	rc = CR_LOWER(add(hook));
	if (rc)
		return cr_error_set(err, -ENOSYS,
				    "the MPI library's progress engine takes "
				    "no function of ours (%d)", rc);
	return 0;
}

int cr_lower_token_take(bool (*inside)(void *arg),
			bool (*cancelled)(void *arg), void *arg)
{
	const struct timespec poll = { 0, POLL_NS };
	uint32_t n;

	if (cr_lower_self.generation != cr_lower.generation) {
		int rc = cr_lower_attach();

		if (rc)
			return rc;
	}
	token.holder = cr_lower_self.upper_fs;
	if (!++token.number)
		++token.number;
	n = token.number;
	__atomic_store_n(&token.asked, n, __ATOMIC_SEQ_CST);
	for (;;) {
		uint32_t seen = __atomic_load_n(&token.parked,
						__ATOMIC_SEQ_CST);

		if (seen == n || !inside(arg))
			return 0;
		if (cancelled(arg)) {
			cr_lower_token_give();
			return -ECANCELED;
		}
		futex(&token.parked, FUTEX_WAIT, seen, &poll);
	}
}

bool cr_lower_token_asked(void)
{
	return __atomic_load_n(&token.asked, __ATOMIC_RELAXED) != 0;
}

void cr_lower_token_give(void)
{
	__atomic_store_n(&token.asked, 0, __ATOMIC_SEQ_CST);
	futex(&token.asked, FUTEX_WAKE, 1, NULL);
}
