/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-epoll.c - epoll instances with what they watch */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "state.h"

static void add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
}

/* One event, with this data. */
static uint32_t event(int ep, uint64_t data)
{
	struct epoll_event ev[4];

	CHECK(epoll_wait(ep, ev, 4, 50000) == 1);
	CHECK(ev[0].data.u64 == data);
	return ev[0].events;
}

static bool quiet(int ep)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, 0) == 0;
}

static void tick(int fd)
{
	uint64_t n = 1;

	CHECK(write(fd, &n, 8) == 8);
}

static void untick(int fd)
{
	uint64_t n;

	CHECK(read(fd, &n, 8) == 8);
}

/* Events, data and flags of several entries. */
STATE(epoll_entries)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), fd[2], ev = make_eventfd(0, 0);
	struct epoll_event change = { .events = EPOLLIN, .data.u64 = 3 };

	CHECK(!pipe(fd));
	add(ep, fd[0], EPOLLIN, 0x123456789abcdef0ULL);
	add(ep, ev, EPOLLIN, 2);
	checkpoint();
	CHECK(fcntl(ep, F_GETFD) == FD_CLOEXEC);
	CHECK(quiet(ep));
	CHECK(write(fd[1], "x", 1) == 1);
	CHECK(event(ep, 0x123456789abcdef0ULL) == EPOLLIN);
	CHECK(read(fd[0], &change.data, 1) == 1);
	change.data.u64 = 3;
	CHECK(quiet(ep));
	CHECK(!epoll_ctl(ep, EPOLL_CTL_MOD, ev, &change));
	tick(ev);
	event(ep, 3);
	untick(ev);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, ev, &change) == -1 &&
	      errno == EEXIST);
	CHECK(!epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL));
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL) == -1 &&
	      errno == ENOENT);
}

/* What was ready is reported; level-triggered again and again. */
STATE(epoll_ready)
{
	int ep = epoll_create1(0), ev = make_eventfd(1, 0);

	add(ep, ev, EPOLLIN, 5);
	checkpoint();
	event(ep, 5);
	event(ep, 5);
	untick(ev);
	CHECK(quiet(ep));
}

/* A waiter in epoll_wait() goes on waiting and is woken. */
static int wait_ep, wait_ev;

static void waiter(void)
{
	struct epoll_event ev;

	CHECK(epoll_wait(wait_ep, &ev, 1, -1) == 1 && ev.data.u64 == 8);
}

STATE(epoll_waiter)
{
	pid_t pid;

	wait_ep = epoll_create1(0);
	wait_ev = make_eventfd(0, 0);
	add(wait_ep, wait_ev, EPOLLIN, 8);
	pid = child(waiter);
	checkpoint();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	tick(wait_ev);
	join(pid);
}

/* Edge-triggered: a new edge is reported. */
STATE(epoll_edge)
{
	int ep = epoll_create1(0), ev = make_eventfd(0, 0);

	add(ep, ev, EPOLLIN | EPOLLET, 6);
	checkpoint();
	CHECK(quiet(ep));
	tick(ev);
	event(ep, 6);
	CHECK(quiet(ep));
	tick(ev);
	event(ep, 6);
}

/* EPOLLONESHOT: armed, it fires once. */
STATE(epoll_oneshot)
{
	int ep = epoll_create1(0), ev = make_eventfd(0, 0);

	add(ep, ev, EPOLLIN | EPOLLONESHOT, 6);
	checkpoint();
	tick(ev);
	event(ep, 6);
	CHECK(quiet(ep));
}

/* EPOLLONESHOT that has fired stays silent until it is armed again. */
STATE(epoll_oneshot_fired)
{
	int ep = epoll_create1(0), ev = make_eventfd(1, 0), other = make_eventfd(1, 0);
	struct epoll_event again = { .events = EPOLLIN, .data.u64 = 7 };

	add(ep, ev, EPOLLIN | EPOLLONESHOT, 6);
	event(ep, 6);
	add(ep, other, EPOLLIN, 9);
	checkpoint();
	CHECK(event(ep, 9) == EPOLLIN);
	untick(other);
	CHECK(quiet(ep));
	CHECK(!epoll_ctl(ep, EPOLL_CTL_MOD, ev, &again));
	event(ep, 7);
}

