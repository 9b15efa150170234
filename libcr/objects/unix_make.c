/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unix_make.c - UNIX sockets of an image and their connections
 *
 * First what has an address, then connections.  A connection with addresses
 * is made by connecting to them, for which a listening socket stands in where
 * the program's own was closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "objects/unix_set.h"

struct cr_unix_one *cr_unix_append(struct cr_unix_all *a)
{
	struct cr_unix_one *more;

	if (a->n == a->room) {
		a->room = a->room ? a->room * 2 : 16;
		more = realloc(a->one, a->room * sizeof(*more));
		if (!more)
			return NULL;
		a->one = more;
	}
	more = &a->one[a->n++];
	memset(more, 0, sizeof(*more));
	more->fd = more->other = -1;
	return more;
}

/* Everything but connections of streams: these have two ends to be made. */
static int make(struct cr_unix_all *a, struct cr_unix_one *o,
		struct cr_error *err)
{
	int ret;

	if (o->fd >= 0)
		return 0;
	o->fd = cr_unix_socket(o->s.type, err);
	ret = o->fd < 0 ? o->fd : cr_unix_bind(a, o->fd, &o->s, err);
	if (!ret && o->s.role == CR_UNIX_LISTENING &&
	    listen(o->fd, (int)o->s.backlog))
		ret = cr_error_set(err, -errno, "listen: %s", strerror(errno));
	return ret;
}

/* Who listens at the address of the accepted end o. */
static int listener(struct cr_unix_all *a, const struct cr_unix_one *o, int *fd,
		    struct cr_error *err)
{
	struct cr_unix_one *l =
		cr_unix_find_name(a, &o->s.name, CR_UNIX_LISTENING);
	struct cr_unix_state s;
	int ret;

	if (!l) {
		s = o->s; /* what o is stays valid, o itself may move */
		l = cr_unix_append(a);
		if (!l)
			return cr_error_set(err, -ENOMEM, "out of memory");
		l->stands_in = true;
		l->s.type = s.type;
		l->s.role = CR_UNIX_LISTENING;
		l->s.backlog = 16;
		l->s.linked = s.linked;
		l->s.mode = s.mode;
		l->s.dir = s.dir ? strdup(s.dir) : NULL;
		if (cr_blob_set(&l->s.name, s.name.data, s.name.len))
			return cr_error_set(err, -ENOMEM, "out of memory");
		ret = make(a, l, err);
		if (ret)
			return ret;
	}
	*fd = l->fd;
	return 0;
}

/*
 * A connection between what will be server (which has the address) and
 * client; the client may have one, too.
 */
static int connect_pair(struct cr_unix_all *a, size_t server,
			const struct cr_unix_state *client, int *server_fd,
			int *client_fd, struct cr_error *err)
{
	int l = -1, ret;

	*client_fd = cr_unix_socket(a->one[server].s.type, err);
	ret = *client_fd < 0 ? *client_fd : 0;
	if (!ret && client)
		ret = cr_unix_bind(a, *client_fd, client, err);
	if (!ret)
		ret = listener(a, &a->one[server], &l, err);
	if (!ret)
		ret = cr_unix_connect(a, *client_fd, &a->one[server].s.name,
				      &a->one[server].s, err);
	if (ret)
		return ret;
	*server_fd = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (*server_fd < 0)
		return cr_error_set(err, -errno, "accept: %s", strerror(errno));
	return 0;
}

static int plain_pair(uint32_t type, int *a, int *b, struct cr_error *err)
{
	int fd[2];

	if (socketpair(AF_UNIX, (int)type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       fd))
		return cr_error_set(err, -errno, "socketpair: %s",
				    strerror(errno));
	*a = fd[0];
	*b = fd[1];
	return 0;
}

static int make_connection(struct cr_unix_all *a, size_t i,
			   struct cr_error *err)
{
	struct cr_unix_one *o = &a->one[i], *p = cr_unix_find(a, o->s.peer);
	int fd[2] = { -1, -1 }, ret;
	size_t server, client;

	if (o->fd >= 0)
		return 0;
	if (!p || p == o || p->s.type != o->s.type)
		return cr_error_set(err, -EINVAL,
				    "the other end of a UNIX socket is not in "
				    "the image");
	if (o->s.type == SOCK_DGRAM &&
	    (o->s.name.len || p->s.name.len || p->s.peer != o->file->object_id))
		return 0; /* by their addresses */
	if (!o->s.name.len && !p->s.name.len)
		return plain_pair(o->s.type, &o->fd, &p->fd, err);
	/* the accepted end has the address of who listened */
	server = i;
	client = (size_t)(p - a->one);
	if (!o->s.name.len ||
	    (p->s.name.len &&
	     cr_unix_find_name(a, &p->s.name, CR_UNIX_LISTENING))) {
		server = client;
		client = i;
	}
	ret = connect_pair(a, server, &a->one[client].s, &fd[0], &fd[1], err);
	a->one[server].fd = fd[0];
	a->one[client].fd = fd[1];
	return ret;
}

/* The name that it was connected to, of one that has gone. */
static int make_lonely_datagram(struct cr_unix_all *a, struct cr_unix_one *o,
				struct cr_error *err)
{
	struct cr_unix_state gone = o->s;
	int fd = -1, ret;

