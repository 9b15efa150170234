/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unix_restore.c - all UNIX sockets of an image, made together
 *
 * First what has an address, then connections, then what waits in queues,
 * and what shuts them down last.  A connection with addresses is made by
 * connecting to them, for which a listening socket stands in where the
 * program's own was closed.
 */
#include "objects/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"
#include "restore/restore.h"

struct one {
	const struct cr_file *file;
	struct cr_unix_state s;
	int fd;
	int other;	/* CR_UNIX_ALONE: the end that is closed again */
	bool stands_in; /* a listening socket that is closed again */
};

struct all {
	struct cr_restore_context *ctx;
	struct one *one;
	size_t n, room;
	int cwd;
};

static struct one *find(struct all *a, uint64_t id)
{
	for (size_t i = 0; i < a->n; i++)
		if (!a->one[i].stands_in && a->one[i].file->object_id == id)
			return &a->one[i];
	return NULL;
}

static bool same(const struct cr_blob *a, const struct cr_blob *b)
{
	return a->len == b->len &&
	       (!a->len || !memcmp(a->data, b->data, a->len));
}

static struct one *find_name(struct all *a, const struct cr_blob *name,
			     uint32_t role)
{
	for (size_t i = 0; name->len && i < a->n; i++)
		if ((!role || a->one[i].s.role == role) &&
		    same(&a->one[i].s.name, name))
			return &a->one[i];
	return NULL;
}

static const char *text(const struct cr_blob *name)
{
	static char buf[128];
	const char *p = name->data;
	size_t n = name->len > 107 ? 107 : name->len;

	if (!n)
		return "without a name";
	snprintf(buf, sizeof(buf), "%.*s", (int)n, p);
	if (!p[0])
		snprintf(buf, sizeof(buf), "@%.*s", (int)n - 1, p + 1);
	return buf;
}

/* The address after --relocate. */
static int address(struct all *a, const struct cr_blob *name,
		   struct sockaddr_un *to, socklen_t *len, struct cr_error *err)
{
	char path[sizeof(to->sun_path) + 1] = { 0 };
	const char *p = name->data;
	size_t n = name->len;

	memset(to, 0, sizeof(*to));
	to->sun_family = AF_UNIX;
	if (n > sizeof(to->sun_path))
		return cr_error_set(err, -EINVAL, "address of %zu bytes", n);
	if (n && p[0] == '/') {
		memcpy(path, p, n);
		p = cr_restore_path(a->ctx, path);
		if (p && p != path)
			n = strlen(p) + 1;
		if (!p || n > sizeof(to->sun_path))
			return cr_error_set(err, -ENAMETOOLONG,
					    "%s is too long for the address "
					    "of a socket",
					    p ? p : path);
	}
	if (n)
		memcpy(to->sun_path, p, n);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return 0;
}

static int enter(struct all *a, const struct cr_unix_state *s,
		 struct cr_error *err)
{
	const char *dir;

	if (!s->dir)
		return 0;
	dir = cr_restore_path(a->ctx, s->dir);
	if (!dir || chdir(dir))
		return cr_error_set(err, -errno, "%s: %s", s->dir,
				    strerror(errno));
	return 0;
}

/* A socket file that nobody uses any more may be replaced. */
static int make_room(const struct sockaddr_un *to, socklen_t len, int type,
		     struct cr_error *err)
{
	char path[sizeof(to->sun_path) + 1] = { 0 };
	struct stat st;
	int fd, ret;

	memcpy(path, to->sun_path,
	       len - offsetof(struct sockaddr_un, sun_path));
	if (lstat(path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return cr_error_set(err, -EEXIST, "%s is there and no socket",
				    path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ret = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)to, len);
	if (fd >= 0 && ret && errno == ECONNREFUSED)
		ret = unlink(path) ? -errno : 0;
	else
		ret = cr_error_set(err, -EADDRINUSE,
				   "%s: a running program uses this socket",
				   path);
	if (fd >= 0)
		close(fd);
	return ret;
}

static int bind_to(struct all *a, int fd, const struct cr_unix_state *s,
		   struct cr_error *err)
{
	struct sockaddr_un to;
	socklen_t len;
	int ret;

