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
 * threads open and close at any time.  A fork() of the program waits for
 * calls between the two, so that the child has what it is to close on record.
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define LIMIT 8192
#define WORDS (LIMIT / 64)

#define FORK 0x10000u /* of "under_way": a fork(); below it calls are counted */
#define NAP_NS 50000
#define NAPS 10000 /* half a second and more: nobody waits for ever */

struct identity {
	uint64_t device, inode;
};

static uint64_t mine[WORDS];
static uint64_t handed_on[WORDS]; /* to what the lower half executes */
static uint32_t under_way;
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

bool cr_fds_kept_back(int fd)
{
	return cr_fds_has(fd) &&
	       cr_raw_syscall(SYS_fcntl, fd, F_GETFD, 0, 0, 0, 0) == FD_CLOEXEC;
}

bool cr_fds_omitted(int fd)
{
	return fd >= 0 && (size_t)fd / 64 < omitted_words &&
	       (omitted[fd / 64] >> fd % 64 & 1);
}

static bool is_handed_on(int fd)
{
	return handed_on[fd / 64] >> fd % 64 & 1;
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

/* closes: the lower half itself wants it closed when it executes something. */
static void add(long fd, bool closes)
{
	if (fd < 0)
		return;
	if (fd >= LIMIT || !identify(fd, &identity[fd])) {
		cr_hook.fds_lost++;
		return;
	}
	if (closes)
		clear_bit(handed_on, (unsigned int)fd);
	else
		set_bit(handed_on, (unsigned int)fd);
	set_bit(mine, (unsigned int)fd);
	if ((size_t)fd / 64 < omitted_words)
		set_bit(omitted, (unsigned int)fd);
}

static void drop(long fd)
{
	if (fd < 0 || fd >= LIMIT || !cr_fds_has((int)fd))
		return;
	clear_bit(mine, (unsigned int)fd);
	if ((size_t)fd / 64 < omitted_words)
		clear_bit(omitted, (unsigned int)fd);
}

static bool is_same(int fd)
{
	struct identity now;

	return identify(fd, &now) && now.device == identity[fd].device &&
	       now.inode == identity[fd].inode;
}

bool cr_fds_verify(int fd)
{
	if (is_same(fd))
		return true;
	drop(fd);
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
		drop(fd);
	}
	/* threads that were in a call come back no more */
	__atomic_and_fetch(&under_way, ~(FORK - 1), __ATOMIC_SEQ_CST);
}

/* ---- fork() of the program ---- */

static void nap(void)
{
	const struct timespec pause = { 0, NAP_NS };

	cr_raw_syscall(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
}

void cr_fds_fork_begins(void)
{
	int i;

	__atomic_add_fetch(&under_way, FORK, __ATOMIC_SEQ_CST);
	for (i = 0; i < NAPS && __atomic_load_n(&under_way, __ATOMIC_SEQ_CST) %
					FORK; i++)
		nap();
}

void cr_fds_fork_ends(bool in_child)
{
	if (in_child) /* the only thread */
		__atomic_store_n(&under_way, 0, __ATOMIC_SEQ_CST);
	else
		__atomic_sub_fetch(&under_way, FORK, __ATOMIC_SEQ_CST);
}

/*
 * A call that takes what others have sent may wait for that: nobody waits for
 * such a call.
 */
static bool may_wait(const struct cr_hook_args *r)
{
	struct pollfd p = { .fd = (int)r->a, .events = POLLIN };

	switch (r->nr) {
	case SYS_accept:
	case SYS_accept4:
	case SYS_recvmsg:
	case SYS_recvmmsg:
		return cr_raw_syscall(SYS_poll, (long)&p, 1, 0, 0, 0, 0) != 1;
	}
	return false;
}

static bool begin_call(const struct cr_hook_args *r)
{
	uint32_t v;
	int i = 0;

	if (may_wait(r))
		return false;
	v = __atomic_load_n(&under_way, __ATOMIC_SEQ_CST);
	for (;;) {
		if (v >= FORK && i++ < NAPS) {
			nap();
			v = __atomic_load_n(&under_way, __ATOMIC_SEQ_CST);
		} else if (__atomic_compare_exchange_n(
				   &under_way, &v, v + 1, false,
				   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			return true;
		}
	}
}

static void end_call(void)
{
	__atomic_sub_fetch(&under_way, 1, __ATOMIC_SEQ_CST);
}

/* ---- calls of the lower half ---- */

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
	case SYS_execve:
	case SYS_execveat:
		return true;
	}
	return false;
}

