/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inet_fill.c - what UDP sockets have to be received at a restart
 *
 * It is sent again by who has sent it.  A connected socket gets nothing from
 * others but what came before it was connected; and of several at one port
 * the kernel prefers the one that is connected to the sender.  So who is to
 * receive is connected for a moment, where that matters.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "objects/inet.h"

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#define ARRIVE_MS 2000

/* Who sends a datagram again: who had this address. */
static struct cr_inet_one *sender(struct cr_inet_all *a,
				  const struct cr_inet_one *o,
				  const struct cr_inet_message *m,
				  struct cr_error *err)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->one[i].s.type == SOCK_DGRAM &&
		    cr_inet_covers(&m->from, &a->one[i].s.name))
			return &a->one[i];
	cr_error_set(err, -ENOTSUP,
		     "a datagram for %s came from %s, which is not in the "
		     "image",
		     cr_inet_text(&o->s.name), cr_inet_text(&m->from));
	return NULL;
}

/* Does another socket of the image get what is sent to this address? */
static bool is_shared(const struct cr_inet_all *a, const struct cr_inet_one *o)
{
	for (size_t i = 0; i < a->n; i++)
		if (&a->one[i] != o && a->one[i].s.type == SOCK_DGRAM &&
		    (cr_inet_covers(&o->s.name, &a->one[i].s.name) ||
		     cr_inet_covers(&a->one[i].s.name, &o->s.name)))
			return true;
	return false;
}

static int connect_to(const struct cr_inet_one *o, const struct cr_blob *to,
		      struct cr_error *err)
{
	if (!connect(o->fd, cr_inet_at(to), (socklen_t)to->len))
		return 0;
	return cr_error_set(err, -errno, "connecting %s to %s: %s",
			    cr_inet_text(&o->s.name), cr_inet_text(to),
			    strerror(errno));
}

/* The kernel forgets some options along with the peer. */
static int disconnect(const struct cr_inet_one *o, struct cr_error *err)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (connect(o->fd, &none, sizeof(none)))
		return cr_error_set(err, -errno, "disconnecting %s: %s",
				    cr_inet_text(&o->s.name), strerror(errno));
	return cr_sockopts_set(o->fd, &o->s.opts, err);
}

/* How much is there for it, in the kernel's own measure; -1: not told. */
static int64_t waiting(int fd)
{
	uint32_t info[16] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len))
		return -1;
	return info[0];
}

/* The address of o for a socket of IPv4, if o is of both. */
static void address(const struct cr_inet_one *o, uint32_t domain,
		    struct sockaddr_storage *to, socklen_t *len)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6;

	memcpy(to, o->s.name.data, o->s.name.len);
	*len = (socklen_t)o->s.name.len;
	if (domain != AF_INET || o->s.domain != AF_INET6 ||
	    o->s.name.len < sizeof(in6))
		return;
	memcpy(&in6, to, sizeof(in6));
	in.sin_port = in6.sin6_port;
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		memcpy(&in.sin_addr, &in6.sin6_addr.s6_addr[12], 4);
	memcpy(to, &in, sizeof(in));
	*len = sizeof(in);
}

static int put_back(const struct cr_inet_one *from, struct cr_inet_one *o,
		    const struct cr_inet_message *m, struct cr_error *err)
{
	int64_t before = waiting(o->fd);
	struct sockaddr_storage to;
	socklen_t len;
	ssize_t n;

	address(o, from->s.domain, &to, &len);
	n = sendto(from->fd, m->data.data, m->data.len,
		   MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to, len);
	if (n != (ssize_t)m->data.len)
		return cr_error_set(err, -errno,
				    "data for %s cannot be put back: %s",
				    cr_inet_text(&o->s.name), strerror(errno));
	for (int i = 0; before >= 0 && waiting(o->fd) <= before; i++) {
		if (i == ARRIVE_MS)
			return cr_error_set(err, -EIO,
					    "data for %s cannot be put back: it "
					    "does not arrive",
					    cr_inet_text(&o->s.name));
		usleep(1000);
	}
	return 0;
}

int cr_inet_fill_datagrams(struct cr_inet_all *a, struct cr_inet_one *o,
			   struct cr_error *err)
{
	bool connected = o->s.role == CR_INET_CONNECTED;
	bool aim = o->s.n_messages && (connected || is_shared(a, o));
	struct cr_inet_one *from;
	int ret = 0;

	for (size_t i = 0; !ret && i < o->s.n_messages; i++) {
		from = sender(a, o, &o->s.message[i], err);
		ret = from ? 0 : -ENOTSUP;
		if (!ret && aim)
			ret = connect_to(o, &o->s.message[i].from, err);
		if (!ret)
			ret = put_back(from, o, &o->s.message[i], err);
	}
	if (ret)
		return ret;
	if (connected)
		return connect_to(o, &o->s.peer, err);
	return aim ? disconnect(o, err) : 0;
}
