/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sig-timers.c - interval timers and POSIX timers */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "state.h"

#define MS 1000000L

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught++;
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
}

static void unblock(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK(!sigprocmask(SIG_UNBLOCK, &set, NULL));
}

static bool is_pending(int sig)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, sig);
}

static void wait_caught(int n)
{
	struct timespec nap = { 0, MS };
	int i;

	for (i = 0; i < 20000 && caught < n; i++)
		nanosleep(&nap, NULL);
	CHECK(caught >= n);
}

/* Its signal waits: nothing remains of it, and yet it goes on. */
STATE(itimer_expired)
{
	struct itimerval t = { { 0, 5000 }, { 0, 5000 } };

	signal(SIGALRM, on_signal);
	block(SIGALRM);
	CHECK(!setitimer(ITIMER_REAL, &t, NULL));
	while (!is_pending(SIGALRM))
		usleep(1000);
	checkpoint();
	CHECK(is_pending(SIGALRM) && !caught);
	unblock(SIGALRM);
	wait_caught(4);
}

/* Ended for good, its signal ignored: it stays so. */
STATE(itimer_ended)
{
	struct itimerval t = { { 0, 0 }, { 0, 5000 } };

	signal(SIGALRM, SIG_IGN);
	CHECK(!setitimer(ITIMER_REAL, &t, NULL));
	do
		CHECK(!getitimer(ITIMER_REAL, &t));
	while (t.it_value.tv_usec);
	checkpoint();
	CHECK(!getitimer(ITIMER_REAL, &t));
	CHECK(!t.it_value.tv_sec && !t.it_value.tv_usec &&
	      !t.it_interval.tv_sec && !t.it_interval.tv_usec);
	CHECK(!is_pending(SIGALRM));
}

STATE(itimer_remaining)
{
	struct itimerval t = { { 77, 5 }, { 5000, 0 } };

	CHECK(!setitimer(ITIMER_REAL, &t, NULL));
	checkpoint();
	CHECK(!getitimer(ITIMER_REAL, &t));
	CHECK(t.it_value.tv_sec > 4000 && t.it_value.tv_sec <= 5000);
	CHECK(t.it_interval.tv_sec == 77 && t.it_interval.tv_usec >= 5 &&
	      t.it_interval.tv_usec <= 4005);
}

STATE(itimer_virtual)
{
	struct itimerval t = { { 0, 0 }, { 100, 0 } }, v;

	CHECK(!setitimer(ITIMER_VIRTUAL, &t, NULL));
	CHECK(!setitimer(ITIMER_PROF, &t, NULL));
	checkpoint();
	CHECK(!getitimer(ITIMER_VIRTUAL, &v));
	CHECK(v.it_value.tv_sec >= 90 && v.it_value.tv_sec <= 100);
	CHECK(!getitimer(ITIMER_PROF, &v));
	CHECK(v.it_value.tv_sec >= 90 && v.it_value.tv_sec <= 100);
}

/* The ids are what the program keeps; there are holes between them. */
STATE(timer_ids)
{
	timer_t t[6];
	struct itimerspec far = { { 0, 0 }, { 1000, 0 } }, v;
	int i;

	for (i = 0; i < 6; i++)
		CHECK(!timer_create(CLOCK_MONOTONIC, NULL, &t[i]));
	CHECK(!timer_delete(t[0]) && !timer_delete(t[3]));
	CHECK(!timer_settime(t[4], 0, &far, NULL));
	checkpoint();
	CHECK(!timer_gettime(t[4], &v) && v.it_value.tv_sec > 500);
	CHECK(!timer_gettime(t[5], &v) && !v.it_value.tv_sec);
	CHECK(timer_gettime(t[0], &v) == -1 && timer_gettime(t[3], &v) == -1);
}

/* An expired one whose signal waits, with its value and overruns. */
STATE(timer_pending)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGRTMIN + 3,
			       .sigev_value.sival_int = 4711 };
	struct itimerspec soon = { { 0, 0 }, { 0, MS } }, v;
	struct timespec none = { 0, 0 };
	siginfo_t info;
	sigset_t set;
	timer_t t;

	block(SIGRTMIN + 3);
	CHECK(!timer_create(CLOCK_MONOTONIC, &ev, &t));
	CHECK(!timer_settime(t, 0, &soon, NULL));
	while (!is_pending(SIGRTMIN + 3))
		usleep(1000);
	checkpoint();
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	CHECK(sigtimedwait(&set, &info, &none) == SIGRTMIN + 3);
	CHECK(info.si_value.sival_int == 4711 && info.si_code == SI_TIMER);
	CHECK(sigtimedwait(&set, &info, &none) == -1 && errno == EAGAIN);
	CHECK(!timer_gettime(t, &v) && !v.it_value.tv_nsec);
}

