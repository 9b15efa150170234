/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-owner.c - who is told by which signal: F_SETOWN, F_SETSIG, O_ASYNC */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "state.h"

static volatile sig_atomic_t told;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	told = info->si_fd + 1;
}

STATE(owner_signal)
{
	struct sigaction sa = { .sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO };
	struct f_owner_ex owner;
	int s[2], i;

	sigaction(SIGRTMIN + 2, &sa, NULL);
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK(!fcntl(s[0], F_SETOWN, getpid()));
	CHECK(!fcntl(s[0], F_SETSIG, SIGRTMIN + 2));
	CHECK(!fcntl(s[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	checkpoint();
	CHECK(fcntl(s[0], F_GETFL) == (O_RDWR | O_ASYNC | O_NONBLOCK));
	CHECK(fcntl(s[0], F_GETOWN) == getpid());
	CHECK(fcntl(s[0], F_GETSIG) == SIGRTMIN + 2);
	CHECK(write(s[1], "x", 1) == 1);
	for (i = 0; i < 50000 && !told; i++)
		usleep(1000);
	CHECK(told == s[0] + 1);
	owner = (struct f_owner_ex){ F_OWNER_TID, getpid() };
	CHECK(!fcntl(s[0], F_SETOWN_EX, &owner));
}

/* A group is told; the signal is kept without an owner, too. */
STATE(owner_group)
{
	int p[2];

	CHECK(!pipe(p));
	CHECK(!fcntl(p[0], F_SETOWN, -getpgrp()));
	CHECK(!fcntl(p[1], F_SETSIG, SIGUSR2));
	checkpoint();
	CHECK(fcntl(p[0], F_GETOWN) == -getpgrp());
	CHECK(fcntl(p[1], F_GETSIG) == SIGUSR2 && !fcntl(p[1], F_GETOWN));
}

REFUSED(owner_outside, "sends its signals (F_SETOWN) to process")
{
	int p[2];

	CHECK(!pipe(p));
	CHECK(!fcntl(p[0], F_SETOWN, getppid()));
	checkpoint();
}

static void leads_group(void)
{
	int fd = open("group", O_WRONLY | O_CREAT, 0600);
	pid_t me = getpid();

	CHECK(!setpgid(0, 0) && write(fd, &me, sizeof(me)) == sizeof(me));
}

REFUSED(owner_outside_group, "(F_SETOWN) to group [0-9]*, .*; have")
{
	int p[2], fd;
	pid_t group;

	outsider(leads_group);
	fd = open("group", O_RDONLY);
	CHECK(read(fd, &group, sizeof(group)) == sizeof(group));
	CHECK(!pipe(p) && !fcntl(p[0], F_SETOWN, -group));
	checkpoint();
}

REFUSED(owner_outside_thread, "(F_SETOWN) to thread [0-9]*, .*; have")
{
	struct f_owner_ex owner = { F_OWNER_TID, getppid() };
	int p[2];

	CHECK(!pipe(p));
	CHECK(!fcntl(p[0], F_SETOWN_EX, &owner));
	checkpoint();
}

static volatile pid_t thread_id;
static volatile bool over;

static void *thread(void *arg)
{
	thread_id = gettid();
	while (!over)
		usleep(1000);
	return arg;
}

/* Not the first one: who it is, is known before the stop as well. */
STATE(owner_thread)
{
	struct f_owner_ex owner = { F_OWNER_TID, 0 };
	pthread_t t;
	int p[2];

	CHECK(!pthread_create(&t, NULL, thread, NULL));
	while (!thread_id)
		usleep(1000);
	owner.pid = thread_id;
	CHECK(!pipe(p) && !fcntl(p[0], F_SETOWN_EX, &owner));
	checkpoint();
	CHECK(!fcntl(p[0], F_GETOWN_EX, &owner));
	CHECK(owner.type == F_OWNER_TID && owner.pid == thread_id);
	over = true;
	CHECK(!pthread_join(t, NULL));
}
