/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unix.c - UNIX sockets: pairs, connected inside the tree, listening
 *
 * Both ends of a connection must be in the tree, or the other one closed.
 * A datagram socket may be connected to an address outside (syslog): it is
 * connected again.
 */
#include "objects/unix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"
#include "objects/unix_diag.h"

void cr_unix_record(struct cr_pack *p, void *state)
{
	struct cr_unix_state *s = state;

	cr_pack_u32(p, &s->type);
	cr_pack_u32(p, &s->role);
	cr_pack_u64(p, &s->peer);
	cr_pack_u32(p, &s->shutdown);
	cr_pack_bool(p, &s->reset);
	cr_pack_u32(p, &s->backlog);
	cr_pack_blob(p, &s->name);
	cr_pack_blob(p, &s->peer_name);
	cr_pack_bool(p, &s->linked);
	cr_pack_string(p, &s->dir);
	cr_pack_u32(p, &s->mode);
	CR_PACK_ARRAY(p, s->pending, s->n_pending, 8);
	for (size_t i = 0; i < s->n_pending && !p->status; i++)
		cr_pack_u64(p, &s->pending[i]);
	CR_PACK_ARRAY(p, s->message, s->n_messages, 16);
	for (size_t i = 0; i < s->n_messages && !p->status; i++) {
		struct cr_unix_message *m = &s->message[i];

		cr_pack_blob(p, &m->from);
		cr_pack_blob(p, &m->data);
		CR_PACK_ARRAY(p, m->file, m->n_files, 4);
		for (size_t k = 0; k < m->n_files && !p->status; k++)
			cr_pack_u32(p, &m->file[k]);
		cr_pack_s32(p, &m->pid);
		cr_pack_u32(p, &m->uid);
		cr_pack_u32(p, &m->gid);
	}
	cr_sockopts_record(p, &s->opts);
}

/* A program that does not know of this must not restore it. */
static void record_moved(struct cr_pack *p, void *state)
{
	struct cr_unix_state *s = state;

	cr_unix_record(p, s);
	cr_pack_string(p, &s->moved);
}

static int record(struct cr_file *file, struct cr_unix_state *s,
		  struct cr_error *err)
{
	file->kind = s->moved ? CR_OBJ_UNIX_MOVED : CR_OBJ_UNIX;
	return cr_object_record(file, s->moved ? record_moved : cr_unix_record,
				s, err);
}

int cr_unix_unrecord(const struct cr_file *file, struct cr_unix_state *s,
		     struct cr_error *err)
{
	return cr_object_unrecord(file,
				  file->kind == CR_OBJ_UNIX_MOVED
					  ? record_moved
					  : cr_unix_record,
				  s, err);
}

void cr_unix_free(struct cr_unix_state *s)
{
	for (size_t i = 0; s->message && i < s->n_messages; i++) {
		free(s->message[i].from.data);
		free(s->message[i].data.data);
		free(s->message[i].file);
	}
	free(s->message);
	free(s->pending);
	free(s->name.data);
	free(s->peer_name.data);
	free(s->dir);
	free(s->moved);
	cr_sockopts_free(&s->opts);
	memset(s, 0, sizeof(*s));
}

static bool claims(const struct cr_object_source *src)
{
	int domain, type;

	return !cr_socket_kind(src, &domain, &type) && domain == AF_UNIX;
}

static int refuse(const struct cr_object_source *src, const char *what,
		  const char *todo, struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "%s is a UNIX socket %s, which cannot be saved; %s",
			    cr_object_label(src), what, todo);
}

static int read_diag(const struct cr_object_source *src,
		     struct cr_unix_diag **d, struct cr_error *err)
{
	int ret;

	*d = malloc(sizeof(**d));
	if (!*d)
		return cr_error_set(err, -ENOMEM, "out of memory");
	ret = cr_unix_diag(src->st.st_ino, *d);
	if (!ret)
		return 0;
	free(*d);
	*d = NULL;
	return cr_error_set(err, ret,
			    "%s is a UNIX socket of which the kernel tells "
			    "nothing (unix_diag: %s)",
			    cr_object_label(src), strerror(-ret));
}

