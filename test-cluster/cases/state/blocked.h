/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blocked.h - a thread that waits in a system call over the checkpoint */
#ifndef BLOCKED_H
#define BLOCKED_H

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "state.h"

#define HOUR 3600

static volatile long result, result_errno;
static volatile pid_t tid;
static volatile int came_back;
static pthread_t thread;
static int fds[2] __attribute__((unused));

static inline void *body(void *arg)
{
	long (*fn)(void) = (long (*)(void))arg;

	tid = (pid_t)syscall(SYS_gettid);
	errno = 0;
	result = fn();
	result_errno = errno;
	came_back = 1;
	return NULL;
}

static inline bool sleeps(pid_t id)
{
	char path[64], line[300] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", id);
	f = fopen(path, "re");
	if (!f)
		return false;
	end = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return end && end[2] == 'S';
}

/* fn is called by a thread of its own. */
static inline void start_blocked(long (*fn)(void))
{
	CHECK(!pthread_create(&thread, NULL, body, (void *)fn));
}

/* It waits, and goes on waiting over the checkpoint. */
static inline void blocked_now(void)
{
	while (!tid || !sleeps(tid))
		usleep(1000);
	checkpoint();
	usleep(20000);
	if (came_back)
		errno = (int)result_errno;
	if (came_back)
		fail_at(__FILE__, __LINE__, "it came back");
}

static inline void blocked(long (*fn)(void))
{
	start_blocked(fn);
	blocked_now();
}

/* Now it has what it waits for. */
static inline void ends_with(long want)
{
	CHECK(!pthread_join(thread, NULL));
	errno = (int)result_errno;
	if (result != want)
		fail_at(__FILE__, __LINE__, "its result");
}

static int epoll __attribute__((unused));

/* Has one end of a pipe, and nothing to tell. */
static inline void make_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	CHECK(!pipe(fds));
	epoll = epoll_create1(0);
	CHECK(epoll >= 0 && !epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &e));
}

static inline long do_epoll(void)
{
	struct epoll_event e;

	return epoll_wait(epoll, &e, 1, HOUR * 1000);
}

#endif
