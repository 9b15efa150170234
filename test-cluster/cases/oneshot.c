/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oneshot.c - one-shot timers, each set anew only when its signal has come:
 * a signal that is lost or comes twice is noticed
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define US 80

static atomic_ulong laps[3];
static atomic_int quit;

static void bad(const char *what, int i)
{
	dprintf(2, "%s, timer %d, lap %lu errno %d\n", what, i, laps[i], errno);
	_exit(1);
}

static void wait_for(int i, int sig)
{
	struct timespec t = {10, 0};
	siginfo_t si;
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	if (sigtimedwait(&s, &si, &t) != sig)
		bad("signal lost", i);
	t.tv_sec = 0;
	if (sigtimedwait(&s, &si, &t) == sig)
		bad("signal came twice", i);
	laps[i]++;
}

static void *posix(void *arg)
{
	int i = (int)(long)arg;
	struct sigevent ev = {.sigev_signo = SIGRTMIN + i};
	struct itimerspec v = {{0, 0}, {0, US * 1000}};
	timer_t id;

	ev.sigev_notify = i == 1 ? SIGEV_THREAD_ID : SIGEV_SIGNAL;
	ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &ev, &id))
		bad("timer_create", i);
	while (!quit) {
		timer_settime(id, 0, &v, NULL);
		wait_for(i, SIGRTMIN + i);
	}
	return NULL;
}

static void *alarm_clock(void *arg)
{
	struct itimerval v = {{0, 0}, {0, US}};

	while (!quit) {
		setitimer(ITIMER_REAL, &v, NULL);
		wait_for(0, SIGALRM);
	}
	return arg;
}

static void on_term(int sig)
{
	quit = sig;
}

int main(void)
{
	unsigned long before;
	pthread_t th[3];
	sigset_t s;
	long i, k;

	signal(SIGTERM, on_term);
	sigfillset(&s);
	sigdelset(&s, SIGTERM);
	sigprocmask(SIG_SETMASK, &s, NULL);
	sigaddset(&s, SIGTERM);
	pthread_create(&th[0], NULL, alarm_clock, NULL);
	pthread_create(&th[1], NULL, posix, (void *)1L);
	pthread_create(&th[2], NULL, posix, (void *)2L);
	if (write(1, "ready\n", 6) != 6)
		return 1;
	while (!quit)
		for (i = 0; i < 3; i++) {
			before = laps[i];
			for (k = 0; !quit && laps[i] == before; k++) {
				if (k > 20000)
					bad("stands still", (int)i);
				usleep(1000);
			}
		}
	for (i = 0; i < 3; i++)
		pthread_join(th[i], NULL);
	return 7;
}