/* Does its connection wait in the queue of a socket of the tree? */
static bool is_waiting(const struct cr_object_source *src)
{
	struct cr_unix_diag *d = malloc(sizeof(*d));
	bool found = false;
	uint64_t ino;
	size_t i;

	for (i = 0; d && !found && cr_object_tree_socket(src->tree, i, &ino);
	     i++) {
		if (cr_unix_diag(ino, d) || d->state != TCP_LISTEN)
			continue;
		for (uint32_t k = 0; k < d->n_icons && !found; k++)
			found = d->icons[k] == (uint32_t)src->st.st_ino;
	}
	free(d);
	return found;
}

static int check_listening(const struct cr_object_source *src,
			   const struct cr_unix_diag *d, struct cr_error *err)
{
	if (d->rqueue != d->n_icons)
		return refuse(src,
			      "with connections that wait to be accepted "
			      "and cannot be told",
			      "try again in a moment, when it was accepted",
			      err);
	for (uint32_t i = 0; i < d->n_icons; i++)
		if (!src->drop &&
		    !cr_object_tree_has_socket(src->tree, d->icons[i]))
			return refuse(
				src,
				"with a connection from outside of "
				"the processes to be saved that "
				"waits to be accepted",
				"try again in a moment, when it was accepted",
				err);
	return 0;
}

/* getpeername(2): true if there is one at all. */
static bool peer_name(int fd, struct cr_blob *name)
{
	size_t skip = offsetof(struct sockaddr_un, sun_path);
	struct sockaddr_un a;
	socklen_t len = sizeof(a);

	if (getpeername(fd, (struct sockaddr *)&a, &len))
		return false;
	if (name && len > skip)
		cr_blob_set(name, a.sun_path, len - skip);
	return true;
}

static int find_datagram_role(const struct cr_object_source *src,
			      const struct cr_unix_diag *d, int fd,
			      struct cr_unix_state *s, struct cr_error *err)
{
	s->role = CR_UNIX_PLAIN;
	if (!peer_name(fd, &s->peer_name))
		return 0;
	if (d->peer && cr_object_tree_has_socket(src->tree, d->peer)) {
		s->role = CR_UNIX_CONNECTED;
		s->peer = d->peer;
		/* without a name it can only be the other one of a pair */
		if (!s->peer_name.len &&
		    cr_unix_peer(d->peer) != (uint32_t)src->st.st_ino)
			return refuse(src, "connected to one without a name",
				      "close it before the checkpoint", err);
		return 0;
	}
	s->role = d->peer ? CR_UNIX_OUTSIDE : CR_UNIX_ALONE;
	if (!d->peer || s->peer_name.len)
		return 0;
	return refuse(src,
		      "connected to another one outside of the processes to "
		      "be saved",
		      "close it before the checkpoint", err);
}

/* The other end comes back as one that has gone with something unread. */
static int drop(struct cr_unix_state *s)
{
	s->role = CR_UNIX_ALONE;
	s->reset = true;
	s->peer = 0;
	free(s->peer_name.data);
	s->peer_name = (struct cr_blob){ 0 };
	return 0;
}

static int find_role(const struct cr_object_source *src,
		     const struct cr_unix_diag *d, int fd,
		     struct cr_unix_state *s, struct cr_error *err)
{
	s->type = d->type;
	s->shutdown = d->shutdown;
	if (d->type == SOCK_DGRAM)
		return find_datagram_role(src, d, fd, s, err);
	if (d->state == TCP_LISTEN) {
		s->role = CR_UNIX_LISTENING;
		s->backlog = d->wqueue;
		return check_listening(src, d, err);
	}
	if (!peer_name(fd, &s->peer_name)) {
		s->role = CR_UNIX_PLAIN;
		return 0;
	}
	if (d->peer) {
		s->role = CR_UNIX_CONNECTED;
		s->peer = d->peer;
		if (cr_object_tree_has_socket(src->tree, d->peer))
			return 0;
		if (src->drop)
			return drop(s);
		return refuse(src,
			      "connected to a process outside of those to "
			      "be saved",
			      "checkpoint both together, close it before the "
			      "checkpoint, or have it reset "
			      "(--drop-connections)",
			      err);
	}
	if (d->shutdown == 3) {
		s->role = CR_UNIX_ALONE;
		return 0;
	}
	s->role = CR_UNIX_WAITING;
	if (!is_waiting(src) && src->drop)
		return drop(s);
	if (!is_waiting(src))
		return refuse(src,
			      "that waits to be accepted by a process "
			      "outside of those to be saved",
			      "try again in a moment, when it was accepted",
			      err);
	if (d->wqueue)
		return refuse(src,
			      "with data for a connection that was not "
			      "accepted yet",
			      "try again in a moment, when it was accepted",
			      err);
	return 0;
}

