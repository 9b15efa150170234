/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inet_restore.c - all TCP and UDP sockets of an image, made together
 *
 * A connection is made anew between the addresses that it had: one end
 * listens, or one of the program's own sockets does, the other connects.
 */
#include "objects/inet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"
#include "restore/restore.h"

#define RESET_MS 2000
#define ACCEPT_MS 30000

static int read_all(struct cr_restore_context *ctx, struct cr_inet_all *a,
		    struct cr_error *err)
{
	const struct cr_image *img = cr_restore_image(ctx);
	int ret = 0;

	a->one = calloc(img->n_files + 1, sizeof(*a->one));
	if (!a->one)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; !ret && i < img->n_files; i++) {
		struct cr_inet_one *o = &a->one[a->n];

		if (img->files[i].kind != CR_OBJ_INET)
			continue;
		o->file = &img->files[i];
		o->fd = o->stand_in = -1;
		a->n++;
		ret = cr_object_unrecord(o->file, cr_inet_record, &o->s, err);
	}
	return ret;
}

static int make(struct cr_inet_one *o, struct cr_error *err)
{
	int ret;

	o->fd = cr_inet_socket(&o->s, err);
	ret = o->fd < 0 ? o->fd : cr_inet_bind(o->fd, &o->s, err);
	if (!ret && o->s.role == CR_INET_LISTENING &&
	    listen(o->fd, (int)o->s.backlog))
		ret = cr_error_set(err, -errno, "listening at %s: %s",
				   cr_inet_text(&o->s.name), strerror(errno));
	return ret;
}

/* Who accepts for o: a socket of the program, or one for this moment. */
static int listener(struct cr_inet_all *a, struct cr_inet_one *o,
		    struct cr_error *err)
{
	for (size_t i = 0; i < a->n; i++) {
		struct cr_inet_one *l = &a->one[i];

		if (l->s.role == CR_INET_LISTENING &&
		    cr_inet_covers(&o->s.name, &l->s.name))
			return l->fd;
		if (l->stand_in >= 0 && cr_inet_same(&o->s.name, &l->s.name))
			return l->stand_in;
	}
	o->stand_in = cr_inet_socket(&o->s, err);
	if (o->stand_in < 0)
		return o->stand_in;
	if (cr_inet_bind(o->stand_in, &o->s, err))
		return err ? err->code : -EADDRINUSE;
	if (listen(o->stand_in, 16))
		return cr_error_set(err, -errno, "listening at %s: %s",
				    cr_inet_text(&o->s.name), strerror(errno));
	return o->stand_in;
}

/* Again and again while the kernel remembers the old connection. */
static int connect_client(struct cr_inet_one *client, struct cr_error *err)
{
	struct cr_error why = { 0 };
	int ret = 0, i;

	for (i = 0; i < CR_INET_PATIENCE_MS / CR_INET_NAP_MS; i++) {
		cr_error_clear(&why);
		client->fd = cr_inet_socket(&client->s, &why);
		ret = client->fd < 0
			      ? client->fd
			      : cr_inet_bind(client->fd, &client->s, &why);
		if (!ret && connect(client->fd, cr_inet_at(&client->s.peer),
				    (socklen_t)client->s.peer.len))
			ret = cr_error_set(&why, -errno, "connecting to %s: %s",
					   cr_inet_text(&client->s.peer),
					   strerror(errno));
		/* such an answer of connect(2): the pair is remembered */
		if (ret != -EADDRNOTAVAIL ||
		    !cr_inet_remembered(&client->s.name))
			break;
		close(client->fd);
		client->fd = -1;
		usleep(CR_INET_NAP_MS * 1000);
	}
	return ret ? cr_error_set(err, ret, "%s", why.text) : 0;
}

/* One of them; strangers are turned away. */
static int accept_one(const struct pollfd *p, nfds_t n,
		      const struct cr_blob *peer, struct cr_error *err)
{
	struct sockaddr_storage from;
	struct cr_blob b = { &from, 0 };
	socklen_t len;
	int fd;

	for (nfds_t i = 0; i < n; i++) {
		if (!p[i].revents)
			continue;
		len = sizeof(from);
		fd = accept4(p[i].fd, (struct sockaddr *)&from, &len,
			     SOCK_CLOEXEC);
		if (fd < 0)
			return cr_error_set(err, -errno, "accept: %s",
					    strerror(errno));
		b.len = len;
		if (cr_inet_same(&b, peer))
			return fd;
		close(fd);
	}
	return -EAGAIN;
}

/*
 * The server's end.  Of several that listen at this address (SO_REUSEPORT) the
 * kernel chooses one, which need not be the one of before.
 */