/* One that has fired, on something that is not ready for anything. */
REFUSED(epoll_oneshot_lost, "EPOLLONESHOT entry that has fired")
{
	int ep = epoll_create1(0), fd[2];
	char c;

	CHECK(!pipe(fd) && write(fd[1], "x", 1) == 1);
	add(ep, fd[0], EPOLLIN | EPOLLONESHOT, 6);
	event(ep, 6);
	CHECK(read(fd[0], &c, 1) == 1);
	checkpoint();
	CHECK(write(fd[1], "x", 1) == 1);
	CHECK(quiet(ep));
}

/* An entry lives on under a number that is closed, or another file's. */
STATE(epoll_closed_number)
{
	int ep = epoll_create1(0), ev = make_eventfd(0, 0), other, copy;

	add(ep, ev, EPOLLIN, 4);
	copy = dup(ev);
	close(ev);
	other = make_eventfd(0, 0);
	CHECK(other == ev);
	add(ep, other, EPOLLIN, 5);
	checkpoint();
	tick(copy);
	event(ep, 4);
	untick(copy);
	CHECK(quiet(ep));
	tick(other);
	event(ep, 5);
}

/* The target is open only outside of what is saved, in an orphan. */
REFUSED(epoll_target_outside, "open only outside of the processes")
{
	int ep = epoll_create1(0), ev = make_eventfd(0, 0);

	add(ep, ev, EPOLLIN, 4);
	if (fork() == 0) {
		setsid();
		if (fork() == 0)
			await_checkpoint();
		_exit(0);
	}
	wait(NULL);
	close(ev);
	checkpoint();
}

/* An epoll instance in an epoll instance. */
STATE(epoll_nested)
{
	int outer = epoll_create1(0), inner = epoll_create1(0);
	int ev = make_eventfd(0, 0);

	add(outer, inner, EPOLLIN, 1);
	add(inner, ev, EPOLLIN, 2);
	checkpoint();
	CHECK(quiet(outer) && quiet(inner));
	tick(ev);
	event(outer, 1);
	event(inner, 2);
}

/* A signalfd in an epoll instance wakes for the signals of its process. */
STATE(epoll_signalfd)
{
	int ep = epoll_create1(0), fd;
	struct signalfd_siginfo info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, 0);
	add(ep, fd, EPOLLIN, 11);
	checkpoint();
	CHECK(quiet(ep));
	kill(getpid(), SIGUSR1);
	event(ep, 11);
	CHECK(read(fd, &info, sizeof(info)) == sizeof(info));
	CHECK(info.ssi_signo == SIGUSR1);
}

/* A timer in an epoll instance. */
STATE(epoll_timerfd)
{
	struct itimerspec it = { { 0, 0 }, { 0, 200000000 } };
	int ep = epoll_create1(0);
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	add(ep, fd, EPOLLIN, 12);
	CHECK(!timerfd_settime(fd, 0, &it, NULL));
	checkpoint();
	event(ep, 12);
	untick(fd);
	CHECK(quiet(ep));
}

/* A hundred entries. */
STATE(epoll_many)
{
	int ep = epoll_create1(0), fd[100], i;

	for (i = 0; i < 100; i++) {
		fd[i] = make_eventfd(0, 0);
		add(ep, fd[i], EPOLLIN, (uint64_t)i << 40);
	}
	checkpoint();
	for (i = 0; i < 100; i++) {
		tick(fd[i]);
		event(ep, (uint64_t)i << 40);
		untick(fd[i]);
	}
	CHECK(quiet(ep));
}

struct params {
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer, pad;
};

/* How it asks the devices of the network (since Linux 6.9). */
STATE(epoll_busy)
{
	int ep = epoll_create1(0), ev = make_eventfd(0, 0);
	struct params p = { 50, 8, 1, 0 }, is = { 0 };

	if (ioctl(ep, _IOW(0x8a, 1, struct params), &p))
		skip("EPIOCSPARAMS");
	add(ep, ev, EPOLLIN, 7);
	checkpoint();
	CHECK(!ioctl(ep, _IOR(0x8a, 2, struct params), &is));
	CHECK(is.usecs == 50 && is.budget == 8 && is.prefer);
	tick(ev);
	event(ep, 7);
	untick(ev);
}
