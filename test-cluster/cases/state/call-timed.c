/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call-timed.c - a thread that waits for a limited time still has what it
 * waits for, and is interrupted as ever; when it is over, see case 0709
 */
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>

#include "blocked.h"

#define MANY 20

static long do_recv(void)
{
	char c[4];

	return recv(fds[0], c, sizeof(c), 0);
}

static void give_hour(int fd)
{
	struct timeval t = { HOUR, 0 };

	CHECK(!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
}

STATE(timed_recv)
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	give_hour(fds[0]);
	blocked(do_recv);
	CHECK(send(fds[1], "ab", 2, 0) == 2);
	ends_with(2);
}

/* The other side goes: that is no data, nor a time-out. */
STATE(timed_recv_end)
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	give_hour(fds[0]);
	blocked(do_recv);
	CHECK(!close(fds[1]));
	ends_with(0);
}

static long do_accept(void)
{
	return accept(fds[0], NULL, NULL) >= 0;
}

STATE(timed_accept)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	/* no TIME_WAIT at the end, which the restart would wait for */
	struct linger reset = { 1, 0 };
	socklen_t len = sizeof(a);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &reset,
			  sizeof(reset)));
	CHECK(!bind(fds[0], (struct sockaddr *)&a, len) && !listen(fds[0], 1));
	CHECK(!getsockname(fds[0], (struct sockaddr *)&a, &len));
	give_hour(fds[0]);
	blocked(do_accept);
	CHECK(!connect(fds[1], (struct sockaddr *)&a, len));
	ends_with(1);
}

static int set;

static long do_semtimedop(void)
{
	struct sembuf op = { 0, -1, 0 };
	struct timespec t = { HOUR, 0 };

	return semtimedop(set, &op, 1, &t);
}

STATE(timed_semtimedop)
{
	set = semget(IPC_PRIVATE, 1, 0600);
	CHECK(set >= 0 && !semctl(set, 0, SETVAL, 0));
	blocked(do_semtimedop);
	CHECK(!semctl(set, 0, SETVAL, 1));
	ends_with(0);
	CHECK(semctl(set, 0, GETVAL) == 0 && !semctl(set, 0, IPC_RMID));
}

static volatile int handled;

static void on_usr1(int sig)
{
	handled++;
}

/* No handler lets it go on, not even with SA_RESTART. */
STATE(timed_interrupted)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	make_epoll();
	blocked(do_epoll);
	CHECK(!pthread_kill(thread, SIGUSR1));
	ends_with(-1);
	CHECK(result_errno == EINTR && handled == 1);
}

static volatile int cleaned;

static void clean(void *arg)
{
	cleaned = 1;
}

static long do_cleaned(void)
{
	long r;

	pthread_cleanup_push(clean, NULL);
	r = do_epoll();
	pthread_cleanup_pop(0);
	return r;
}

STATE(timed_cancel)
{
	void *value;

	make_epoll();
	blocked(do_cleaned);
	CHECK(!pthread_cancel(thread));
	CHECK(!pthread_join(thread, &value));
	CHECK(value == PTHREAD_CANCELED && cleaned);
}

static int ends[MANY][2];
static volatile int asleep[MANY];

static void *poll_one(void *arg)
{
	int *end = arg;
	struct pollfd p = { .fd = end[0], .events = POLLIN };

	asleep[(int(*)[2])arg - ends] = (int)syscall(SYS_gettid);
	return poll(&p, 1, HOUR * 1000) == 1 ? arg : NULL;
}

/* Each comes back from its own wait. */
STATE(timed_many)
{
	pthread_t threads[MANY];
	void *value;
	int i;

	for (i = 0; i < MANY; i++) {
		CHECK(!pipe(ends[i]));
		CHECK(!pthread_create(&threads[i], NULL, poll_one, ends[i]));
	}
	for (i = 0; i < MANY; i++)
		while (!asleep[i] || !sleeps(asleep[i]))
			usleep(1000);
	checkpoint();
	for (i = MANY - 1; i >= 0; i--) {
		CHECK(write(ends[i][1], "x", 1) == 1);
		CHECK(!pthread_join(threads[i], &value));
		CHECK(value == ends[i]);
	}
}