	if (!o->s.peer_name.len) {
		ret = plain_pair(SOCK_DGRAM, &o->fd, &o->other, err);
		return ret ? ret : cr_unix_bind(a, o->fd, &o->s, err);
	}
	o->fd = cr_unix_socket(SOCK_DGRAM, err);
	ret = o->fd < 0 ? o->fd : cr_unix_bind(a, o->fd, &o->s, err);
	gone.name = o->s.peer_name;
	gone.mode = 0600;
	if (!ret)
		fd = cr_unix_socket(SOCK_DGRAM, err);
	if (!ret)
		ret = fd < 0 ? fd : cr_unix_bind(a, fd, &gone, err);
	if (!ret)
		ret = cr_unix_connect(a, o->fd, &gone.name, &gone, err);
	if (fd >= 0)
		close(fd);
	return ret;
}

/* The other end comes only to go again. */
static int make_alone(struct cr_unix_all *a, size_t i, struct cr_error *err)
{
	struct cr_unix_state gone = { 0 };
	struct cr_unix_one *o = &a->one[i], *g;
	int fd[2] = { -1, -1 }, ret;

	if (!o->s.name.len && !o->s.peer_name.len)
		return plain_pair(o->s.type, &o->fd, &o->other, err);
	if (o->s.type == SOCK_DGRAM)
		return make_lonely_datagram(a, o, err);
	if (o->s.name.len && !o->s.peer_name.len) {
		ret = connect_pair(a, i, NULL, &fd[0], &fd[1], err);
		a->one[i].fd = fd[0];
		a->one[i].other = fd[1];
		return ret;
	}
	/* it was the client of somebody who has gone */
	gone = o->s;
	g = cr_unix_append(a);
	if (!g)
		return cr_error_set(err, -ENOMEM, "out of memory");
	g->stands_in = true;
	g->s.type = gone.type;
	g->s.role = CR_UNIX_PLAIN;
	g->s.mode = 0600;
	g->s.dir = gone.dir ? strdup(gone.dir) : NULL;
	if (cr_blob_set(&g->s.name, gone.peer_name.data, gone.peer_name.len))
		return cr_error_set(err, -ENOMEM, "out of memory");
	ret = connect_pair(a, (size_t)(g - a->one), &gone, &fd[0], &fd[1], err);
	a->one[i].fd = fd[1];
	a->one[i].other = fd[0];
	return ret;
}

int cr_unix_make_all(struct cr_unix_all *a, struct cr_error *err)
{
	size_t n = a->n; /* more come that stand in */
	int ret = 0;

	for (size_t i = 0; !ret && i < n; i++)
		if (a->one[i].s.role == CR_UNIX_LISTENING)
			ret = make(a, &a->one[i], err);
	for (size_t i = 0; !ret && i < n; i++)
		if (a->one[i].s.role == CR_UNIX_CONNECTED)
			ret = make_connection(a, i, err);
		else if (a->one[i].s.role == CR_UNIX_ALONE)
			ret = make_alone(a, i, err);
	for (size_t i = 0; !ret && i < n; i++)
		ret = make(a, &a->one[i], err);
	for (size_t i = 0; !ret && i < n; i++)
		ret = cr_sockopts_set(a->one[i].fd, &a->one[i].s.opts, err);
	return ret;
}

/*
 * How many messages came to a datagram socket before it was connected, after
 * which it gets none from others.
 */
size_t cr_unix_before_connect(const struct cr_unix_one *o)
{
	size_t n = o->s.type == SOCK_DGRAM && o->s.peer_name.len
			   ? o->s.n_messages
			   : 0;

	while (n > 0 && o->s.message[n - 1].from.len == o->s.peer_name.len &&
	       !memcmp(o->s.message[n - 1].from.data, o->s.peer_name.data,
		       o->s.peer_name.len))
		n--;
	return n;
}

int cr_unix_connect_datagram(struct cr_unix_all *a, struct cr_unix_one *o,
			     struct cr_error *err)
{
	struct cr_unix_one *p = cr_unix_find(a, o->s.peer);

	return cr_unix_connect(a, o->fd, &o->s.peer_name, p ? &p->s : NULL,
			       err);
}

/* Datagram sockets with an address, and connections not accepted yet. */
int cr_unix_connect_all(struct cr_unix_all *a, struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < a->n; i++) {
		struct cr_unix_one *o = &a->one[i];

		if ((o->s.role == CR_UNIX_OUTSIDE ||
		     (o->s.role == CR_UNIX_CONNECTED &&
		      o->s.type == SOCK_DGRAM && o->s.peer_name.len)) &&
		    !cr_unix_before_connect(o))
			ret = cr_unix_connect_datagram(a, o, err);
		for (size_t k = 0; !ret && k < o->s.n_pending; k++) {
			struct cr_unix_one *c =
				cr_unix_find(a, o->s.pending[k]);

			if (!c || c->s.role != CR_UNIX_WAITING)
				ret = cr_error_set(err, -EINVAL,
						   "who waits at socket %s is "
						   "not in the image",
						   cr_unix_text(&o->s.name));
			else
				ret = cr_unix_connect(a, c->fd, &o->s.name,
						      &o->s, err);
		}
	}
	return ret;
}
