/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unix_address.c - addresses of UNIX sockets at a restart */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects/unix_set.h"
#include "restore/restore.h"

struct cr_unix_one *cr_unix_find(struct cr_unix_all *a, uint64_t id)
{
	for (size_t i = 0; i < a->n; i++)
		if (!a->one[i].stands_in && a->one[i].file->object_id == id)
			return &a->one[i];
	return NULL;
}

bool cr_unix_same(const struct cr_blob *a, const struct cr_blob *b)
{
	return a->len == b->len &&
	       (!a->len || !memcmp(a->data, b->data, a->len));
}

struct cr_unix_one *cr_unix_find_name(struct cr_unix_all *a,
				      const struct cr_blob *name, uint32_t role)
{
	for (size_t i = 0; name->len && i < a->n; i++)
		if ((!role || a->one[i].s.role == role) &&
		    cr_unix_same(&a->one[i].s.name, name))
			return &a->one[i];
	return NULL;
}

const char *cr_unix_text(const struct cr_blob *name)
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
int cr_unix_address(struct cr_unix_all *a, const struct cr_blob *name,
		    struct sockaddr_un *to, socklen_t *len,
		    struct cr_error *err)
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

int cr_unix_enter(struct cr_unix_all *a, const struct cr_unix_state *s,
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

int cr_unix_leave(struct cr_unix_all *a, int ret, struct cr_error *err)
{
	if (fchdir(a->cwd) && !ret)
		ret = cr_error_set(err, -errno, "working directory: %s",
				   strerror(errno));
	return ret;
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

int cr_unix_bind(struct cr_unix_all *a, int fd, const struct cr_unix_state *s,
		 struct cr_error *err)
{
	struct sockaddr_un to;
	socklen_t len;
	int ret;

	if (!s->name.len)
		return 0;
	ret = cr_unix_address(a, &s->name, &to, &len, err);
	if (!ret)
		ret = cr_unix_enter(a, s, err);
	if (!ret && to.sun_path[0])
		ret = make_room(&to, len, (int)s->type, err);
	if (!ret && bind(fd, (struct sockaddr *)&to, len))
		ret = cr_error_set(err, -errno, "socket %s: %s",
				   cr_unix_text(&s->name), strerror(errno));
	if (!ret && to.sun_path[0] && chmod(to.sun_path, s->mode))
		ret = cr_error_set(err, -errno, "socket %s: mode: %s",
				   cr_unix_text(&s->name), strerror(errno));
	return cr_unix_leave(a, ret, err);
}

int cr_unix_connect(struct cr_unix_all *a, int fd, const struct cr_blob *name,
		    const struct cr_unix_state *owner, struct cr_error *err)
{
	struct sockaddr_un to;
	socklen_t len;
	int ret = cr_unix_address(a, name, &to, &len, err);

	if (!ret && owner)
		ret = cr_unix_enter(a, owner, err);
	if (!ret && connect(fd, (struct sockaddr *)&to, len))
		ret = cr_error_set(err, -errno, "connecting to socket %s: %s",
				   cr_unix_text(name), strerror(errno));
	return cr_unix_leave(a, ret, err);
}

int cr_unix_socket(uint32_t type, struct cr_error *err)
{
	int fd = socket(AF_UNIX, (int)type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? cr_error_set(err, -errno, "socket: %s", strerror(errno))
		      : fd;
}

/* One socket may be several: who listens, and what was accepted of it. */
int cr_unix_move(const struct sockaddr_un *from, socklen_t len,
		 const struct cr_unix_one *o, struct cr_error *err)
{
	size_t skip = offsetof(struct sockaddr_un, sun_path);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char path[sizeof(from->sun_path) + 1] = { 0 };
	struct stat st;
	const char *slash;
	int n, ret;

	memcpy(path, from->sun_path, len - skip);
	slash = strrchr(path, '/');
	n = snprintf(to.sun_path, sizeof(to.sun_path), "%.*s%s",
		     slash ? (int)(slash - path) + 1 : 0, path, o->s.moved);
	if (n >= (int)sizeof(to.sun_path))
		return cr_error_set(err, -ENAMETOOLONG, "socket %s: %s is too "
				    "long a name for it", path, o->s.moved);
	if (lstat(path, &st) && errno == ENOENT)
		return 0;
	ret = make_room(&to, (socklen_t)(skip + (size_t)n + 1),
			(int)o->s.type, err);
	if (!ret && rename(path, to.sun_path))
		ret = cr_error_set(err, -errno, "renaming socket %s to %s: %s",
				   path, to.sun_path, strerror(errno));
	return ret;
}
