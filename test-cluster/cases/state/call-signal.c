/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call-signal.c - a thread that waits for signals, or is interrupted by one */
#include <pthread.h>
#include <time.h>

#include "blocked.h"

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
}

static long do_sigwait(void)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigwaitinfo(&set, &info) == SIGUSR1 ? info.si_value.sival_int
						   : -1;
}

STATE(blocked_sigwaitinfo)
{
	block(SIGUSR1);
	blocked(do_sigwait);
	CHECK(!pthread_sigqueue(thread, SIGUSR1,
				(union sigval){ .sival_int = 31 }));
	ends_with(31);
}

static long do_sigtimedwait(void)
{
	struct timespec t = { HOUR, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigtimedwait(&set, NULL, &t);
}

STATE(blocked_sigtimedwait)
{
	block(SIGUSR1);
	blocked(do_sigtimedwait);
	CHECK(!pthread_kill(thread, SIGUSR1));
	ends_with(SIGUSR1);
}

static volatile int handled;

static void on_usr1(int sig)
{
	handled++;
}

static long do_sigsuspend(void)
{
	sigset_t set, now;
	int r, e;

	sigemptyset(&set);
	r = sigsuspend(&set);
	e = errno;
	sigprocmask(SIG_BLOCK, NULL, &now);
	return r == -1 && e == EINTR && handled == 1 &&
	       sigismember(&now, SIGUSR1);
}

STATE(blocked_sigsuspend)
{
	signal(SIGUSR1, on_usr1);
	block(SIGUSR1);
	blocked(do_sigsuspend);
	CHECK(!pthread_kill(thread, SIGUSR1));
	ends_with(1);
}

static long do_pause(void)
{
	return pause() == -1 && errno == EINTR && handled == 1;
}

STATE(blocked_pause)
{
	signal(SIGUSR1, on_usr1);
	blocked(do_pause);
	CHECK(!pthread_kill(thread, SIGUSR1));
	ends_with(1);
}

/* Ended by a signal, a sleep tells what was left of it. */
static struct timespec left;

static long do_nanosleep(void)
{
	struct timespec t = { HOUR, 0 };

	return nanosleep(&t, &left) == -1 && errno == EINTR;
}

STATE(blocked_nanosleep)
{
	signal(SIGUSR1, on_usr1);
	blocked(do_nanosleep);
	CHECK(!pthread_kill(thread, SIGUSR1));
	ends_with(1);
	CHECK(left.tv_sec > HOUR - 600 && left.tv_sec <= HOUR);
}

static long do_sleep_until(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += HOUR;
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

STATE(blocked_sleep_until)
{
	signal(SIGUSR1, on_usr1);
	blocked(do_sleep_until);
	CHECK(!pthread_kill(thread, SIGUSR1));
	ends_with(EINTR);
}

static long do_read(void)
{
	char c;

	return read(fds[0], &c, 1);
}

/* SA_RESTART: the handler runs and the call goes on. */
STATE(blocked_sa_restart)
{
	struct sigaction sa = { .sa_handler = on_usr1,
				.sa_flags = SA_RESTART };

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	CHECK(!pipe(fds));
	blocked(do_read);
	CHECK(!pthread_kill(thread, SIGUSR1));
	while (!handled)
		usleep(1000);
	CHECK(!came_back);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}
