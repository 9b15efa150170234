/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unix_queue.c - what a UNIX socket has to be received, read by looking
 *
 * Looking behind the first message takes SO_PEEK_OFF, which belongs to the
 * socket; it is put back at once.  Descriptors that are seen become ours.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "objects/unix.h"

#define LARGEST (4u << 20) /* message */
#define MOST_FDS 253	   /* in a message, SCM_MAX_FD */

static int refuse(const struct cr_object_source *src, const char *what,
		  const char *todo, struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "%s is a UNIX socket with %s, which cannot be "
			    "saved; %s",
			    cr_object_label(src), what, todo);
}

static int add(struct cr_unix_state *s, const struct sockaddr_un *from,
	       socklen_t from_len, const void *data, size_t len)
{
	size_t skip = offsetof(struct sockaddr_un, sun_path);
	struct cr_unix_message *m;

	m = realloc(s->message, (s->n_messages + 1) * sizeof(*m));
	if (!m)
		return -ENOMEM;
	s->message = m;
	m += s->n_messages++;
	memset(m, 0, sizeof(*m));
	if (from_len > skip &&
	    cr_blob_set(&m->from, from->sun_path, from_len - skip))
		return -ENOMEM;
	return cr_blob_set(&m->data, data, len);
}

/* Descriptors and credentials of a message. */
struct control {
	union {
		char buf[CMSG_SPACE(MOST_FDS * sizeof(int)) +
			 CMSG_SPACE(sizeof(struct ucred)) + 256];
		struct cmsghdr align;
	};
};

static int take_control(const struct cr_object_source *src, struct msghdr *h,
			struct cr_unix_message *m, struct cr_error *err)
{
	struct ucred who;
	size_t n;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS) {
			n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			m->file = calloc(n, sizeof(*m->file));
			if (!m->file)
				return cr_error_set(err, -ENOMEM,
						    "out of memory");
			memcpy(m->file, CMSG_DATA(c), n * sizeof(int));
			m->n_files = n;
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&who, CMSG_DATA(c), sizeof(who));
			if (who.pid <= 0)
				continue;
			m->pid = src->number(src, who.pid, false);
			m->uid = who.uid;
			m->gid = who.gid;
			if (!m->pid)
				return refuse(src,
					      "a message with credentials of "
					      "a process that is not there",
					      "receive it before the "
					      "checkpoint",
					      err);
		}
	}
	return 0;
}

/*
 * One look; *len is what there was, -EAGAIN: nothing more; -ENODATA: an empty
 * message, or the end.
 */
static int look(const struct cr_object_source *src, int fd, char *buf,
		size_t size, struct cr_unix_state *s, size_t *len,
		struct cr_error *err)
{
	struct sockaddr_un from = { 0 };
	struct iovec vec = { buf, size };
	struct control control;
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &vec,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	ssize_t n = recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n < 0)
		return cr_error_set(err, -errno, "%s: looking into it: %s",
				    cr_object_label(src), strerror(errno));
	if (m.msg_flags & MSG_CTRUNC)
		return refuse(src, "more in a message than could be taken",
			      "receive it before the checkpoint", err);
	if (m.msg_flags & MSG_TRUNC)
		return refuse(src, "a message that is too long",
			      "receive it before the checkpoint", err);
	*len = (size_t)n;
	if (!n && m.msg_controllen && CMSG_FIRSTHDR(&m) &&
	    CMSG_FIRSTHDR(&m)->cmsg_type == SCM_RIGHTS)
		return refuse(src, "an empty message with descriptors",
			      "receive it before the checkpoint", err);
	if (!n)
		return -ENODATA;
	if (add(s, &from, s->type == SOCK_DGRAM ? m.msg_namelen : 0, buf,
		(size_t)n))
		return cr_error_set(err, -ENOMEM, "out of memory");
	return take_control(src, &m, &s->message[s->n_messages - 1], err);
}

/*
 * Everything there is.  The first message, often the only one, is seen without
 * a trace, and no more of a program that runs.
 */
static int peek(const struct cr_object_source *src, int fd, uint32_t total,
		struct cr_unix_state *s, size_t *got, struct cr_error *err)
{
	int before = cr_socket_int(fd, SOL_SOCKET, SO_PEEK_OFF), at = 0;
	size_t len = 0, size = s->type == SOCK_DGRAM ? LARGEST : total + 1;
	char *buf = malloc(size);
	bool moved = before >= 0;
	int ret = 0;

