/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * careful.c - threads that watch registers, masks, sleeps, signals and calls
 *
 * Prints "ready", and a line for whatever differs from what it must be.
 * SIGTERM: exit status 7, once every thread has gone round again.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 7
#define MS 1000000L

static volatile long rounds[THREADS];
static volatile sig_atomic_t ticks, leaving;
static int ping[2], pong[2];

static void bad(const char *fmt, ...)
{
	char line[200];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	if (write(1, line, (size_t)n) != n)
		_exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The mask of this thread stays what it was made. */
static void check_mask(int who, const sigset_t *want)
{
	sigset_t is;

	sigprocmask(SIG_SETMASK, NULL, &is);
	if (memcmp(&is, want, 8))
		bad("thread %d: another signal mask", who);
	rounds[who]++;
}

static void spin(int who, const sigset_t *mask)
{
	register uint64_t a __asm__("rbx") = 0x1111, b __asm__("r12") = 0x2222,
		c __asm__("r13") = 0x3333, d __asm__("r14") = 0x4444;
	double x = 0.1, y = x * 3;
	long i;

	for (i = 0; i < 100000; i++) {
		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
		x = x * 1.5 / 1.5;
	}
	if (a != 0x1111 || b != 0x2222 || c != 0x3333 || d != 0x4444)
		bad("thread %d: another register", who);
	if (x * 3 != y)
		bad("thread %d: another result", who);
	check_mask(who, mask);
}

static void nap(int who, const sigset_t *mask)
{
	struct timespec t = { 0, 7 * MS };
	double t0 = now();

	if (who % 2 ? nanosleep(&t, NULL)
		    : clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL))
		bad("thread %d: sleep: %s", who, strerror(errno));
	if (now() - t0 < 0.007)
		bad("thread %d: slept %f s", who, now() - t0);
	check_mask(who, mask);
}

static void wait_poll(int who, const sigset_t *mask)
{
	double t0 = now();

	if (poll(NULL, 0, 5))
		bad("thread %d: poll: %s", who, strerror(errno));
	if (now() - t0 < 0.005)
		bad("thread %d: polled %f s", who, now() - t0);
	check_mask(who, mask);
}

static void play(int who, const sigset_t *mask)
{
	int in = who == 4 ? ping[0] : pong[0];
	int out = who == 4 ? pong[1] : ping[1];
	long v;

	if (read(in, &v, sizeof(v)) != sizeof(v))
		bad("thread %d: read: %s", who, strerror(errno));
	v++;
	if (write(out, &v, sizeof(v)) != sizeof(v))
		bad("thread %d: write: %s", who, strerror(errno));
	usleep(300);
	check_mask(who, mask);
}

/* The right way to wait for a signal: nobody may lose it. */
static void wait_tick(int who, const sigset_t *mask)
{
	sigset_t open = *mask;
	int before = ticks;

	sigdelset(&open, SIGALRM);
	while (ticks == before)
		sigsuspend(&open);
	check_mask(who, mask);
}

static void (*const jobs[THREADS])(int, const sigset_t *) = {
	wait_tick, nap, nap, wait_poll, play, play, spin
};

static void *run(void *arg)
{
	int who = (int)(long)arg;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGALRM);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGRTMIN + 1 + who);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	for (;;) {
		jobs[who](who, &mask);
		if (who == 0) {
			sigset_t waiting;

			if (waitpid(-1, NULL, __WALL) != -1 || errno != ECHILD)
				bad("a child");
			sigpending(&waiting);
			leaving |= sigismember(&waiting, SIGTERM);
			if (leaving)
				return NULL;
		}
	}
}

static void on_alarm(int sig)
{
	ticks++;
}

int main(void)
{
	struct itimerval every = { { 0, 3000 }, { 0, 3000 } };
	struct sigaction sa = { .sa_handler = on_alarm };
	pthread_t t[THREADS];
	long i, v = 0, seen[THREADS];
	sigset_t all;

	if (pipe(ping) || pipe(pong) || write(ping[1], &v, sizeof(v)) < 0)
		return 1;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigaction(SIGALRM, &sa, NULL);
	for (i = 1; i < THREADS; i++)
		pthread_create(&t[i], NULL, run, (void *)i);
	setitimer(ITIMER_REAL, &every, NULL);
	bad("ready");
	run(NULL);
	for (i = 0; i < THREADS; i++)
		seen[i] = rounds[i];
	for (i = 1; i < THREADS; i++)
		while (rounds[i] < seen[i] + 2)
			usleep(1000);
	return 7;
}
