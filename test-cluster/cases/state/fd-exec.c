/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-exec.c - descriptors that another program has been given by execve(2) */
#include <sys/socket.h>

#include "state.h"

/*
 * cat has what was left open to it, shares the offset of a file with us, and
 * has none of the others.
 */
STATE(exec_descriptors)
{
	int s[2], hidden[2], fd, status;
	char path[64], buf[16] = "";
	pid_t pid;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK(!pipe2(hidden, O_CLOEXEC));
	fd = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, "0123456789", 10) == 10);
	CHECK(lseek(fd, 4, SEEK_SET) == 4);
	pid = fork();
	if (!pid) {
		dup2(s[1], 0);
		dup2(s[1], 1);
		close(s[0]);
		close(s[1]);
		execlp("cat", "cat", (char *)NULL);
		_exit(1);
	}
	close(s[1]);
	CHECK(write(s[0], "one", 3) == 3 && read(s[0], buf, 16) == 3);
	CHECK(write(hidden[1], "h", 1) == 1);
	checkpoint();
	CHECK(write(s[0], "three", 5) == 5 && read(s[0], buf, 16) == 5);
	CHECK(!memcmp(buf, "three", 5));
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, hidden[0]);
	CHECK(access(path, F_OK) == -1 && errno == ENOENT);
	CHECK(fcntl(hidden[0], F_GETFD) == FD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	CHECK(!access(path, F_OK));
	CHECK(lseek(fd, 0, SEEK_CUR) == 4 && fcntl(fd, F_GETFD) == 0);
	CHECK(!shutdown(s[0], SHUT_WR));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(read(s[0], buf, 16) == 0);
}
