/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-proc.c - pidfds, and files of /proc about processes of the tree */
#include <dirent.h>
#include <poll.h>
#include <sys/syscall.h>

#include "state.h"

static int pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	CHECK(fd >= 0);
	return fd;
}

static int send_signal(int fd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

static void sleeper(void)
{
	for (;;)
		pause();
}

static bool readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

/* Of a child that lives: it can be killed and waited for by it. */
STATE(pidfd_child)
{
	pid_t pid = child(sleeper);
	siginfo_t info = { 0 };
	int fd = pidfd(pid);

	checkpoint();
	CHECK(!readable(fd) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(!send_signal(fd, SIGTERM));
	CHECK(!waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	CHECK(info.si_pid == pid && info.si_status == SIGTERM);
	CHECK(readable(fd));
}

/* Of itself, under two numbers, and in a child by inheritance. */
static int self_fd;
static pid_t self_pid;

static void self_child(void)
{
	await_checkpoint();
	CHECK(!send_signal(self_fd, 0));
}

STATE(pidfd_shared)
{
	int copy;
	pid_t pid;

	self_fd = pidfd(getpid());
	self_pid = getpid();
	copy = dup(self_fd);
	pid = child(self_child);
	checkpoint();
	CHECK(same_description(self_fd, copy));
	CHECK(!send_signal(copy, 0));
	join(pid);
}

/* Of a zombie. */
static void ends(void)
{
	_exit(3);
}

STATE(pidfd_zombie)
{
	pid_t pid = child(ends);
	siginfo_t info = { 0 };
	int fd = pidfd(pid);
	struct pollfd p = { fd, POLLIN, 0 };

	CHECK(poll(&p, 1, 50000) == 1);
	checkpoint();
	CHECK(readable(fd));
	CHECK(!waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	CHECK(info.si_pid == pid && info.si_status == 3);
}

/* Of one that was collected long ago. */
STATE(pidfd_gone)
{
	pid_t pid = child(ends);
	int fd = pidfd(pid);

	waitpid(pid, NULL, 0);
	checkpoint();
	CHECK(readable(fd));
	CHECK(send_signal(fd, 0) == -1 && errno == ESRCH);
}

REFUSED(pidfd_outside, "which is not among those to be saved")
{
	int fd = pidfd(getppid());

	checkpoint();
	CHECK(fd >= 0);
}

/* /proc/self/...: of this process, in this life, at the same position. */
STATE(proc_self_file)
{
	int fd = open("/proc/self/stat", O_RDONLY), n;
	char buf[512] = { 0 };

	checkpoint();
	CHECK(read(fd, buf, sizeof(buf) - 1) > 0);
	CHECK(sscanf(buf, "%d", &n) == 1 && n == getpid());
}

/* Its own memory, by /proc/self/mem. */
STATE(proc_self_mem)
{
	static volatile int value = 7;
	int fd = open("/proc/self/mem", O_RDWR), n = 0;

	checkpoint();
	CHECK(pread(fd, &n, sizeof(n), (off_t)(uintptr_t)&value) == sizeof(n));
	CHECK(n == 7);
	n = 8;
	CHECK(pwrite(fd, &n, sizeof(n), (off_t)(uintptr_t)&value) == sizeof(n));
	CHECK(value == 8);
}

/* A directory of /proc, and a file of a child. */
STATE(proc_of_child)
{
	pid_t pid = child(sleeper);
	char path[64], buf[512] = { 0 };
	int fd, d = open("/proc/self/task", O_RDONLY | O_DIRECTORY), n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	checkpoint();
	CHECK(read(fd, buf, sizeof(buf) - 1) > 0);
	CHECK(sscanf(buf, "%d", &n) == 1 && n == pid);
	dir = fdopendir(d);
	for (n = 0; readdir(dir); n++)
		;
	CHECK(n == 3);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

/* Files of /proc and /sys about the machine. */
STATE(proc_machine)
{
	int a = open("/proc/meminfo", O_RDONLY);
	int b = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
	char buf[64] = { 0 };

	CHECK(a >= 0);
	checkpoint();
	CHECK(read(a, buf, 8) == 8 && !strncmp(buf, "MemTotal", 8));
	CHECK(b < 0 || read(b, buf, sizeof(buf)) > 0);
}

REFUSED(proc_outside, "a file of /proc about a process that is not")
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", getppid());
	CHECK(open(path, O_RDONLY) >= 0);
	checkpoint();
}
