/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lh_probe.c - does the hook see what this libc does? (part of lh_main)
 *
 * Another libc may have system call sites that rewrite.c does not know.
 * Each way to make or close a descriptor or memory is tried once after the
 * boot; what cannot be tried here (no permission, not in this kernel) counts
 * as seen.
 */
#include "mpi/lower/lh_probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "mpi/lower/lower.h"

static bool (*known)(int fd);

/* A descriptor just made: known, and no longer after close()? */
static bool one(int fd)
{
	bool ok;

	if (fd < 0)
		return true;
	ok = known(fd);
	close(fd);
	return ok && !known(fd);
}

static bool two(int rc, const int *fd)
{
	bool a, b;

	if (rc < 0)
		return true;
	a = one(fd[0]);
	b = one(fd[1]);
	return a && b;
}

static bool probe_open(void)
{
	return one(open("/", O_RDONLY));
}

static bool probe_open64(void)
{
	return one(open64("/", O_RDONLY));
}

static bool probe_openat(void)
{
	return one(openat(AT_FDCWD, "/", O_RDONLY));
}

static bool probe_syscall(void)
{
	return one((int)syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY, 0));
}

static bool probe_fopen(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	int fd = f ? fileno(f) : -1;
	bool ok = !f || known(fd);

	if (f)
		fclose(f);
	return ok && (!f || !known(fd));
}

static bool probe_opendir(void)
{
	DIR *d = opendir("/");
	int fd = d ? dirfd(d) : -1;
	bool ok = !d || known(fd);

	if (d)
		closedir(d);
	return ok && (!d || !known(fd));
}

static bool probe_socket(void)
{
	return one(socket(AF_UNIX, SOCK_STREAM, 0));
}

static bool probe_dup(void)
{
	int fd = eventfd(0, 0), d, e;
	bool ok;

	if (fd < 0)
		return true;
	d = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	e = dup(fd);
	ok = known(d) && known(e);
	if (d >= 0 && e >= 0) {
		dup2(fd, d);
		dup3(fd, e, O_CLOEXEC);
		ok = ok && known(d) && known(e);
	}
	return one(d) && one(e) && one(fd) && ok;
}

static bool probe_eventfd(void)
{
	return one(eventfd(0, 0));
}

static bool probe_epoll_create(void)
{
	return one(epoll_create(1)) && one(epoll_create1(0));
}

static bool probe_timerfd(void)
{
	return one(timerfd_create(CLOCK_MONOTONIC, 0));
}

static bool probe_signalfd(void)
{
	sigset_t none;

	sigemptyset(&none);
	return one(signalfd(-1, &none, 0));
}

static bool probe_inotify(void)
{
	return one(inotify_init()) && one(inotify_init1(0));
}

static bool probe_memfd(void)
{
	return one(memfd_create("stillpoint-probe", 0));
}

static bool probe_pipe(void)
{
	int fd[2] = { -1, -1 };

	return two(pipe(fd), fd) && two(pipe2(fd, O_CLOEXEC), fd);
}

static bool probe_socketpair(void)
{
	int fd[2] = { -1, -1 };

	return two(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), fd);
}

static bool probe_accept(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(un.sun_family);
	int l = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int d = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bool ok = true;

	/* a length of the family alone: the kernel chooses a name */
	if (l >= 0 && c >= 0 && d >= 0 &&
	    !bind(l, (struct sockaddr *)&un, len) && !listen(l, 2)) {
		len = sizeof(un);
		if (!getsockname(l, (struct sockaddr *)&un, &len) &&
		    !connect(c, (struct sockaddr *)&un, len) &&
		    !connect(d, (struct sockaddr *)&un, len))
			ok = one(accept(l, NULL, NULL)) &&
			     one(accept4(l, NULL, NULL, SOCK_CLOEXEC));
	}
	return one(l) && one(c) && one(d) && ok;
}

/* Sends fd through sv[0] and takes it out of sv[1]; the new number or -1. */
static int pass_fd(const int *sv, int fd, bool many)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} u;
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct mmsghdr m = { .msg_hdr = {
				     .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = &u,
				     .msg_controllen = sizeof(u) } };
	int got = -1;

	memset(&u, 0, sizeof(u));
	u.h.cmsg_level = SOL_SOCKET;
	u.h.cmsg_type = SCM_RIGHTS;
	u.h.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&u.h), &fd, sizeof(fd));
	if (sendmsg(sv[0], &m.msg_hdr, MSG_DONTWAIT) != 1)
		return -1;
	m.msg_hdr.msg_controllen = sizeof(u);
	if (many ? recvmmsg(sv[1], &m, 1, MSG_DONTWAIT, NULL) == 1 :
		   recvmsg(sv[1], &m.msg_hdr, MSG_DONTWAIT) == 1)
		memcpy(&got, CMSG_DATA(&u.h), sizeof(got));
	return got;
}

static bool probe_recvmsg(void)
{
	int sv[2];
	bool ok;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		return true;
	ok = one(pass_fd(sv, sv[0], false)) && one(pass_fd(sv, sv[0], true));
	return two(0, sv) && ok;
}

static bool probe_close_range(void)
{
	int fd = eventfd(0, 0);

	if (fd < 0)
		return true;
	if (close_range((unsigned int)fd, (unsigned int)fd, 0) < 0)
		return one(fd);
	return !known(fd);
}

static bool probe_mmap(void)
{
	size_t len = 64 << 10;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool ok;

	if (p == MAP_FAILED)
		return true;
	ok = cr_lower_owns(p);
	p = mremap(p, len, 64 * len, MREMAP_MAYMOVE);
	if (p == MAP_FAILED)
		return ok;
	ok = ok && cr_lower_owns(p);
	munmap(p, 64 * len);
	return ok;
}

static bool probe_malloc(void)
{
	void *small = malloc(100), *large = malloc(8 << 20);
	bool ok = (!small || cr_lower_owns(small)) &&
		  (!large || cr_lower_owns(large));

	free(small);
	free(large);
	return ok && sbrk(1) == (void *)-1;
}

static void never(int sig)
{
}

/* A handler of ours must not be installed. */
static bool probe_sigaction(void)
{
	struct sigaction act = { .sa_handler = never }, now;

	if (sigaction(SIGURG, &act, NULL) < 0 ||
	    sigaction(SIGURG, NULL, &now) < 0)
		return true;
	return now.sa_handler != never;
}

static const struct {
	const char *name;
	bool (*seen)(void);
} probes[] = {
	{ "open", probe_open },
	{ "open64", probe_open64 },
	{ "openat", probe_openat },
	{ "syscall", probe_syscall },
	{ "fopen", probe_fopen },
	{ "opendir", probe_opendir },
	{ "socket", probe_socket },
	{ "dup", probe_dup },
	{ "eventfd", probe_eventfd },
	{ "epoll_create", probe_epoll_create },
	{ "timerfd_create", probe_timerfd },
	{ "signalfd", probe_signalfd },
	{ "inotify_init", probe_inotify },
	{ "memfd_create", probe_memfd },
	{ "pipe", probe_pipe },
	{ "socketpair", probe_socketpair },
	{ "accept", probe_accept },
	{ "recvmsg", probe_recvmsg },
	{ "close_range", probe_close_range },
	{ "mmap", probe_mmap },
	{ "malloc", probe_malloc },
	{ "sigaction", probe_sigaction },
};

const char *cr_lh_probe(bool (*fd_is_known)(int fd))
{
	size_t i;

	known = fd_is_known;
	for (i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
		if (!probes[i].seen())
			return probes[i].name;
	return NULL;
}
