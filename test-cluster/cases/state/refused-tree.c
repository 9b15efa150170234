/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refused-tree.c - trees that cannot be saved */
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#include "state.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

REFUSED(time_namespace_apart, "in another time namespace than process .*; ch")
{
	pid_t pid;

	/* for the children to come */
	if (unshare(CLONE_NEWTIME))
		skip("time namespaces");
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		await_checkpoint();
		_exit(0);
	}
	checkpoint();
	join(pid);
}

static void *stays(void *arg)
{
	checkpoint();
	exit(0);
}

REFUSED(main_ended_too_old, "its main thread has ended .*; use Linux 6.9 or")
{
	pthread_t t;

	if (syscall(SYS_pidfd_open, getpid(), O_EXCL) >= 0)
		skip("a kernel before 6.9");
	CHECK(!pthread_create(&t, NULL, stays, NULL));
	syscall(SYS_exit, 0);
}
