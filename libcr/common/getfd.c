/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* getfd.c - a duplicate of a descriptor of another process */
#include "common/getfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREAD O_EXCL /* PIDFD_THREAD: any thread, not only the main thread */

int cr_getfd(pid_t tid, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, tid, 0), copy;

	if (pidfd < 0 && (errno == EINVAL || errno == ENOENT))
		pidfd = (int)syscall(SYS_pidfd_open, tid, THREAD);
	if (pidfd < 0)
		return -errno;
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy < 0)
		copy = -errno;
	close(pidfd);
	return copy;
}

bool cr_getfd_of_threads(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, gettid(), THREAD);

	if (pidfd >= 0)
		close(pidfd);
	return pidfd >= 0;
}
