/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * yield.c - sched_yield(2) of the lower half
 *
 * A rank that waits yields again and again when Open MPI was told that the
 * ranks share processors (mpi_yield_when_idle, set by mpirun if they do).
 * The kernel's scheduler may keep everything else from that processor for
 * minutes then: seen with Linux 6.18 and a busy machine, for the other ranks,
 * the agents, even the kernel's own threads.  A checkpoint that needs them
 * all would not come to its end.  A short sleep now and then cures it.
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/hook.h"

#include <time.h>

#define SLEEP_EVERY 1024 /* yields; a millisecond when nobody else runs */

long cr_yield_hook(void)
{
	static const struct timespec moment = { 0, 1 };
	static unsigned int yields;

	/* libcr's thread inside, or one that it waits for */
	if (cr_lower_token_asked())
		return 0;
	/* a count that gets lost between two threads does not matter */
	if (++yields % SLEEP_EVERY)
		return cr_raw_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	cr_raw_syscall(SYS_nanosleep, (long)&moment, 0, 0, 0, 0, 0);
	return 0;
}