/* The file may have got another name since, in the same directory. */
static int find_moved(char *path, const struct cr_unix_diag *d,
		      struct cr_unix_state *s, struct cr_error *err)
{
	DIR *dir = d->file_ino ? opendir(dirname(path)) : NULL;
	struct dirent *e;
	struct stat st;

	int ret = 0;

	while (dir && !ret && !s->moved && (e = readdir(dir))) {
		if ((e->d_type != DT_SOCK && e->d_type != DT_UNKNOWN) ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISSOCK(st.st_mode) || (uint32_t)st.st_ino != d->file_ino)
			continue;
		s->mode = st.st_mode & 07777;
		s->moved = strdup(e->d_name);
		if (!s->moved)
			ret = cr_error_set(err, -ENOMEM, "out of memory");
	}
	if (dir)
		closedir(dir);
	return ret;
}

/* Its address, and whether the file of that name is still the socket's. */
static int read_name(const struct cr_object_source *src,
		     const struct cr_unix_diag *d, int fd,
		     struct cr_unix_state *s, struct cr_error *err)
{
	size_t skip = offsetof(struct sockaddr_un, sun_path);
	char path[4096 + sizeof(struct sockaddr_un) + 32], cwd[4096], link[64];
	struct sockaddr_un a = { 0 };
	socklen_t len = sizeof(a);
	struct statfs fs;
	struct stat st;
	ssize_t n = 0;

	if (getsockname(fd, (struct sockaddr *)&a, &len))
		return cr_error_set(err, -errno, "%s: %s", cr_object_label(src),
				    strerror(errno));
	if (len <= skip)
		return 0;
	if (cr_blob_set(&s->name, a.sun_path, len - skip))
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (!a.sun_path[0])
		return 0;
	if (a.sun_path[0] != '/') {
		snprintf(link, sizeof(link), "/proc/%d/cwd", src->pid);
		n = readlink(link, cwd, sizeof(cwd) - 1);
		if (n < 0)
			return cr_error_set(err, -errno, "%s: %s", link,
					    strerror(errno));
	}
	cwd[n] = 0;
	s->dir = n ? strdup(cwd) : NULL;
	snprintf(path, sizeof(path), "/proc/%d/root%s%s%.*s", src->pid, cwd,
		 n ? "/" : "", (int)(len - skip), a.sun_path);
	s->linked =
		!stat(path, &st) && S_ISSOCK(st.st_mode) &&
		(st.st_ino == d->file_ino ||
		 (!statfs(path, &fs) && fs.f_type == OVERLAYFS_SUPER_MAGIC));
	s->mode = s->linked ? st.st_mode & 07777 : 0600;
	return s->linked ? 0 : find_moved(path, d, s, err);
}

static int check_error(const struct cr_object_source *src, int fd,
		       struct cr_unix_state *s, struct cr_error *err)
{
	struct pollfd p = { fd, 0, 0 };

	poll(&p, 1, 0);
	s->reset |= p.revents & POLLERR;
	if (s->reset && (s->role != CR_UNIX_ALONE || s->type == SOCK_DGRAM))
		return refuse(src, "with an error to be reported",
			      "try again later", err);
	return 0;
}

/* Is it of those that messages come to? */
static bool receives(const struct cr_unix_state *s)
{
	return s->role != CR_UNIX_LISTENING &&
	       (s->role != CR_UNIX_PLAIN || s->type == SOCK_DGRAM);
}

static int read_rest(const struct cr_object_source *src,
		     const struct cr_unix_diag *d, int fd,
		     struct cr_unix_state *s, struct cr_error *err)
{
	int ret;

