/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-events.c - eventfd, signalfd, timerfd */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "state.h"

/* The counter keeps its value and is emptied by one read. */
STATE(eventfd_counter)
{
	int fd = make_eventfd(0, EFD_NONBLOCK);
	uint64_t n = 0x123456789abcULL;

	CHECK(fd >= 0 && write(fd, &n, 8) == 8);
	checkpoint();
	CHECK(read(fd, &n, 8) == 8 && n == 0x123456789abcULL);
	CHECK(read(fd, &n, 8) == -1 && errno == EAGAIN);
	CHECK(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK));
	CHECK(fcntl(fd, F_GETFD) == 0);
}

/* A semaphore gives one at a time. */
STATE(eventfd_semaphore)
{
	int fd = make_eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t n;
	int i;

	checkpoint();
	for (i = 0; i < 3; i++)
		CHECK(read(fd, &n, 8) == 8 && n == 1);
	CHECK(read(fd, &n, 8) == -1 && errno == EAGAIN);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
}

/* The largest value blocks writers. */
STATE(eventfd_full)
{
	int fd = make_eventfd(0, EFD_NONBLOCK);
	uint64_t n = UINT64_MAX - 1;

	CHECK(write(fd, &n, 8) == 8);
	checkpoint();
	n = 1;
	CHECK(write(fd, &n, 8) == -1 && errno == EAGAIN);
	CHECK(read(fd, &n, 8) == 8 && n == UINT64_MAX - 1);
}

/* Shared by fork() and dup(): one counter, one description. */
static int shared_fd, shared_dup;

static void shared_child(void)
{
	uint64_t n = 7;

	await_checkpoint();
	CHECK(write(shared_fd, &n, 8) == 8);
}

STATE(eventfd_shared)
{
	uint64_t n;
	pid_t pid;

	shared_fd = make_eventfd(5, 0);
	shared_dup = dup(shared_fd);
	pid = child(shared_child);
	checkpoint();
	join(pid);
	CHECK(same_description(shared_fd, shared_dup));
	CHECK(read(shared_dup, &n, 8) == 8 && n == 12);
}

/* A thread of another process that waits in read() is woken. */
static void waiting_child(void)
{
	uint64_t n;

	CHECK(read(shared_fd, &n, 8) == 8 && n == 9);
}

STATE(eventfd_waiting_reader)
{
	uint64_t n = 9;
	pid_t pid;

	shared_fd = make_eventfd(0, 0);
	pid = child(waiting_child);
	checkpoint();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	CHECK(write(shared_fd, &n, 8) == 8);
	join(pid);
}

static int signal_fd(int a, int b, int flags)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, a);
	sigaddset(&set, b);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, flags);
}

/* What was pending is read, in order, with its value. */
STATE(signalfd_pending)
{
	int fd = signal_fd(SIGUSR1, SIGRTMIN + 3, SFD_NONBLOCK);
	struct signalfd_siginfo info;
	union sigval v;
	int i;

	CHECK(fd >= 0);
	for (i = 0; i < 3; i++) {
		v.sival_int = 40 + i;
		CHECK(!sigqueue(getpid(), SIGRTMIN + 3, v));
	}
	CHECK(!kill(getpid(), SIGUSR1));
	checkpoint();
	CHECK(read(fd, &info, sizeof(info)) == sizeof(info));
	CHECK(info.ssi_signo == SIGUSR1);
	for (i = 0; i < 3; i++) {
		CHECK(read(fd, &info, sizeof(info)) == sizeof(info));
		CHECK((int)info.ssi_signo == SIGRTMIN + 3);
		CHECK(info.ssi_int == 40 + i);
	}
	CHECK(read(fd, &info, sizeof(info)) == -1 && errno == EAGAIN);
}

/* Its set of signals: others are not read, and it can be changed. */
STATE(signalfd_mask)
{
	int fd = signal_fd(SIGUSR1, SIGUSR2, SFD_NONBLOCK | SFD_CLOEXEC);
	struct signalfd_siginfo info;
	sigset_t set;

	signal_fd(SIGHUP, SIGHUP, 0);
	checkpoint();
	CHECK(!kill(getpid(), SIGHUP));
	CHECK(read(fd, &info, sizeof(info)) == -1 && errno == EAGAIN);
	CHECK(!kill(getpid(), SIGUSR2));
	CHECK(read(fd, &info, sizeof(info)) == sizeof(info));
	CHECK(info.ssi_signo == SIGUSR2 && info.ssi_pid == (uint32_t)getpid());
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	CHECK(signalfd(fd, &set, 0) == fd);
	CHECK(read(fd, &info, sizeof(info)) == sizeof(info));
	CHECK(info.ssi_signo == SIGHUP);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
}

