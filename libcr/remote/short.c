/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * short.c - transfers that the stop cut short
 *
 * A blocking write to a pipe, a send, a receive with MSG_WAITALL and so on
 * end in two ways when a stop finds them waiting: nothing was transferred, and
 * the kernel makes the call again; or something was, and the call returns this
 * number, which the program would never have seen without us.  Such a call is
 * continued with what is left (rest.c).
 *
 * A stopped thread shows 0 < result < length.  That these calls, on these
 * objects, and blocking, return such a result by themselves has few reasons,
 * and then it must have happened at the very moment of the stop.  Asking for
 * the rest does no harm in any of these cases:
 *  - a signal was delivered: its handler, which is still to be run, ends the
 *    rest, and the program sees the number
 *  - end of file, the other side is gone, an error, a buffer that is not all
 *    there: the rest gives 0 or the same error, and the program sees the number
 *  - a time-out of the socket: the rest has it once more
 *
 * Where a short result is usual, it is left: O_NONBLOCK, MSG_DONTWAIT, any
 * read or receive without MSG_WAITALL, splice, tee and vmsplice, sendfile into
 * a pipe.  Left alone as well: a receive with room for descriptors, because
 * messages that carry some end it; before urgent data; MSG_ZEROCOPY, which
 * counts calls; threads that job control has stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/getfd.h"
#include "remote/internal.h"

#define MOST_IOV 1024		   /* UIO_MAXIOV */
#define MOST_BYTES 0x7ffff000ULL   /* MAX_RW_COUNT, of any transfer */
#define MEMORY_DEVICE 1		   /* /dev/zero, random, urandom */

_Static_assert(CR_REST_EXTRA + sizeof(struct msghdr) +
			       MOST_IOV * sizeof(struct iovec) <=
		       CR_REST_SIZE,
	       "room for all vectors");

/* What a call works on, as far as it matters here. */
enum object { OTHER, PIPE, STREAM, DATAGRAM, TTY, MEMORY };

struct transfer {
	struct cr_rest rest;
	uint64_t len;	   /* all that was asked for */
	struct msghdr msg; /* sendmsg, recvmsg */
	struct iovec *iov; /* of it, and of writev */
	size_t n_iov;
	bool receives;
	int flags;	   /* MSG_* */
};

static bool is_transfer(int64_t nr)
{
	switch (nr) {
	case SYS_read:
	case SYS_write:
	case SYS_writev:
	case SYS_sendto:
	case SYS_recvfrom:
	case SYS_sendmsg:
	case SYS_recvmsg:
	case SYS_sendmmsg:
	case SYS_recvmmsg:
	case SYS_sendfile:
	case SYS_getrandom:
		return true;
	default:
		return false;
	}
}

bool cr_remote_is_short(const struct cr_task *t)
{
	const struct user_regs_struct *r = &t->regs;

	return t->held && !t->group_stop && (int64_t)r->rax > 0 &&
	       is_transfer((int64_t)r->orig_rax);
}

static enum object kind_of(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);
	struct stat st;

	if (fstat(fd, &st))
		return OTHER;
	if (S_ISFIFO(st.st_mode))
		return PIPE;
	if (S_ISSOCK(st.st_mode)) {
		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
			return OTHER;
		return type == SOCK_STREAM ? STREAM : DATAGRAM;
	}
	if (S_ISCHR(st.st_mode) && major(st.st_rdev) == MEMORY_DEVICE)
		return MEMORY;
	return S_ISCHR(st.st_mode) && isatty(fd) ? TTY : OTHER;
}

static bool at_urgent_data(int fd)
{
	int at = 0;

	return !ioctl(fd, SIOCATMARK, &at) && at;
}

static int read_iov(const struct cr_task *t, struct transfer *x, uint64_t at,
		    uint64_t n)
{
	size_t i;

	if (n > MOST_IOV)
		return -EINVAL;
	x->iov = calloc(n + 1, sizeof(*x->iov));
	if (!x->iov)
		return -ENOMEM;
	x->n_iov = n;
	if (cr_remote_read(t->tid, at, x->iov, n * sizeof(*x->iov), NULL))
		return -EFAULT;
	for (i = 0; i < n; i++)
		x->len += x->iov[i].iov_len;
	return 0;
}

/* What is asked for; its fields are those of the program, but for "done". */
static int read_call(const struct cr_task *t, struct transfer *x)
{
	const struct user_regs_struct *r = &t->regs;
	int ret;

	memset(x, 0, sizeof(*x));
	x->rest = (struct cr_rest){
		.nr = (long)r->orig_rax,
		.arg = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 },
		.done = r->rax,
	};
	switch (x->rest.nr) {
	case SYS_recvfrom:
		x->receives = true;
		/* fall through */
	case SYS_sendto:
		x->flags = (int)r->r10;
		/* fall through */
	case SYS_read:
	case SYS_write:
		x->len = r->rdx;
		return 0;
	case SYS_writev:
		return read_iov(t, x, r->rsi, r->rdx);
	case SYS_recvmsg:
	case SYS_sendmsg:
		x->receives = x->rest.nr == SYS_recvmsg;
		x->flags = (int)r->rdx;
		ret = cr_remote_read(t->tid, r->rsi, &x->msg, sizeof(x->msg),
				     NULL);
		return ret ? ret : read_iov(t, x, (uint64_t)x->msg.msg_iov,
					    x->msg.msg_iovlen);
	case SYS_recvmmsg:
		x->receives = true;
		/* fall through */
	case SYS_sendmmsg:
		x->flags = (int)r->r10;
		x->len = (uint32_t)r->rdx; /* messages */
		return 0;
	case SYS_sendfile:
		x->len = r->r10;
		return 0;
	case SYS_getrandom:
		x->len = r->rsi;
		return 0;
	}
	return -EINVAL;
}

