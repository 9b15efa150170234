/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fds.c - which descriptors belong to the lower half
 *
 * A record is set when a system call of the lower half makes a descriptor
 * and dropped before one closes it.  It remembers what was opened, so that a
 * record gone stale (the program closed our descriptor and opened something
 * of its own under the number) never closes, nor leaves out of a checkpoint,
 * what is the program's.
 *
 * The bit that libcr looks at is set here too, at once: the lower half's
 * threads open and close at any time.
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define LIMIT 8192
#define WORDS (LIMIT / 64)

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_fsmount
#define SYS_open_tree 428
#define SYS_fsmount 432
#endif

struct identity {
	uint64_t device, inode;
};

static uint64_t mine[WORDS];
static struct identity identity[LIMIT];
static uint64_t *omitted;
static size_t omitted_words;

void cr_fds_init(uint64_t *words, size_t n)
{
	omitted = words;
	omitted_words = n;
}

int cr_fds_limit(void)
{
	return LIMIT;
}

static void set_bit(uint64_t *words, unsigned int n)
{
	__atomic_fetch_or(&words[n / 64], 1ULL << n % 64, __ATOMIC_SEQ_CST);
}

static void clear_bit(uint64_t *words, unsigned int n)
{
	__atomic_fetch_and(&words[n / 64], ~(1ULL << n % 64),
			   __ATOMIC_SEQ_CST);
}

bool cr_fds_has(int fd)
{
	return fd >= 0 && fd < LIMIT && (mine[fd / 64] >> fd % 64 & 1);
}

bool cr_fds_omitted(int fd)
{
	return fd >= 0 && (size_t)fd / 64 < omitted_words &&
	       (omitted[fd / 64] >> fd % 64 & 1);
}

static bool identify(long fd, struct identity *id)
{
	struct stat st;

	if (cr_raw_syscall(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) < 0)
		return false;
	id->device = st.st_dev;
	id->inode = st.st_ino;
	return true;
}

void cr_fds_add(long fd)
{
	if (fd < 0)
		return;
	if (fd >= LIMIT || !identify(fd, &identity[fd])) {
		cr_hook.fds_lost++;
		return;
	}
	set_bit(mine, (unsigned int)fd);
	if ((size_t)fd / 64 < omitted_words)
		set_bit(omitted, (unsigned int)fd);
}

void cr_fds_remove(long fd)
{
	if (fd < 0 || fd >= LIMIT || !cr_fds_has((int)fd))
		return;
	clear_bit(mine, (unsigned int)fd);
	if ((size_t)fd / 64 < omitted_words)
		clear_bit(omitted, (unsigned int)fd);
}

bool cr_fds_verify(int fd)
{
	struct identity now;

	if (identify(fd, &now) && now.device == identity[fd].device &&
	    now.inode == identity[fd].inode)
		return true;
	cr_fds_remove(fd);
	return false;
}

void cr_fds_clear(bool close_them)
{
	int fd;

	for (fd = 0; fd < LIMIT; fd++) {
		if (!cr_fds_has(fd))
			continue;
		if (close_them && cr_fds_verify(fd))
			cr_raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
		cr_fds_remove(fd);
	}
}

bool cr_fds_wants(long nr)
{
	switch (nr) {
	case SYS_open:
	case SYS_creat:
	case SYS_openat:
	case SYS_openat2:
	case SYS_open_by_handle_at:
	case SYS_open_tree:
	case SYS_fsmount:
	case SYS_mq_open:
	case SYS_memfd_create:
	case SYS_memfd_secret:
	case SYS_socket:
	case SYS_accept:
	case SYS_accept4:
	case SYS_dup:
	case SYS_dup2:
	case SYS_dup3:
	case SYS_fcntl:
	case SYS_eventfd:
	case SYS_eventfd2:
	case SYS_epoll_create:
	case SYS_epoll_create1:
	case SYS_timerfd_create:
	case SYS_signalfd:
	case SYS_signalfd4:
	case SYS_inotify_init:
	case SYS_inotify_init1:
	case SYS_fanotify_init:
	case SYS_userfaultfd:
	case SYS_perf_event_open:
	case SYS_io_uring_setup:
	case SYS_pidfd_open:
	case SYS_pidfd_getfd:
	case SYS_pipe:
	case SYS_pipe2:
	case SYS_socketpair:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_close:
	case SYS_close_range:
		return true;
	}
	return false;
}

/* Descriptors that came with a message (SCM_RIGHTS). */
static void add_received(const struct msghdr *m)
{
	const char *p = m->msg_control, *end = p + m->msg_controllen;

	while (p && p + sizeof(struct cmsghdr) <= end) {
		const struct cmsghdr *c = (const void *)p;
		const int *fd = (const void *)(p + CMSG_LEN(0));

		if (c->cmsg_len < sizeof(*c) || p + c->cmsg_len > end)
			return;
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_RIGHTS)
			for (; (const char *)(fd + 1) <= p + c->cmsg_len; fd++)
				cr_fds_add(*fd);
		p += CMSG_ALIGN(c->cmsg_len);
	}
}

static void add_pair(const int *fd)
{
	cr_fds_add(fd[0]);
	cr_fds_add(fd[1]);
}

static void remove_range(unsigned int first, unsigned int last)
{
	unsigned int fd;

	for (fd = first; fd <= last && fd < LIMIT; fd++)
		cr_fds_remove((int)fd);
}

/* Records go before the call: the number may be another's right after. */
static void before(const struct cr_hook_args *r)
{
	if (r->nr == SYS_close)
		cr_fds_remove(r->a);
	else if (r->nr == SYS_close_range && !(r->c & CLOSE_RANGE_CLOEXEC))
		remove_range((unsigned int)r->a, (unsigned int)r->b);
}

static void after(const struct cr_hook_args *r, long x)
{
	long i;

	switch (r->nr) {
	case SYS_close:
	case SYS_close_range:
		return;
	case SYS_fcntl:
		if (r->b == F_DUPFD || r->b == F_DUPFD_CLOEXEC)
			cr_fds_add(x);
		return;
	case SYS_pipe:
	case SYS_pipe2:
		add_pair((const int *)r->a);
		return;
	case SYS_socketpair:
		add_pair((const int *)r->d);
		return;
	case SYS_recvmsg:
		add_received((const struct msghdr *)r->b);
		return;
	case SYS_recvmmsg:
		for (i = 0; i < x; i++)
			add_received(&((struct mmsghdr *)r->b)[i].msg_hdr);
		return;
	}
	cr_fds_add(x);
}

long cr_fds_hook(struct cr_hook_args *r)
{
	/*
	 * A child that shares our memory until it execs (posix_spawn) has
	 * descriptors of its own.
	 */
	bool own = cr_raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) ==
		   cr_hook.pid;
	long x;

	if (own)
		before(r);
	x = cr_raw_syscall(r->nr, r->a, r->b, r->c, r->d, r->e, r->f);
	if (own && x >= 0)
		after(r, x);
	return x;
}