	if (!buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	while (!ret) {
		if ((moved || *got) && src->held &&
		    setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &at, sizeof(at)))
			ret = cr_error_set(err, -errno, "%s: SO_PEEK_OFF: %s",
					   cr_object_label(src),
					   strerror(errno));
		if (ret || (*got && !src->held))
			break;
		moved |= *got > 0;
		ret = look(src, fd, buf, size, s, &len, err);
		*got += ret ? 0 : len;
		at = (int)*got;
		if (s->type != SOCK_DGRAM && *got >= total)
			break;
	}
	if (moved && src->held)
		setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before,
			   sizeof(before));
	free(buf);
	return ret == -EAGAIN || ret == -ENODATA ? 0 : ret;
}

/*
 * A running program is looked at only as far as it does not show: where it has
 * set SO_PEEK_OFF itself, each look moves that; and it takes away an error.
 */
static bool may_look(const struct cr_object_source *src, int fd)
{
	struct pollfd p = { .fd = fd };

	return src->held || (cr_socket_int(fd, SOL_SOCKET, SO_PEEK_OFF) < 0 &&
			     (poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR)));
}

int cr_unix_queued(const struct cr_object_source *src,
		   int (*fn)(void *arg, int fd), void *arg, bool *unseen)
{
	struct cr_unix_state s = { 0 };
	struct pollfd p = { .events = POLLIN };
	int ret = 0, fd, type, domain, total = 0;
	size_t got = 0;

	if (cr_socket_kind(src, &domain, &type) || domain != AF_UNIX)
		return 0;
	s.type = (uint32_t)type;
	fd = cr_object_dup(src, NULL);
	p.fd = fd;
	if (fd >= 0 && poll(&p, 1, 0) == 1 && p.revents & POLLIN &&
	    !ioctl(fd, FIONREAD, &total) && total > 0) {
		if (may_look(src, fd))
			peek(src, fd, (uint32_t)total, &s, &got, NULL);
		/* there may be more than was seen */
		if (!src->held &&
		    (!got || type == SOCK_DGRAM || got < (size_t)total))
			*unseen = true;
	}
	cr_object_undup(src, fd);
	for (size_t i = 0; i < s.n_messages; i++)
		for (size_t k = 0; k < s.message[i].n_files; k++)
			if (fn(arg, (int)s.message[i].file[k]))
				ret = -ENOMEM;
	cr_unix_free(&s);
	return ret;
}

/* Something is there that looking does not show: an empty message. */
static int check_hidden(const struct cr_object_source *src, int fd,
			const struct cr_unix_state *s, struct cr_error *err)
{
	struct pollfd p = { fd, POLLIN, 0 };

	poll(&p, 1, 0);
	if (p.revents & POLLIN && !(s->shutdown & 1) && !s->n_messages)
		return refuse(src, "an empty message to be received",
			      "receive it before the checkpoint", err);
	return 0;
}

/* What the kernel needs for what peer has sent; -1. */
static int sent_size(const struct cr_object_source *src, uint64_t peer)
{
	struct cr_object_source other = { .local = -1 };
	int fd, size = -1;
	struct stat st;

	for (size_t i = 0;
	     size < 0 && cr_object_tree_place(src->tree, S_IFSOCK, i,
					      &other.pid, &other.fd);
	     i++) {
		fd = cr_object_dup(&other, NULL);
		if (fd < 0)
			continue;
		if (!fstat(fd, &st) && st.st_ino == peer &&
		    ioctl(fd, SIOCOUTQ, &size))
			size = -1;
		close(fd);
	}
	return size;
}

/*
 * In a stream, what was sent before descriptors is seen as one with what they
 * were sent with.  Only if it takes the same room sent that way, it was.
 */
