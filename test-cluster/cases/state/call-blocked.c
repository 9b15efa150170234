/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call-blocked.c - a thread waits in a system call all the while: it neither
 * comes back from it nor misses what it waits for
 */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "blocked.h"

static long do_read(void)
{
	char c;

	return read(fds[0], &c, 1);
}

STATE(blocked_read)
{
	CHECK(!pipe(fds));
	blocked(do_read);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static long do_readv(void)
{
	char a[2], b[2];
	struct iovec v[2] = { { a, 2 }, { b, 2 } };

	return readv(fds[0], v, 2);
}

STATE(blocked_readv)
{
	CHECK(!pipe(fds));
	blocked(do_readv);
	CHECK(write(fds[1], "xyz", 3) == 3);
	ends_with(3);
}

static long do_write(void)
{
	return write(fds[1], "x", 1);
}

STATE(blocked_write)
{
	static char full[4096];
	int i;

	CHECK(!pipe(fds));
	for (i = 0; i < 16; i++)
		CHECK(write(fds[1], full, 4096) == 4096);
	blocked(do_write);
	CHECK(read(fds[0], full, 4096) == 4096);
	ends_with(1);
}

static long do_poll(void)
{
	struct pollfd p = { .fd = fds[0], .events = POLLIN };

	return poll(&p, 1, HOUR * 1000);
}

STATE(blocked_poll)
{
	CHECK(!pipe(fds));
	blocked(do_poll);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static long do_ppoll(void)
{
	struct pollfd p = { .fd = fds[0], .events = POLLIN };
	struct timespec t = { HOUR, 0 };
	sigset_t set;

	sigemptyset(&set);
	return ppoll(&p, 1, &t, &set);
}

STATE(blocked_ppoll)
{
	CHECK(!pipe(fds));
	blocked(do_ppoll);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static long do_select(void)
{
	struct timeval t = { HOUR, 0 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	return select(fds[0] + 1, &set, NULL, NULL, &t);
}

STATE(blocked_select)
{
	CHECK(!pipe(fds));
	blocked(do_select);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

STATE(blocked_epoll)
{
	make_epoll();
	blocked(do_epoll);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static long do_epoll_forever(void)
{
	struct epoll_event e;
	sigset_t set;

	sigemptyset(&set);
	return epoll_pwait(epoll, &e, 1, -1, &set);
}

STATE(blocked_epoll_pwait)
{
	make_epoll();
	blocked(do_epoll_forever);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static long do_recv(void)
{
	char c[4];

	return recv(fds[0], c, sizeof(c), 0);
}

STATE(blocked_recv)
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	blocked(do_recv);
	CHECK(send(fds[1], "ab", 2, 0) == 2);
	ends_with(2);
}

static long do_recvmsg(void)
{
	char c[4];
	struct iovec v = { c, sizeof(c) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return recvmsg(fds[0], &m, 0);
}

STATE(blocked_recvmsg)
{
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	blocked(do_recvmsg);
	CHECK(send(fds[1], "abc", 3, 0) == 3);
	ends_with(3);
}

static long do_eventfd(void)
{
	uint64_t n;

	return read(fds[0], &n, 8) == 8 ? (long)n : -1;
}

STATE(blocked_eventfd)
{
	uint64_t n = 9;

	fds[0] = make_eventfd(0, 0);
	blocked(do_eventfd);
	CHECK(write(fds[0], &n, 8) == 8);
	ends_with(9);
}

static pid_t waited;
static int hold[2];

static void held_child(void)
{
	char c;

	close(hold[1]);
	CHECK(read(hold[0], &c, 1) == 0);
}

static long do_wait(void)
{
	return waitpid(waited, NULL, 0);
}

STATE(blocked_wait)
{
	CHECK(!pipe(hold));
	waited = child(held_child);
	blocked(do_wait);
	close(hold[1]);
	ends_with(waited);
}

static long do_waitid(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED) ? -1 : info.si_pid;
}

STATE(blocked_waitid)
{
	CHECK(!pipe(hold));
	waited = child(held_child);
	blocked(do_waitid);
	close(hold[1]);
	ends_with(waited);
}

static long do_flock(void)
{
	return flock(fds[1], LOCK_EX);
}

STATE(blocked_flock)
{
	fds[0] = open("blocked_flock.lock", O_RDWR | O_CREAT, 0666);
	fds[1] = open("blocked_flock.lock", O_RDWR);
	CHECK(!flock(fds[0], LOCK_EX));
	blocked(do_flock);
	CHECK(!flock(fds[0], LOCK_UN));
	ends_with(0);
}

/* A call that nobody waits for any more: the thread is cancelled in it. */
STATE(blocked_cancel)
{
	void *value;

	CHECK(!pipe(fds));
	blocked(do_read);
	CHECK(!pthread_cancel(thread));
	CHECK(!pthread_join(thread, &value));
	CHECK(value == PTHREAD_CANCELED);
}