static int accept_from(struct cr_inet_all *a, int l,
		       const struct cr_inet_one *server, struct cr_error *err)
{
	struct pollfd *p = calloc(a->n + 1, sizeof(*p));
	nfds_t n = 1;
	int fd = -EAGAIN;

	if (!p)
		return cr_error_set(err, -ENOMEM, "out of memory");
	p[0] = (struct pollfd){ l, POLLIN, 0 };
	for (size_t i = 0; i < a->n; i++)
		if (a->one[i].s.role == CR_INET_LISTENING &&
		    a->one[i].fd != l &&
		    cr_inet_covers(&server->s.name, &a->one[i].s.name))
			p[n++] = (struct pollfd){ a->one[i].fd, POLLIN, 0 };
	while (fd == -EAGAIN)
		if (poll(p, n, ACCEPT_MS) > 0)
			fd = accept_one(p, n, &server->s.peer, err);
		else
			fd = cr_error_set(err, -ETIMEDOUT,
					  "the connection from %s does not "
					  "come in: does another program listen "
					  "at %s?",
					  cr_inet_text(&server->s.peer),
					  cr_inet_text(&server->s.name));
	free(p);
	return fd;
}

static struct cr_inet_one *other_end(struct cr_inet_all *a,
				     const struct cr_inet_one *o)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->one[i].s.type == o->s.type &&
		    a->one[i].s.role == CR_INET_CONNECTED &&
		    cr_inet_same(&a->one[i].s.name, &o->s.peer) &&
		    cr_inet_same(&a->one[i].s.peer, &o->s.name))
			return &a->one[i];
	return NULL;
}

static bool has_listener(struct cr_inet_all *a, const struct cr_inet_one *o)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->one[i].s.role == CR_INET_LISTENING &&
		    cr_inet_covers(&o->s.name, &a->one[i].s.name))
			return true;
	return false;
}

static int make_connection(struct cr_inet_all *a, struct cr_inet_one *o,
			   struct cr_error *err)
{
	struct cr_inet_one *server = o, *client = other_end(a, o);
	int l, ret, zero = 0;

	if (o->fd >= 0)
		return 0;
	if (client == o) /* to itself, which needs nobody to accept */
		return connect_client(o, err);
	if (!client)
		return cr_error_set(err, -EINVAL,
				    "the other end of the connection with %s "
				    "is not in the image",
				    cr_inet_text(&o->s.peer));
	if (!has_listener(a, server) && has_listener(a, client)) {
		server = client;
		client = o;
	}
	l = listener(a, server, err);
	if (l < 0)
		return l;
	ret = connect_client(client, err);
	if (ret)
		return ret;
	server->fd = accept_from(a, l, server, err);
	if (server->fd < 0)
		return server->fd;
	/* what it has inherited is not its own */
	setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &zero, sizeof(zero));
	return 0;
}

/* What the program sees once the other end has given the connection up. */
static int give_up(int peer, const struct cr_inet_one *o, struct cr_error *err)
{
	struct pollfd p = { o->fd, 0, 0 };
	struct linger now = { 1, 0 };
	struct timeval limit = { RESET_MS / 1000, 0 };
	int left = 1;

	setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	for (size_t i = 0; i < o->s.n_messages; i++)
		if (send(peer, o->s.message[i].data.data,
			 o->s.message[i].data.len,
			 MSG_NOSIGNAL) != (ssize_t)o->s.message[i].data.len)
			return cr_error_set(err, -EIO,
					    "data for %s cannot be put back",
					    cr_inet_text(&o->s.name));
	for (int i = 0; left && i < RESET_MS; i++)
		if (ioctl(peer, SIOCOUTQ, &left) || left)
			usleep(1000);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(peer);
	if (left || poll(&p, 1, RESET_MS) != 1 || !(p.revents & POLLERR))
		return cr_error_set(err, -EIO,
				    "the connection with %s cannot be reset",
				    cr_inet_text(&o->s.peer));
	return 0;
}

/* It has been connected, to us: no address of before is needed for that. */
static int make_reset(struct cr_inet_one *o, struct cr_error *err)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), zero = 0;
	socklen_t len = sizeof(to);
	int peer = -1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	o->fd = cr_inet_socket(&o->s, err);
	if (l < 0 || o->fd < 0 || bind(l, (struct sockaddr *)&to, len) ||
	    listen(l, 1) || getsockname(l, (struct sockaddr *)&to, &len))
		goto failed;
	mapped.sin6_port = to.sin_port;
	mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&mapped.sin6_addr.s6_addr[12], &to.sin_addr, 4);
	setsockopt(o->fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (o->s.domain == AF_INET6
		    ? connect(o->fd, (struct sockaddr *)&mapped, sizeof(mapped))
		    : connect(o->fd, (struct sockaddr *)&to, len))
		goto failed;
	peer = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	if (peer < 0)
		goto failed;
	close(l);
	return give_up(peer, o, err);
failed:
	cr_error_set(err, -errno, "a connection to be reset: %s",
		     strerror(errno));
	if (l >= 0)
		close(l);
	return err && err->code ? err->code : -EIO;
}