	ret = cr_sockopts_check(src, fd, err);
	if (!ret)
		ret = read_name(src, d, fd, s, err);
	if (!ret)
		ret = cr_sockopts_read(fd, &s->opts, err);
	if (ret)
		return ret;
	if (s->role == CR_UNIX_LISTENING) {
		s->pending = calloc(d->n_icons + 1, sizeof(*s->pending));
		if (!s->pending)
			return cr_error_set(err, -ENOMEM, "out of memory");
		for (uint32_t i = 0; i < d->n_icons; i++)
			if (cr_object_tree_has_socket(src->tree, d->icons[i]))
				s->pending[s->n_pending++] = d->icons[i];
		return 0;
	}
	ret = check_error(src, fd, s, err);
	if (ret || !receives(s))
		return ret;
	return cr_unix_read_queue(src, fd, d->rqueue, s, err);
}

/* What it is; *d and *fd are for more, and go back by close_state(). */
static int open_state(const struct cr_object_source *src,
		      struct cr_unix_state *s, struct cr_unix_diag **d, int *fd,
		      struct cr_error *err)
{
	int ret;

	*d = NULL;
	*fd = cr_object_dup(src, err);
	if (*fd < 0)
		return *fd;
	ret = read_diag(src, d, err);
	return ret ? ret : find_role(src, *d, *fd, s, err);
}

static void close_state(const struct cr_object_source *src,
			struct cr_unix_state *s, struct cr_unix_diag *d, int fd)
{
	cr_object_undup(src, fd);
	cr_unix_free(s);
	free(d);
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	struct cr_unix_state s = { 0 };
	struct cr_unix_diag *d;
	int fd, ret = open_state(src, &s, &d, &fd, err);

	if (!ret)
		ret = cr_sockopts_check(src, fd, err);
	if (!ret && s.role != CR_UNIX_LISTENING)
		ret = check_error(src, fd, &s, err);
	if (!ret && receives(&s))
		ret = cr_unix_check_queue(src, fd, &s, err);
	close_state(src, &s, d, fd);
	return ret;
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	struct cr_unix_state s = { 0 };
	struct cr_unix_diag *d;
	int fd, ret = open_state(src, &s, &d, &fd, err);

	if (!ret)
		ret = read_rest(src, d, fd, &s, err);
	if (!ret)
		ret = record(file, &s, err);
	file->object_id = src->st.st_ino;
	close_state(src, &s, d, fd);
	return ret;
}

/* Descriptors in messages are ours so far: now they get a place. */
static int link_messages(const struct cr_object_source *src,
			 const struct cr_object_links *links,
			 struct cr_file *file, struct cr_error *err)
{
	size_t self = (size_t)(file - links->img->files);
	struct cr_unix_state s = { 0 };
	bool some = false;
	int ret;

	ret = cr_unix_unrecord(file, &s, err);
	for (size_t i = 0; !ret && i < s.n_messages; i++)
		for (size_t k = 0; !ret && k < s.message[i].n_files; k++) {
			some = true;
			ret = links->add(links, src, (int)s.message[i].file[k],
					 &s.message[i].file[k], err);
		}
	if (!ret && some) {
		file = &links->img->files[self]; /* it may have moved */
		free(file->extra.data);
		file->extra.data = NULL;
		file->extra.len = 0;
		ret = record(file, &s, err);
	}
	cr_unix_free(&s);
	return ret;
}

const struct cr_object_ops cr_object_unix = {
	.kind = CR_OBJ_UNIX,
	.name = "UNIX socket",
	.claims = claims,
	.check = check,
	.capture = capture,
	.link = link_messages,
	.restore = cr_unix_restore,
	.connect = cr_unix_complete,
};

static bool claims_nothing(const struct cr_object_source *src)
{
	(void)src;
	return false;
}

const struct cr_object_ops cr_object_unix_moved = {
	.kind = CR_OBJ_UNIX_MOVED,
	.name = "UNIX socket",
	.claims = claims_nothing, /* but the one above, which looks closer */
	.link = link_messages,
	.restore = cr_unix_restore,
	.connect = cr_unix_complete,
};
