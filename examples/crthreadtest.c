/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crthreadtest.c - two generations of two threads
 *
 * Main prints its pid, makes two threads, joins them, prints its pid and the
 * ids that they stored, makes two more, joins them and returns 7.  Each
 * thread prints its iteration, its id and the signals it has blocked, ten
 * times; an argument is the pause between two, in milliseconds (1000).
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ITERATIONS 10

static struct timespec pause_time = { 1, 0 };
static pid_t ids[2];

static void print_blocked(void)
{
	sigset_t blocked;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	for (int sig = 1; sig < 32; sig++)
		if (sigismember(&blocked, sig))
			printf(" %d", sig);
}

static void *run(void *arg)
{
	pid_t *id = arg;

	*id = gettid();
	for (int i = 0; i < ITERATIONS; i++) {
		struct timespec left = pause_time;

		flockfile(stdout);
		printf("iteration %d, thread %d, blocked:", i, gettid());
		print_blocked();
		printf("\n");
		fflush(stdout);
		funlockfile(stdout);
		nanosleep(&left, &left);
	}
	return NULL;
}

static void generation(void)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, run, &ids[i]))
			exit(1);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		long ms = atol(argv[1]);

		pause_time.tv_sec = ms / 1000;
		pause_time.tv_nsec = ms % 1000 * 1000000;
	}
	printf("main %d\n", getpid());
	fflush(stdout);
	generation();
	printf("main %d, threads %d %d\n", getpid(), ids[0], ids[1]);
	fflush(stdout);
	generation();
	return 7;
}