/* Would it have waited for the rest? */
static bool waits_for_all(const struct transfer *x, int fd)
{
	enum object kind = kind_of(fd);
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || flags & O_NONBLOCK ||
	    x->flags & (MSG_DONTWAIT | MSG_ZEROCOPY | MSG_OOB | MSG_ERRQUEUE))
		return false;
	switch (x->rest.nr) {
	case SYS_read:
		return kind == MEMORY;
	case SYS_write:
	case SYS_writev:
		return kind == PIPE || kind == STREAM || kind == TTY;
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendfile:
		return kind == STREAM;
	case SYS_recvfrom:
	case SYS_recvmsg:
		return kind == STREAM && x->flags & MSG_WAITALL &&
		       !x->msg.msg_control && !at_urgent_data(fd);
	case SYS_sendmmsg:
		return kind == DATAGRAM;
	case SYS_recvmmsg: /* its time-out is looked at after each message */
		return kind == DATAGRAM && !(x->flags & MSG_WAITFORONE) &&
		       !x->rest.arg[4];
	}
	return false;
}

static bool is_to_go_on(const struct cr_task *t, const struct transfer *x)
{
	bool yes;
	int fd;

	if (x->rest.done >= x->len || x->rest.done >= MOST_BYTES)
		return false;
	if (x->rest.nr == SYS_getrandom)
		return !(x->rest.arg[2] & GRND_NONBLOCK);
	fd = cr_getfd(t->tgid, (int)x->rest.arg[0]);
	if (fd < 0) /* its main thread may have ended */
		fd = cr_getfd(t->tid, (int)x->rest.arg[0]);
	if (fd < 0)
		return false;
	yes = waits_for_all(x, fd);
	close(fd);
	return yes;
}

/* The vectors without their first bytes, in memory of the rest. */
static int put_iov(const struct cr_task *t, struct transfer *x, uint64_t at,
		   struct cr_error *err)
{
	uint64_t skip = x->rest.done, room = MOST_BYTES - skip;
	size_t first = 0, i;

	while (first < x->n_iov && skip >= x->iov[first].iov_len)
		skip -= x->iov[first++].iov_len;
	x->iov[first].iov_base = (char *)x->iov[first].iov_base + skip;
	x->iov[first].iov_len -= skip;
	x->n_iov -= first;
	memmove(x->iov, x->iov + first, x->n_iov * sizeof(*x->iov));
	for (i = 0; i < x->n_iov; i++) {
		if (x->iov[i].iov_len > room)
			x->iov[i].iov_len = room;
		room -= x->iov[i].iov_len;
	}
	return cr_remote_write(t->tid, at, x->iov,
			       x->n_iov * sizeof(*x->iov), err);
}

/* The arguments of the rest. */
static int advance(const struct cr_task *t, struct transfer *x, uint64_t extra,
		   struct cr_error *err)
{
	uint64_t *arg = x->rest.arg, done = x->rest.done;
	uint64_t left = (x->len > MOST_BYTES ? MOST_BYTES : x->len) - done;
	int ret;

	switch (x->rest.nr) {
	case SYS_sendto:
		/* the first part has made the connection, if any */
		arg[3] &= ~(uint64_t)MSG_FASTOPEN;
		arg[4] = arg[5] = 0;
		/* fall through */
	case SYS_read:
	case SYS_write:
	case SYS_recvfrom:
		arg[1] += done;
		arg[2] = left;
		return 0;
	case SYS_writev:
		arg[1] = extra;
		ret = put_iov(t, x, extra, err);
		arg[2] = x->n_iov;
		return ret;
	case SYS_sendmsg:
	case SYS_recvmsg:
		ret = put_iov(t, x, extra + sizeof(x->msg), err);
		x->msg = (struct msghdr){
			.msg_iov = (void *)(extra + sizeof(x->msg)),
			.msg_iovlen = x->n_iov,
		};
		arg[1] = extra;
		arg[2] &= ~(uint64_t)MSG_FASTOPEN;
		return ret ? ret : cr_remote_write(t->tid, extra, &x->msg,
						   sizeof(x->msg), err);
	case SYS_sendmmsg:
	case SYS_recvmmsg:
		arg[1] += done * sizeof(struct mmsghdr);
		arg[2] -= done;
		return 0;
	case SYS_sendfile: /* the offset has moved with it */
		arg[3] = left;
		return 0;
	case SYS_getrandom:
		arg[0] += done;
		arg[1] = left;
		return 0;
	}
	return -EINVAL;
}

int cr_remote_make_rest(struct cr_task *t, struct cr_places *places,
			struct cr_error *err)
{
	struct transfer x;
	uint64_t at;
	int ret = 0;

	if (!cr_remote_is_short(t))
		return 0;
	if (read_call(t, &x) || !is_to_go_on(t, &x))
		goto out;
	if (x.receives && x.flags & MSG_PEEK) {
		/* nothing was taken: all of it again */
		t->regs.rax = (uint64_t)-ERESTARTNOHAND;
		ret = cr_remote_settle(t);
		goto out;
	}
	ret = cr_rest_place(t, places, &at, err);
	if (!ret)
		ret = advance(t, &x, at + CR_REST_EXTRA, err);
	if (!ret)
		ret = cr_rest_enter(t, at, &x.rest, err);
	if (!ret)
		ret = cr_rest_settle(t, err);
out:
	free(x.iov);
	return ret;
}