/* Descriptors that came with a message (SCM_RIGHTS). */
static void add_received(const struct msghdr *m, bool closes)
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
				add(*fd, closes);
		p += CMSG_ALIGN(c->cmsg_len);
	}
}

static void add_pair(const int *fd, bool closes)
{
	add(fd[0], closes);
	add(fd[1], closes);
}

static void drop_range(unsigned int first, unsigned int last)
{
	unsigned int fd;

	for (fd = first; fd <= last && fd < LIMIT; fd++)
		drop(fd);
}

/* Records go before the call: the number may be another's right after. */
static void before(const struct cr_hook_args *r)
{
	if (r->nr == SYS_close)
		drop((int)r->a);
	else if (r->nr == SYS_close_range && !(r->c & CLOSE_RANGE_CLOEXEC))
		drop_range((unsigned int)r->a, (unsigned int)r->b);
}

static void after(const struct cr_hook_args *r, long x, bool closes)
{
	long i;

	switch (r->nr) {
	case SYS_close:
	case SYS_close_range:
	case SYS_dup2: /* of a descriptor to itself */
		return;
	case SYS_openat2: /* its flags are in memory of the caller's */
		cr_raw_syscall(SYS_fcntl, x, F_SETFD, FD_CLOEXEC, 0, 0, 0);
		break;
	case SYS_pipe2:
		add_pair((const int *)r->a, closes);
		return;
	case SYS_socketpair:
		add_pair((const int *)r->d, closes);
		return;
	case SYS_recvmsg:
		add_received((const struct msghdr *)r->b, closes);
		return;
	case SYS_recvmmsg:
		for (i = 0; i < x; i++)
			add_received(&((struct mmsghdr *)r->b)[i].msg_hdr,
				     closes);
		return;
	}
	add(x, closes);
}

static long pass(const struct cr_hook_args *r)
{
	return cr_raw_syscall(r->nr, r->a, r->b, r->c, r->d, r->e, r->f);
}

/* A call that makes descriptors, or closes some. */
static long change(struct cr_hook_args *r)
{
	bool counted = begin_call(r), closes = cr_exec_closes(r);
	long x;

	before(r);
	x = pass(r);
	if (x >= 0)
		after(r, x, closes);
	if (counted)
		end_call();
	return x;
}

static long control(const struct cr_hook_args *r)
{
	bool known = cr_fds_has((int)r->a);
	struct cr_hook_args copy = *r;
	long x;

	if (r->b == F_DUPFD || r->b == F_DUPFD_CLOEXEC)
		return change(&copy);
	if (known && r->b == F_SETFD) {
		if (r->c & FD_CLOEXEC)
			clear_bit(handed_on, (unsigned int)r->a);
		else
			set_bit(handed_on, (unsigned int)r->a);
		copy.c |= FD_CLOEXEC;
	}
	x = pass(&copy);
	if (known && r->b == F_GETFD && x > 0 && is_handed_on((int)r->a))
		x &= ~(long)FD_CLOEXEC;
	return x;
}

static void set_handed_on(long flags)
{
	int fd;

	for (fd = 0; fd < LIMIT; fd++)
		if (cr_fds_has(fd) && is_handed_on(fd) && is_same(fd))
			cr_raw_syscall(SYS_fcntl, fd, F_SETFD, flags, 0, 0, 0);
}

/* By the lower half: comes back only if it fails. */
static long execute(const struct cr_hook_args *r)
{
	long x;

	set_handed_on(0);
	x = pass(r);
	set_handed_on(FD_CLOEXEC);
	return x;
}

long cr_fds_hook(struct cr_hook_args *r)
{
	struct cr_hook_args copy = *r;
	/*
	 * A child that shares our memory until it execs (posix_spawn) has
	 * descriptors of its own.
	 */
	bool own = cr_raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) ==
		   cr_hook.pid;

	if (r->nr == SYS_execve || r->nr == SYS_execveat)
		return execute(r);
	if (!own || (r->nr == SYS_recvmsg &&
		     !((const struct msghdr *)r->b)->msg_control))
		return pass(r);
	return r->nr == SYS_fcntl ? control(r) : change(&copy);
}