/* A reader that waits in it gets the signal that comes afterwards. */
static void signal_child(void)
{
	struct signalfd_siginfo info;

	CHECK(read(shared_fd, &info, sizeof(info)) == sizeof(info));
	CHECK(info.ssi_signo == SIGUSR1);
}

STATE(signalfd_waiting_reader)
{
	pid_t pid;

	shared_fd = signal_fd(SIGUSR1, SIGUSR1, 0);
	pid = child(signal_child);
	checkpoint();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	CHECK(!kill(pid, SIGUSR1));
	join(pid);
}

#define S 1000000000LL

static int timer(clockid_t clock, int flags, int64_t value, int64_t interval)
{
	struct itimerspec it = { { interval / S, interval % S },
				 { value / S, value % S } };
	int fd = timerfd_create(clock, TFD_NONBLOCK);

	CHECK(fd >= 0);
	CHECK(!timerfd_settime(fd, flags, &it, NULL));
	return fd;
}

static int64_t remaining(int fd, int64_t *interval)
{
	struct itimerspec it;

	CHECK(!timerfd_gettime(fd, &it));
	if (interval)
		*interval = it.it_interval.tv_sec * S + it.it_interval.tv_nsec;
	return it.it_value.tv_sec * S + it.it_value.tv_nsec;
}

/* What remained goes on, the time of the restart does not count. */
STATE(timerfd_remaining)
{
	int fd = timer(CLOCK_MONOTONIC, 0, 100000 * S, 7 * S);
	int64_t interval, left;
	uint64_t n;

	checkpoint();
	left = remaining(fd, &interval);
	CHECK(left > 99000 * S && left <= 100000 * S);
	CHECK(interval == 7 * S);
	CHECK(read(fd, &n, 8) == -1 && errno == EAGAIN);
	CHECK(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK));
}

/* One that was never set. */
STATE(timerfd_disarmed)
{
	int fd = timer(CLOCK_BOOTTIME, 0, 0, 0);
	uint64_t n;

	checkpoint();
	CHECK(remaining(fd, NULL) == 0);
	CHECK(read(fd, &n, 8) == -1 && errno == EAGAIN);
}

/* It has expired and nobody has read that. */
STATE(timerfd_expired)
{
	int fd = timer(CLOCK_MONOTONIC, 0, 1, 0);
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t n;

	CHECK(poll(&p, 1, 50000) == 1);
	checkpoint();
	CHECK(remaining(fd, NULL) == 0);
	CHECK(read(fd, &n, 8) == 8 && n == 1);
	CHECK(read(fd, &n, 8) == -1 && errno == EAGAIN);
}

/* Expirations of an interval, unread, and the time to the next. */
STATE(timerfd_ticks)
{
	int fd = timer(CLOCK_MONOTONIC, 0, 1, 100000 * S);
	struct pollfd p = { fd, POLLIN, 0 };
	int64_t left;
	uint64_t n;

	CHECK(poll(&p, 1, 50000) == 1);
	checkpoint();
	left = remaining(fd, NULL);
	CHECK(left > 99000 * S && left <= 100000 * S);
	CHECK(read(fd, &n, 8) == 8 && n == 1);
}

/* A date stays a date. */
STATE(timerfd_realtime)
{
	int64_t at = now_ns(CLOCK_REALTIME) + 100000 * S, left, before;
	int fd = timer(CLOCK_REALTIME,
		       TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, at, 0);

	checkpoint();
	before = now_ns(CLOCK_REALTIME);
	left = remaining(fd, NULL);
	CHECK(before + left <= at + S);
	CHECK(now_ns(CLOCK_REALTIME) + left >= at - S);
}

/* A short one goes off by itself, in both lives. */
STATE(timerfd_goes_off)
{
	int fd = timer(CLOCK_MONOTONIC, 0, S / 5, S / 5);
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t n;

	checkpoint();
	CHECK(poll(&p, 1, 50000) == 1);
	CHECK(read(fd, &n, 8) == 8 && n >= 1);
	CHECK(poll(&p, 1, 50000) == 1);
}
