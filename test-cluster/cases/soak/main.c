// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - a tree of 50 processes and 500 threads under random load
 *
 * Each process has the same ten threads: the first moves money between
 * accounts in shared memory, the others use futexes, pipes, sockets, memory,
 * children, signals and timers.  Everything is checked by whoever sees it.
 * The first process prints "round N" each time that every thread has done
 * something since the line before; the rounds stop at the first thing wrong,
 * which is printed, too.  It runs until it is killed.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak.h"

struct shared *sh;
int me;
int from_fd, to_fd;
int pair_fd[2];
_Thread_local uint64_t seed;
_Thread_local int my_thread;

static pid_t member[PROCS]; /* of the first process: the others */

static void transfer(void)
{
	long sum = 0, amount = (long)below(100);
	unsigned int a = below(ACCOUNTS), b = below(ACCOUNTS);

	CHECK(!pthread_mutex_lock(&sh->bank));
	sh->account[a] -= amount;
	if (below(4) == 0)
		sched_yield();
	sh->account[b] += amount;
	if (below(4) == 0) {
		for (int i = 0; i < ACCOUNTS; i++)
			sum += sh->account[i];
		CHECK(sum == ACCOUNTS * MONEY);
	}
	CHECK(!pthread_mutex_unlock(&sh->bank));
}

struct start {
	int number;
	void *(*fn)(void *);
	void *arg;
};

static void *begin(void *arg)
{
	struct start *s = arg;

	my_thread = s->number;
	seed = 88172645463325252ull + (uint64_t)(me * THREADS + my_thread);
	return s->fn(s->arg);
}

static void start_threads(void)
{
	static struct start all[THREADS - 1] = {
		{ 1, player, (void *)0 },   { 2, player, (void *)1 },
		{ 3, pipe_writer, NULL },   { 4, pipe_reader, NULL },
		{ 5, socket_writer, NULL }, { 6, socket_reader, NULL },
		{ 7, mapper, NULL },	    { 8, forker, NULL },
		{ 9, signaller, NULL },
	};
	pthread_attr_t attr;
	pthread_t th;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (int i = 0; i < THREADS - 1; i++)
		CHECK(!pthread_create(&th, &attr, begin, &all[i]));
}

static void wait_for_all(long seen[PROCS][THREADS])
{
	for (int p = 0; p < PROCS; p++)
		for (int t = 0; t < THREADS; t++) {
			while (atomic_load(&sh->done[p][t]) == seen[p][t]) {
				transfer();
				step();
				CHECK(!atomic_load(&sh->failed));
				CHECK(!p || !waitpid(member[p], NULL, WNOHANG));
				nap();
			}
			seen[p][t] = atomic_load(&sh->done[p][t]);
		}
}

static void run_first(void)
{
	static long seen[PROCS][THREADS];
	char line[32];
	int n;

	for (int round = 1;; round++) {
		wait_for_all(seen);
		n = snprintf(line, sizeof(line), "round %d\n", round);
		CHECK(write(STDOUT_FILENO, line, (size_t)n) == n);
	}
}

static void make_shared(void)
{
	pthread_mutexattr_t attr;

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		exit(2);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	CHECK(!pthread_mutex_init(&sh->bank, &attr));
	for (int i = 0; i < ACCOUNTS; i++)
		sh->account[i] = MONEY;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = handler,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	int ring[PROCS][2], pair[PROCS / 2][2], i;
	pid_t parent = getpid();
	sigset_t set;

	if (argc > 1)
		return atoi(argv[1]);
	make_shared();
	for (i = 0; i < PROCS; i++)
		CHECK(!pipe(ring[i]));
	for (i = 0; i < PROCS / 2; i++)
		CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i]));
	sigemptyset(&set);
	sigaddset(&set, RT + 1);
	sigaddset(&set, RT + 2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(RT + 3, &sa, NULL);
	for (me = 1; me < PROCS; me++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			break;
		member[me] = pid;
	}
	if (me == PROCS)
		me = 0;
	else if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		return 1;
	from_fd = ring[me][0];
	to_fd = ring[(me + 1) % PROCS][1];
	memcpy(pair_fd, pair[me / 2], sizeof(pair_fd));
	for (i = 0; i < PROCS; i++) {
		if (i != me)
			close(ring[i][0]);
		if (i != (me + 1) % PROCS)
			close(ring[i][1]);
		if (i / 2 != me / 2 && i % 2 == 0) {
			close(pair[i / 2][0]);
			close(pair[i / 2][1]);
		}
	}
	close(pair_fd[!(me % 2)]);
	seed = 88172645463325252ull + (uint64_t)me * THREADS;
	start_threads();
	if (!me)
		run_first();
	for (;;) {
		transfer();
		step();
	}
}