	if (!s->name.len)
		return 0;
	ret = address(a, &s->name, &to, &len, err);
	if (!ret)
		ret = enter(a, s, err);
	if (!ret && to.sun_path[0])
		ret = make_room(&to, len, (int)s->type, err);
	if (!ret && bind(fd, (struct sockaddr *)&to, len))
		ret = cr_error_set(err, -errno, "socket %s: %s", text(&s->name),
				   strerror(errno));
	if (!ret && to.sun_path[0] && chmod(to.sun_path, s->mode))
		ret = cr_error_set(err, -errno, "socket %s: mode: %s",
				   text(&s->name), strerror(errno));
	if (fchdir(a->cwd) && !ret)
		ret = cr_error_set(err, -errno, "working directory: %s",
				   strerror(errno));
	return ret;
}

static int connect_to(struct all *a, int fd, const struct cr_blob *name,
		      const struct cr_unix_state *owner, struct cr_error *err)
{
	struct sockaddr_un to;
	socklen_t len;
	int ret = address(a, name, &to, &len, err);

	if (!ret && owner)
		ret = enter(a, owner, err);
	if (!ret && connect(fd, (struct sockaddr *)&to, len))
		ret = cr_error_set(err, -errno, "connecting to socket %s: %s",
				   text(name), strerror(errno));
	if (fchdir(a->cwd) && !ret)
		ret = cr_error_set(err, -errno, "working directory: %s",
				   strerror(errno));
	return ret;
}

static int new_socket(uint32_t type, struct cr_error *err)
{
	int fd = socket(AF_UNIX, (int)type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? cr_error_set(err, -errno, "socket: %s", strerror(errno))
		      : fd;
}

static struct one *append(struct all *a)
{
	struct one *more;

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

static int read_all(struct all *a, struct cr_error *err)
{
	const struct cr_image *img = cr_restore_image(a->ctx);
	int ret = 0;

	for (size_t i = 0; !ret && i < img->n_files; i++) {
		struct one *o;

		if (img->files[i].kind != CR_OBJ_UNIX)
			continue;
		o = append(a);
		if (!o)
			return cr_error_set(err, -ENOMEM, "out of memory");
		o->file = &img->files[i];
		ret = cr_object_unrecord(o->file, cr_unix_record, &o->s, err);
	}
	return ret;
}

/* Everything but connections of streams: these have two ends to be made. */
static int make(struct all *a, struct one *o, struct cr_error *err)
{
	int ret;

	if (o->fd >= 0)
		return 0;
	o->fd = new_socket(o->s.type, err);
	ret = o->fd < 0 ? o->fd : bind_to(a, o->fd, &o->s, err);
	if (!ret && o->s.role == CR_UNIX_LISTENING &&
	    listen(o->fd, (int)o->s.backlog))
		ret = cr_error_set(err, -errno, "listen: %s", strerror(errno));
	return ret;
}

/* Who listens at the address of the accepted end o. */
static int listener(struct all *a, const struct one *o, int *fd,
		    struct cr_error *err)
{
	struct one *l = find_name(a, &o->s.name, CR_UNIX_LISTENING);
	struct cr_unix_state s;
	int ret;

	if (!l) {
		s = o->s; /* what o is stays valid, o itself may move */
		l = append(a);
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
static int connect_pair(struct all *a, size_t server,
			const struct cr_unix_state *client, int *server_fd,
			int *client_fd, struct cr_error *err)
{
	int l = -1, ret;

	*client_fd = new_socket(a->one[server].s.type, err);
	ret = *client_fd < 0 ? *client_fd : 0;
	if (!ret && client)
		ret = bind_to(a, *client_fd, client, err);
	if (!ret)
		ret = listener(a, &a->one[server], &l, err);
	if (!ret)
		ret = connect_to(a, *client_fd, &a->one[server].s.name,
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

static int make_connection(struct all *a, size_t i, struct cr_error *err)
{
	struct one *o = &a->one[i], *p = find(a, o->s.peer);
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
	    (p->s.name.len && find_name(a, &p->s.name, CR_UNIX_LISTENING))) {
		server = client;
		client = i;
	}
	ret = connect_pair(a, server, &a->one[client].s, &fd[0], &fd[1], err);
	a->one[server].fd = fd[0];
	a->one[client].fd = fd[1];
	return ret;
}

/* The other end comes only to go again. */
static int make_alone(struct all *a, size_t i, struct cr_error *err)
{
	struct cr_unix_state gone = { 0 };
	struct one *o = &a->one[i], *g;
	int fd[2] = { -1, -1 }, ret;

	if (!o->s.name.len && !o->s.peer_name.len)
		return plain_pair(o->s.type, &o->fd, &o->other, err);
	if (o->s.name.len && !o->s.peer_name.len) {
		ret = connect_pair(a, i, NULL, &fd[0], &fd[1], err);
		a->one[i].fd = fd[0];
		a->one[i].other = fd[1];
		return ret;
	}
	/* it was the client of somebody who has gone */
	gone = o->s;
	g = append(a);
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

static int make_all(struct all *a, struct cr_error *err)
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

/* Datagram sockets with an address, and connections not accepted yet. */
static int connect_all(struct all *a, struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < a->n; i++) {
		struct one *o = &a->one[i], *p = find(a, o->s.peer);

		if (o->s.role == CR_UNIX_OUTSIDE ||
		    (o->s.role == CR_UNIX_CONNECTED &&
		     o->s.type == SOCK_DGRAM && o->s.peer_name.len))
			ret = connect_to(a, o->fd, &o->s.peer_name,
					 p ? &p->s : NULL, err);
		for (size_t k = 0; !ret && k < o->s.n_pending; k++) {
			struct one *c = find(a, o->s.pending[k]);

			if (!c || c->s.role != CR_UNIX_WAITING)
				ret = cr_error_set(err, -EINVAL,
						   "who waits at socket %s is "
						   "not in the image",
						   text(&o->s.name));
			else
				ret = connect_to(a, c->fd, &o->s.name, &o->s,
						 err);
		}
	}
	return ret;
}

static int deliver(struct all *a, struct one *o,
		   const struct cr_unix_message *m, struct cr_error *err)
{
	struct one *from = find_name(a, &m->from, 0), *p = find(a, o->s.peer);
	struct sockaddr_un to;
	socklen_t len = 0;
	int fd = o->other, temp = -1, ret = 0;
	size_t done = 0;
	ssize_t n;

	if (fd < 0 && o->s.role == CR_UNIX_CONNECTED && p)
		fd = p->fd;
	if (o->s.type == SOCK_DGRAM && o->other < 0) {
		if (m->from.len && !from)
			return cr_error_set(err, -ENOTSUP,
					    "a message for socket %s came from "
					    "%s, which is not in the image",
					    text(&o->s.name), text(&m->from));
		if (from)
			fd = from->fd;
		else if (fd < 0)
			fd = temp = new_socket(SOCK_DGRAM, err);
		if (fd < 0)
			return fd;
		if (o->s.name.len)
			ret = address(a, &o->s.name, &to, &len, err);
		if (!ret)
			ret = enter(a, &o->s, err);
	}
	do {
		if (ret)
			break;
		n = sendto(fd, (char *)m->data.data + done, m->data.len - done,
			   MSG_DONTWAIT | MSG_NOSIGNAL,
			   len ? (struct sockaddr *)&to : NULL, len);
		if (n < 0)
			ret = cr_error_set(err, -errno,
					   "data in socket %s cannot be put "
					   "back: %s",
					   text(&o->s.name), strerror(errno));
		else
			done += (size_t)n;
	} while (!ret && done < m->data.len);
	if (temp >= 0)
		close(temp);
	if (fchdir(a->cwd) && !ret)
		ret = cr_error_set(err, -errno, "working directory: %s",
				   strerror(errno));
	return ret;
}

static int fill_all(struct all *a, struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < a->n; i++) {
		struct one *o = &a->one[i];

		for (size_t k = 0; !ret && k < o->s.n_messages; k++)
			ret = deliver(a, o, &o->s.message[k], err);
		if (!ret && o->s.reset && send(o->fd, "", 1, MSG_DONTWAIT) != 1)
			ret = cr_error_set(err, -errno,
					   "resetting a socket: "
					   "%s",
					   strerror(errno));
	}
	return ret;
}

/* Is there a file of this name that must stay? */
static bool is_linked(struct all *a, const struct cr_blob *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->one[i].s.linked && same(&a->one[i].s.name, name))
			return true;
	return false;
}

/* What was there only to help goes, and so do names that had gone. */
static int finish(struct all *a, struct one *o, struct cr_error *err)
{
	struct sockaddr_un at;
	socklen_t len;
	int ret = 0;

	if (o->other >= 0)
		close(o->other);
	o->other = -1;
	if (o->s.shutdown && !o->stands_in && o->s.role != CR_UNIX_ALONE &&
	    shutdown(o->fd, (int)o->s.shutdown - 1) && errno != ENOTCONN)
		ret = cr_error_set(err, -errno, "shutdown: %s",
				   strerror(errno));
	if (!ret && o->s.name.len && o->fd >= 0 && !is_linked(a, &o->s.name)) {
		ret = address(a, &o->s.name, &at, &len, err);
		if (!ret)
			ret = enter(a, &o->s, err);
		if (!ret && at.sun_path[0])
			unlink(at.sun_path);
		if (fchdir(a->cwd) && !ret)
			ret = cr_error_set(err, -errno, "working directory: %s",
					   strerror(errno));
	}
	if (o->stands_in) {
		if (o->fd >= 0)
			close(o->fd);
		return ret;
	}
	if (!ret && cr_object_set_flags(o->fd, o->file))
		ret = cr_error_set(err, -errno, "flags: %s", strerror(errno));
	if (!ret && cr_restore_remember(a->ctx, CR_OBJ_UNIX, o->file->object_id,
					0, o->fd))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	return ret;
}

static int restore_all(struct cr_restore_context *ctx, struct cr_error *err)
{
	struct all a = { .ctx = ctx };
	int ret;

	a.cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (a.cwd < 0)
		return cr_error_set(err, -errno, "working directory: %s",
				    strerror(errno));
	ret = read_all(&a, err);
	if (!ret)
		ret = make_all(&a, err);
	if (!ret)
		ret = connect_all(&a, err);
	if (!ret)
		ret = fill_all(&a, err);
	for (size_t i = 0; !ret && i < a.n; i++)
		ret = finish(&a, &a.one[i], err);
	for (size_t i = 0; i < a.n; i++)
		cr_unix_free(&a.one[i].s);
	free(a.one);
	close(a.cwd);
	return ret;
}

int cr_unix_restore(struct cr_restore_context *ctx, const struct cr_file *file,
		    struct cr_error *err)
{
	int fd, ret;

	if (cr_restore_lookup(ctx, CR_OBJ_UNIX, file->object_id, 0, &fd)) {
		ret = restore_all(ctx, err);
		if (ret)
			return ret;
	}
	if (cr_restore_lookup(ctx, CR_OBJ_UNIX, file->object_id, 0, &fd))
		return cr_error_set(err, -EINVAL, "it was not made");
	return cr_object_another(fd, err);
}
