/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inet_queue.c - what a TCP or UDP socket has to be received, left there */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "objects/inet.h"

#define ARRIVE_MS 500 /* the kernel waits 40 ms to confirm what came */
#define DATAGRAM_MAX 65536

static struct cr_inet_message *add(struct cr_inet_state *s)
{
	struct cr_inet_message *m;

	m = realloc(s->message, (s->n_messages + 1) * sizeof(*m));
	if (!m)
		return NULL;
	s->message = m;
	m += s->n_messages++;
	memset(m, 0, sizeof(*m));
	return m;
}

/* Everything that the other end has sent is here once it is confirmed. */
static int wait_arrived(const struct cr_object_source *src,
			const struct cr_inet_state *s, struct cr_error *err)
{
	int peer = cr_inet_peer(src, s), left = 0, i;

	if (peer < 0)
		return cr_inet_refuse(src, s, "whose other end has gone",
			      "try again later", err);
	for (i = 0; i < ARRIVE_MS; i++) {
		if (ioctl(peer, SIOCOUTQ, &left) || !left)
			break;
		usleep(1000);
	}
	close(peer);
	if (!left)
		return 0;
	return cr_inet_refuse(src, s,
		      "that has not enough room for what is being sent "
		      "to it",
		      "try again later, when it was read", err);
}

/* Has the other end sent all that it ever will? */
static bool has_end(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info.tcpi_state == TCP_CLOSE_WAIT ||
	       info.tcpi_state == TCP_CLOSING ||
	       info.tcpi_state == TCP_LAST_ACK;
}

/* Bytes in its queue; SIOCINQ counts no further than to urgent data. */
static int queued(int fd)
{
	int before = cr_socket_int(fd, IPPROTO_TCP, TCP_INQ), on = 1, n = 0;
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec vec = { &c, 1 };
	struct msghdr m = { .msg_iov = &vec,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };

	setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof(on));
	if (recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT) >= 0 &&
	    m.msg_controllen && CMSG_FIRSTHDR(&m)->cmsg_type == TCP_CM_INQ)
		memcpy(&n, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(n));
	setsockopt(fd, IPPROTO_TCP, TCP_INQ, &before, sizeof(before));
	return n > 0 ? n - has_end(fd) : 0; /* a FIN counts as a byte */
}

/* Urgent data to be received, or the place where it was is next. */
static bool shows_urgent(int fd)
{
	int mark = 0;
	char c;

	return !ioctl(fd, SIOCATMARK, &mark) &&
	       (mark ||
		recv(fd, &c, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) >= 0 ||
		errno == EAGAIN);
}

static int refuse_urgent(const struct cr_object_source *src,
			 const struct cr_inet_state *s, struct cr_error *err)
{
	return cr_inet_refuse(src, s, "with urgent data",
		      "receive it before the checkpoint", err);
}

/* A FIN counts as a byte of SIOCOUTQ; so do not ask who has sent one. */
int cr_inet_read_stream(const struct cr_object_source *src, int fd,
			struct cr_inet_state *s, struct cr_error *err)
{
	struct cr_inet_message *m;
	int avail = 0, ret = 0;
	ssize_t n;
	char *buf;

	if (s->role == CR_INET_CONNECTED)
		ret = wait_arrived(src, s, err);
	if (ret)
		return ret;
	if (ioctl(fd, SIOCINQ, &avail))
		return cr_error_set(err, -errno, "%s: SIOCINQ: %s",
				    cr_object_label(src), strerror(errno));
	if (shows_urgent(fd) || queued(fd) != avail)
		return refuse_urgent(src, s, err);
	if (!avail)
		return 0;
	m = add(s);
	buf = malloc((size_t)avail);
	if (!m || !buf) {
		free(buf);
		return cr_error_set(err, -ENOMEM, "out of memory");
	}
	m->data.data = buf;
	n = recv(fd, buf, (size_t)avail, MSG_PEEK | MSG_DONTWAIT);
	if (n != avail) /* inline: a look ends where it is */
		return refuse_urgent(src, s, err);
	m->data.len = (size_t)n;
	return 0;
}

/* The place where urgent data was may be behind other data: not seen here. */
int cr_inet_check_stream(const struct cr_object_source *src, int fd,
			 const struct cr_inet_state *s, struct cr_error *err)
{
	return shows_urgent(fd) ? refuse_urgent(src, s, err) : 0;
}

/*
 * By SO_PEEK_OFF each datagram is seen in turn; but an empty one only once,
 * and as the first one of all never if somebody has looked at it before.
 */
static bool hides_empty(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int len = 0;

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN &&
	       !ioctl(fd, FIONREAD, &len) && !len;
}

static int look(const struct cr_object_source *src, int fd, char *buf,
		struct cr_inet_state *s, struct cr_error *err)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct cr_inet_message *m;
	ssize_t n;

	n = recvfrom(fd, buf, DATAGRAM_MAX, MSG_PEEK | MSG_DONTWAIT,
		     (struct sockaddr *)&from, &len);
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN
				       : cr_error_set(err, -errno,
						      "%s: looking into it: %s",
						      cr_object_label(src),
						      strerror(errno));
	if (!n && !len)
		return -EAGAIN; /* the end, as it was shut down */
	m = add(s);
	if (!m || cr_blob_set(&m->from, &from, len) ||
	    cr_blob_set(&m->data, buf, (size_t)n))
		return cr_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

int cr_inet_read_datagrams(const struct cr_object_source *src, int fd,
			   struct cr_inet_state *s, struct cr_error *err)
{
	int before = cr_socket_int(fd, SOL_SOCKET, SO_PEEK_OFF), zero = 0;
	int none = -1, ret = 0;
	char *buf = malloc(DATAGRAM_MAX);

	if (!buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	/* after this look it is hidden from those that follow */
	if (hides_empty(fd)) {
		setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &none, sizeof(none));
		ret = look(src, fd, buf, s, err);
	}
	if (!ret && setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero)))
		ret = cr_error_set(err, -errno, "%s: SO_PEEK_OFF: %s",
				   cr_object_label(src), strerror(errno));
	while (!ret)
		ret = look(src, fd, buf, s, err);
	setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof(before));
	free(buf);
	return ret == -EAGAIN ? 0 : ret;
}