static int check_pieces(const struct cr_object_source *src,
			const struct cr_unix_state *s, struct cr_error *err)
{
	int pair[2], sent = sent_size(src, s->peer), again = 0, most = 1 << 22;
	bool same = sent >= 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       pair))
		return cr_error_set(err, -errno, "socketpair: %s",
				    strerror(errno));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
	for (size_t i = 0; same && i < s->n_messages; i++)
		same = send(pair[0], s->message[i].data.data,
			    s->message[i].data.len,
			    0) == (ssize_t)s->message[i].data.len;
	same = same && !ioctl(pair[0], SIOCOUTQ, &again) && again == sent;
	close(pair[0]);
	close(pair[1]);
	return same ? 0
		    : refuse(src,
			     "descriptors behind other data that was not "
			     "received yet",
			     "try again later", err);
}

static bool has_descriptors(const struct cr_unix_state *s)
{
	for (size_t i = 0; i < s->n_messages; i++)
		if (s->message[i].n_files)
			return true;
	return false;
}

/* Urgent data to be received, or the place in the stream where it was. */
static bool has_urgent(int fd)
{
	int mark = 0;
	char c;

	return recv(fd, &c, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (!ioctl(fd, SIOCATMARK, &mark) && mark);
}

int cr_unix_read_queue(const struct cr_object_source *src, int fd,
		       uint32_t total, struct cr_unix_state *s,
		       struct cr_error *err)
{
	size_t got = 0;
	int ret, avail = 0;

	if (s->type == SOCK_DGRAM)
		ioctl(fd, FIONREAD, &avail);
	else if (s->type == SOCK_STREAM && has_urgent(fd))
		return refuse(src, "urgent data",
			      "receive it before the checkpoint", err);
	else if (!total)
		return check_hidden(src, fd, s, err);
	ret = peek(src, fd, total, s, &got, err);
	if (!ret && s->type != SOCK_DGRAM && got != total)
		ret = refuse(src,
			     "data that cannot be looked at",
			     "receive it before the checkpoint", err);
	if (!ret && s->type == SOCK_STREAM && has_descriptors(s))
		ret = check_pieces(src, s, err);
	if (!ret && s->type == SOCK_DGRAM && avail && !s->n_messages)
		ret = refuse(src, "an empty message to be received",
			     "receive it before the checkpoint", err);
	return ret ? ret : check_hidden(src, fd, s, err);
}

/* Descriptors that were seen; nobody else has them from us. */
static void close_seen(struct cr_unix_state *s)
{
	for (size_t i = 0; i < s->n_messages; i++) {
		for (size_t k = 0; k < s->message[i].n_files; k++)
			close((int)s->message[i].file[k]);
		s->message[i].n_files = 0;
	}
}

/* The first message of a program that runs, or all of a stream. */
static int check_first(const struct cr_object_source *src, int fd,
		       struct cr_unix_state *s, struct cr_error *err)
{
	bool stream = s->type == SOCK_STREAM;
	int sent = stream ? sent_size(src, s->peer) : -1, before = 0, after = 0;
	struct pollfd p = { fd, POLLRDHUP, 0 };
	struct cr_error why = { 0 };
	size_t len = 0, size;
	char *buf;
	int ret;

	ioctl(fd, FIONREAD, &before);
	size = stream ? (size_t)before + 1 : LARGEST;
	buf = malloc(size);
	if (!buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	ret = look(src, fd, buf, size, s, &len, err);
	free(buf);
	if (ret == -ENODATA && !stream && !poll(&p, 1, 0))
		return refuse(src, "an empty message to be received",
			      "receive it before the checkpoint", err);
	if (ret)
		return ret == -EAGAIN || ret == -ENODATA ? 0 : ret;
	if (!stream || len != (size_t)before || !has_descriptors(s) ||
	    !check_pieces(src, s, &why))
		return 0;
	/* it has been so all the time */
	if (ioctl(fd, FIONREAD, &after) || after != before ||
	    sent != sent_size(src, s->peer))
		return 0;
	return cr_error_set(err, why.code, "%s", why.text);
}

int cr_unix_check_queue(const struct cr_object_source *src, int fd,
			struct cr_unix_state *s, struct cr_error *err)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int ret;

	if (s->type == SOCK_STREAM && has_urgent(fd))
		return refuse(src, "urgent data",
			      "receive it before the checkpoint", err);
	if (!may_look(src, fd) || poll(&p, 1, 0) != 1 || p.revents != POLLIN)
		return 0;
	ret = check_first(src, fd, s, err);
	close_seen(s);
	return ret;
}
