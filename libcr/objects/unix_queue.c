/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unix_queue.c - what a UNIX socket has to be received, read by looking
 *
 * Looking behind the first message takes SO_PEEK_OFF, which belongs to the
 * socket; it is put back at once.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "objects/unix.h"

#define LARGEST (4u << 20) /* message */

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

/* One look; *len is what there was, -EAGAIN: nothing more. */
static int look(const struct cr_object_source *src, int fd, char *buf,
		size_t size, struct cr_unix_state *s, size_t *len,
		struct cr_error *err)
{
	struct sockaddr_un from = { 0 };
	struct iovec vec = { buf, size };
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &vec,
			    .msg_iovlen = 1 };
	ssize_t n = recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n < 0)
		return cr_error_set(err, -errno, "%s: looking into it: %s",
				    cr_object_label(src), strerror(errno));
	if (m.msg_flags & MSG_CTRUNC)
		return refuse(src,
			      "descriptors or credentials in a message "
			      "that was not received yet",
			      "try again later", err);
	if (m.msg_flags & MSG_TRUNC)
		return refuse(src, "a message that is too long",
			      "receive it before the checkpoint", err);
	*len = (size_t)n;
	if (s->type != SOCK_STREAM && !n)
		return -EAGAIN; /* empty, or the end: see below */
	if (s->type == SOCK_STREAM && !n)
		return -EAGAIN;
	if (add(s, &from, s->type == SOCK_DGRAM ? m.msg_namelen : 0, buf,
		(size_t)n))
		return cr_error_set(err, -ENOMEM, "out of memory");
	return 0;
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

int cr_unix_read_queue(const struct cr_object_source *src, int fd,
		       uint32_t total, struct cr_unix_state *s,
		       struct cr_error *err)
{
	int before = cr_socket_int(fd, SOL_SOCKET, SO_PEEK_OFF), zero = 0;
	size_t got = 0, len = 0, size = total + 1;
	int ret = 0, avail = 0;
	char *buf;

	if (s->type == SOCK_DGRAM) {
		ioctl(fd, FIONREAD, &avail);
		size = LARGEST;
		total = 0;
	} else if (!total) {
		return check_hidden(src, fd, s, err);
	}
	buf = malloc(size);
	if (!buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero)))
		ret = cr_error_set(err, -errno, "%s: SO_PEEK_OFF: %s",
				   cr_object_label(src), strerror(errno));
	while (!ret) {
		ret = look(src, fd, buf, size, s, &len, err);
		got += ret ? 0 : len;
	}
	if (ret == -EAGAIN)
		ret = 0;
	setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof(before));
	free(buf);
	if (!ret && s->type != SOCK_DGRAM && got != total)
		ret = refuse(src,
			     "data that looking does not show (out of "
			     "band?)",
			     "receive it before the checkpoint", err);
	if (!ret && s->type == SOCK_DGRAM && avail && !s->n_messages)
		ret = refuse(src, "an empty message to be received",
			     "receive it before the checkpoint", err);
	return ret ? ret : check_hidden(src, fd, s, err);
}