static int make_all(struct cr_inet_all *a, struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < a->n; i++)
		if (a->one[i].s.role == CR_INET_RESET)
			ret = make_reset(&a->one[i], err);
		else if (a->one[i].s.role != CR_INET_CONNECTED ||
			 a->one[i].s.type != SOCK_STREAM)
			ret = make(&a->one[i], err);
	for (size_t i = 0; !ret && i < a->n; i++) {
		struct cr_inet_one *o = &a->one[i];

		if (o->s.role == CR_INET_CONNECTED &&
		    o->s.type == SOCK_STREAM)
			ret = make_connection(a, o, err);
	}
	for (size_t i = 0; i < a->n; i++)
		if (a->one[i].stand_in >= 0)
			close(a->one[i].stand_in);
	for (size_t i = 0; !ret && i < a->n; i++)
		if (a->one[i].s.role == CR_INET_RESET)
			cr_sockopts_set(a->one[i].fd, &a->one[i].s.opts, NULL);
		else
			ret = cr_sockopts_set(a->one[i].fd, &a->one[i].s.opts,
					      err);
	return ret;
}

/* What the other end has sent, by the other end. */
static int put_back(struct cr_inet_all *a, struct cr_inet_one *o,
		    const struct cr_inet_message *m, struct cr_error *err)
{
	struct cr_inet_one *p = other_end(a, o);
	size_t done = 0;
	ssize_t n;

	if (!p)
		return cr_error_set(err, -EINVAL, "data for %s is from nobody",
				    cr_inet_text(&o->s.name));
	while (done < m->data.len) {
		n = send(p->fd, (char *)m->data.data + done, m->data.len - done,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return cr_error_set(err, -errno,
					    "data for %s cannot be put back: "
					    "%s",
					    cr_inet_text(&o->s.name),
					    strerror(errno));
		done += (size_t)n;
	}
	return 0;
}

static int finish(struct cr_restore_context *ctx, struct cr_inet_one *o,
		  struct cr_error *err)
{
	int ret = 0;

	cr_sockopts_set_late(o->fd, &o->s.opts);
	/* a UDP socket need not be connected for that, whatever is said */
	if (o->s.shutdown && o->s.role != CR_INET_RESET &&
	    shutdown(o->fd, (int)o->s.shutdown - 1) &&
	    (o->s.type == SOCK_STREAM || errno != ENOTCONN))
		ret = cr_error_set(err, -errno, "shutdown: %s",
				   strerror(errno));
	if (!ret && cr_object_set_flags(o->fd, o->file))
		ret = cr_error_set(err, -errno, "flags: %s", strerror(errno));
	if (!ret &&
	    cr_restore_remember(ctx, CR_OBJ_INET, o->file->object_id, 0, o->fd))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	return ret;
}

static int restore_all(struct cr_restore_context *ctx, struct cr_error *err)
{
	struct cr_inet_all a = { 0 };
	int ret;

	ret = read_all(ctx, &a, err);
	if (!ret)
		ret = make_all(&a, err);
	for (size_t i = 0; !ret && i < a.n; i++)
		for (size_t k = 0; !ret && a.one[i].s.type == SOCK_STREAM &&
				   a.one[i].s.role != CR_INET_RESET &&
				   k < a.one[i].s.n_messages;
		     k++)
			ret = put_back(&a, &a.one[i], &a.one[i].s.message[k],
				       err);
	for (size_t i = 0; !ret && i < a.n; i++)
		if (a.one[i].s.type == SOCK_DGRAM)
			ret = cr_inet_fill_datagrams(&a, &a.one[i], err);
	for (size_t i = 0; !ret && i < a.n; i++)
		ret = finish(ctx, &a.one[i], err);
	for (size_t i = 0; a.one && i < a.n; i++)
		cr_inet_free(&a.one[i].s);
	free(a.one);
	return ret;
}

int cr_inet_restore(struct cr_restore_context *ctx, const struct cr_file *file,
		    struct cr_error *err)
{
	int fd, ret;

	if (cr_restore_lookup(ctx, CR_OBJ_INET, file->object_id, 0, &fd)) {
		ret = restore_all(ctx, err);
		if (ret)
			return ret;
	}
	if (cr_restore_lookup(ctx, CR_OBJ_INET, file->object_id, 0, &fd))
		return cr_error_set(err, -EINVAL, "it was not made");
	return cr_object_another(fd, err);
}
