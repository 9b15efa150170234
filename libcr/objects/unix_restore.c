/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unix_restore.c - all UNIX sockets of an image, made together
 *
 * What waits in their queues comes once all else is open, for it may hold
 * descriptors; and what shuts them down comes last.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "objects/record.h"
#include "objects/unix_set.h"
#include "restore/restore.h"

static int read_all(struct cr_unix_all *a, struct cr_error *err)
{
	const struct cr_image *img = cr_restore_image(a->ctx);
	int ret = 0;

	for (size_t i = 0; !ret && i < img->n_files; i++) {
		struct cr_unix_one *o;

		if (img->files[i].kind != CR_OBJ_UNIX &&
		    img->files[i].kind != CR_OBJ_UNIX_MOVED)
			continue;
		o = cr_unix_append(a);
		if (!o)
			return cr_error_set(err, -ENOMEM, "out of memory");
		o->file = &img->files[i];
		ret = cr_unix_unrecord(o->file, &o->s, err);
	}
	return ret;
}

/* Is there a file of this name that must stay? */
static bool is_linked(struct cr_unix_all *a, const struct cr_blob *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->one[i].s.linked && cr_unix_same(&a->one[i].s.name, name))
			return true;
	return false;
}

/* A name that had gone goes again, or becomes what it had become. */
static int drop_name(struct cr_unix_all *a, struct cr_unix_one *o,
		     struct cr_error *err)
{
	struct sockaddr_un at;
	socklen_t len;
	int ret;

	if (!o->s.name.len || o->fd < 0 || is_linked(a, &o->s.name))
		return 0;
	ret = cr_unix_address(a, &o->s.name, &at, &len, err);
	if (!ret)
		ret = cr_unix_enter(a, &o->s, err);
	if (!ret && at.sun_path[0] && o->s.moved)
		ret = cr_unix_move(&at, len, o, err);
	else if (!ret && at.sun_path[0])
		unlink(at.sun_path);
	return cr_unix_leave(a, ret, err);
}

/* Which of the two of a socket is remembered. */
enum { SOCKET, OTHER };

static int remember(struct cr_unix_all *a, struct cr_unix_one *o,
		    struct cr_error *err)
{
	uint64_t id = o->file ? o->file->object_id : 0;
	int ret = 0;

	if (o->stands_in) {
		ret = drop_name(a, o, err);
		if (o->fd >= 0)
			close(o->fd);
		return ret;
	}
	if (cr_object_set_flags(o->fd, o->file))
		return cr_error_set(err, -errno, "flags: %s", strerror(errno));
	if (cr_restore_remember(a->ctx, CR_OBJ_UNIX, id, SOCKET, o->fd) ||
	    (o->other >= 0 &&
	     cr_restore_remember(a->ctx, CR_OBJ_UNIX, id, OTHER, o->other)))
		return cr_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* The other end of what is alone is closed when all is forgotten. */
static int finish(struct cr_unix_all *a, struct cr_unix_one *o,
		  struct cr_error *err)
{
	if (o->s.shutdown && o->s.role != CR_UNIX_ALONE &&
	    shutdown(o->fd, (int)o->s.shutdown - 1) && errno != ENOTCONN)
		return cr_error_set(err, -errno, "shutdown: %s",
				    strerror(errno));
	return drop_name(a, o, err);
}

static int restore_all(struct cr_unix_all *a, struct cr_error *err)
{
	int ret = cr_unix_make_all(a, err);

	if (!ret)
		ret = cr_unix_connect_all(a, err);
	for (size_t i = 0; !ret && i < a->n; i++)
		ret = remember(a, &a->one[i], err);
	return ret;
}

static int complete_all(struct cr_unix_all *a, struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < a->n; i++) {
		struct cr_unix_one *o = &a->one[i];
		uint64_t id = o->file->object_id;

		if (cr_restore_lookup(a->ctx, CR_OBJ_UNIX, id, SOCKET, &o->fd))
			ret = cr_error_set(err, -EINVAL, "it was not made");
		if (cr_restore_lookup(a->ctx, CR_OBJ_UNIX, id, OTHER,
				      &o->other))
			o->other = -1;
	}
	if (!ret)
		ret = cr_unix_fill_all(a, err);
	for (size_t i = 0; !ret && i < a->n; i++)
		ret = finish(a, &a->one[i], err);
	return ret;
}

static int with_all(struct cr_restore_context *ctx,
		    int (*fn)(struct cr_unix_all *a, struct cr_error *err),
		    struct cr_error *err)
{
	struct cr_unix_all a = { .ctx = ctx };
	int ret;

	a.cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (a.cwd < 0)
		return cr_error_set(err, -errno, "working directory: %s",
				    strerror(errno));
	ret = read_all(&a, err);
	if (!ret)
		ret = fn(&a, err);
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

	if (cr_restore_lookup(ctx, CR_OBJ_UNIX, file->object_id, SOCKET, &fd)) {
		ret = with_all(ctx, restore_all, err);
		if (ret)
			return ret;
	}
	if (cr_restore_lookup(ctx, CR_OBJ_UNIX, file->object_id, SOCKET, &fd))
		return cr_error_set(err, -EINVAL, "it was not made");
	return cr_object_another(fd, err);
}

/* The first of them does it for all. */
int cr_unix_complete(struct cr_restore_context *ctx, const struct cr_file *file,
		     int fd, struct cr_error *err)
{
	int done;

	if (!cr_restore_lookup(ctx, CR_OBJ_UNIX, 0, OTHER, &done))
		return 0;
	if (cr_restore_remember(ctx, CR_OBJ_UNIX, 0, OTHER, -1))
		return cr_error_set(err, -ENOMEM, "out of memory");
	return with_all(ctx, complete_all, err);
}
