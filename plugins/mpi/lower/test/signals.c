/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signals.c - a handler of the program sees the program's thread
 *
 * Timer signals hit a thread that is inside the lower half most of the time.
 * The interfaces that set handlers answer as the C library's own.
 */
#include <sys/time.h>

#include "mpi/lower/test/lower_mpi.h"

static __thread volatile int canary = 42;
static pthread_t self;
static int *errno_at;
static volatile long hits, wrong;

static void look(int sig)
{
	hits++;
	if (pthread_self() != self || canary != 42 || &errno != errno_at ||
	    cr_lower_inside())
		wrong++;
	free(malloc(100));
}

static void look_closely(int sig, siginfo_t *info, void *context)
{
	if (info->si_signo != sig || !context)
		wrong++;
	look(sig);
}

static void other(int sig)
{
}

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* sigset */
static void check_interfaces(void)
{
	struct sigaction act, old;

	CHECK(signal(SIGUSR1, look) == SIG_DFL);
	CHECK(signal(SIGUSR1, other) == look);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
	CHECK(old.sa_handler == other && old.sa_flags & SA_RESTART);
	CHECK(!(old.sa_flags & SA_SIGINFO));
	memset(&act, 0, sizeof(act));
	act.sa_sigaction = look_closely;
	act.sa_flags = SA_SIGINFO | SA_NODEFER;
	CHECK(sigaction(SIGUSR1, &act, &old) == 0);
	CHECK(old.sa_handler == other);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
	CHECK(old.sa_sigaction == look_closely);
	CHECK((old.sa_flags & (SA_SIGINFO | SA_NODEFER | SA_RESTART)) ==
	      (SA_SIGINFO | SA_NODEFER));
	CHECK(siginterrupt(SIGUSR1, 0) == 0);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
	CHECK(old.sa_sigaction == look_closely && old.sa_flags & SA_RESTART);
	CHECK((void *)signal(SIGUSR1, SIG_IGN) == (void *)look_closely);
	CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
	CHECK(__sysv_signal(SIGUSR1, other) == SIG_DFL);
	hits = 0;
	raise(SIGUSR1); /* one shot */
	CHECK(signal(SIGUSR1, SIG_DFL) == SIG_DFL);
	CHECK(sigset(SIGUSR1, look) == SIG_DFL);
	CHECK(sigset(SIGUSR1, SIG_HOLD) == look);
	raise(SIGUSR1);
	CHECK(hits == 0);
	CHECK(sigset(SIGUSR1, look) == SIG_HOLD);
	CHECK(hits == 1);
	CHECK(sigset(SIGUSR1, SIG_DFL) == look);
	errno = 0;
	CHECK(signal(SIGKILL, look) == SIG_ERR && errno == EINVAL);
	CHECK(signal(12345, look) == SIG_ERR && errno == EINVAL);
}

int main(void)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { 0 };
	struct sigaction act;
	int rank, size, i;

	self = pthread_self();
	errno_at = &errno;
	check_interfaces();
	lower_mpi_up(environ, MPI_THREAD_SERIALIZED);
	check_interfaces();
	rank = lower_rank();
	size = lower_size();
	hits = wrong = 0;
	memset(&act, 0, sizeof(act));
	act.sa_sigaction = look_closely;
	act.sa_flags = SA_SIGINFO | SA_RESTART;
	CHECK(sigaction(SIGALRM, &act, NULL) == 0);
	setitimer(ITIMER_REAL, &often, NULL);
	for (i = 0; i < 1000000 && hits < 400; i++) {
		int x = i, y = -1;

		errno = 5;
		CHECK(!CR_LOWER(L.Sendrecv(&x, 1, L.integer, rank, 1, &y, 1,
					   L.integer, rank, 1, L.world,
					   MPI_STATUS_IGNORE)));
		CHECK(y == i && errno == 5);
	}
	CHECK(!CR_LOWER(L.Barrier(L.world)));
	setitimer(ITIMER_REAL, &never, NULL);
	CHECK(hits >= 100 && wrong == 0);
	if (rank == 0)
		printf("%d ranks: %ld signals, none in the wrong half\n",
		       size, hits);
	CHECK(!CR_LOWER(L.Finalize()));
	return 0;
}