/* A periodic one goes on, and to the thread that it is for. */
STATE(timer_thread)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID,
			       .sigev_signo = SIGRTMIN + 4 };
	struct itimerspec every = { { 0, 3 * MS }, { 0, 3 * MS } };
	timer_t t;

	signal(SIGRTMIN + 4, on_signal);
	ev._sigev_un._tid = (int)syscall(SYS_gettid);
	CHECK(!timer_create(CLOCK_MONOTONIC, &ev, &t));
	CHECK(!timer_settime(t, 0, &every, NULL));
	checkpoint();
	caught = 0;
	wait_caught(3);
}

/* Clocks that only run while the process does. */
STATE(timer_cpu)
{
	struct itimerspec v = { { 0, 0 }, { 500, 0 } };
	timer_t t;

	CHECK(!timer_create(CLOCK_PROCESS_CPUTIME_ID, NULL, &t));
	CHECK(!timer_settime(t, 0, &v, NULL));
	checkpoint();
	CHECK(!timer_gettime(t, &v));
	CHECK(v.it_value.tv_sec > 400 && v.it_value.tv_sec <= 500);
}

static void *cpu_timer_thread(void *arg)
{
	timer_t *t = arg;
	struct itimerspec v = { { 0, 0 }, { 500, 0 } };

	CHECK(!timer_create(CLOCK_THREAD_CPUTIME_ID, NULL, t));
	CHECK(!timer_settime(*t, 0, &v, NULL));
	pause();
	return NULL;
}

/* Which thread's time it counts the kernel does not tell. */
REFUSED(timer_thread_cpu, "of a thread's processor time")
{
	static volatile timer_t t;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, cpu_timer_thread, (void *)&t));
	usleep(10000);
	checkpoint();
}

static void *clock_thread(void *arg)
{
	pause();
	return NULL;
}

/* The clock is named by the thread. */
STATE(timer_thread_clock)
{
	struct itimerspec v = { { 0, 0 }, { 500, 0 } };
	pthread_t thread;
	clockid_t clock;
	timer_t t;

	CHECK(!pthread_create(&thread, NULL, clock_thread, NULL));
	CHECK(!pthread_getcpuclockid(thread, &clock));
	CHECK(!timer_create(clock, NULL, &t));
	CHECK(!timer_settime(t, 0, &v, NULL));
	checkpoint();
	CHECK(!timer_gettime(t, &v));
	CHECK(v.it_value.tv_sec > 400 && v.it_value.tv_sec <= 500);
}

STATE(timer_own_cpu)
{
	struct itimerspec v = { { 0, 0 }, { 500, 0 } };
	timer_t t;

	CHECK(!timer_create(CLOCK_THREAD_CPUTIME_ID, NULL, &t));
	CHECK(!timer_settime(t, 0, &v, NULL));
	checkpoint();
	CHECK(!timer_gettime(t, &v));
	CHECK(v.it_value.tv_sec > 400 && v.it_value.tv_sec <= 500);
}

static volatile pid_t timed;
static volatile bool may_end;

static void *have_timer(void *arg)
{
	timed = (pid_t)syscall(SYS_gettid);
	while (!may_end)
		usleep(1000);
	return NULL;
}

/* It signals a thread that has ended: nobody, but it counts on. */
STATE(timer_of_ended_thread)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD_ID,
			      .sigev_signo = SIGRTMIN };
	struct itimerspec t = { { 5000, 0 }, { 5000, 0 } };
	timer_t timer, other;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, have_timer, NULL));
	while (!timed)
		usleep(1000);
	e._sigev_un._tid = timed;
	CHECK(!timer_create(CLOCK_MONOTONIC, &e, &timer));
	CHECK(!timer_create(CLOCK_MONOTONIC, &e, &other));
	CHECK(!timer_settime(timer, 0, &t, NULL));
	CHECK(!timer_settime(other, 0, &t, NULL));
	CHECK(!timer_delete(other));
	may_end = true;
	pthread_join(thread, NULL);
	checkpoint();
	CHECK(!timer_gettime(timer, &t));
	CHECK(t.it_interval.tv_sec == 5000 && t.it_value.tv_sec > 4000);
	CHECK(timer_gettime(other, &t) < 0);
}
