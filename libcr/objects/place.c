/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place.c - what was opened with O_PATH and is neither a file nor a directory
 *
 * Such a descriptor is a place in the file system and nothing more: a symbolic
 * link, a FIFO, the file of a socket, a device that nobody has opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "restore/restore.h"

static bool claims(const struct cr_object_source *src)
{
	return cr_object_flags(src) & O_PATH && src->link[0] == '/';
}

static bool is_there(const struct cr_object_source *src, const char *root)
{
	char path[sizeof(src->link) + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", root, src->link);
	return !lstat(path, &st) && st.st_dev == src->st.st_dev &&
	       st.st_ino == src->st.st_ino;
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	char root[32];

	snprintf(root, sizeof(root), "/proc/%d/root", src->pid);
	if (is_there(src, "") || is_there(src, root))
		return 0;
	return cr_error_set(err, -ENOTSUP,
			    "%s was opened with O_PATH and has been removed, "
			    "which cannot be saved; close it before the "
			    "checkpoint",
			    cr_object_label(src));
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	int ret = check(src, err);

	if (ret)
		return ret;
	file->object_id = cr_object_id(&src->st);
	file->id.mode = src->st.st_mode;
	file->id.path = strdup(src->link);
	return file->id.path ? 0 : cr_error_set(err, -ENOMEM, "out of memory");
}

static int check_type(const struct cr_file *file, const char *path,
		      const struct stat *st, struct cr_error *err)
{
	if ((st->st_mode & S_IFMT) == (file->id.mode & S_IFMT))
		return 0;
	return cr_error_set(err, -EINVAL,
			    "%s is of another kind than at the checkpoint",
			    path);
}

static int verify(const struct cr_image *img, const struct cr_file *file,
		  struct cr_error *err)
{
	struct stat st;

	(void)img;
	if (lstat(file->id.path, &st))
		return cr_error_set(err, -errno, "%s: %s", file->id.path,
				    strerror(errno));
	return check_type(file, file->id.path, &st, err);
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	const char *path = cr_restore_path(ctx, file->id.path);
	struct stat st;
	int fd, ret;

	if (!path)
		return cr_error_set(err, -ENOMEM, "out of memory");
	fd = open(path, O_PATH | O_CLOEXEC | (int)(file->flags & O_NOFOLLOW));
	if (fd < 0 || fstat(fd, &st))
		ret = cr_error_set(err, -errno, "%s: %s", path,
				   strerror(errno));
	else
		ret = check_type(file, path, &st, err);
	if (ret && fd >= 0)
		close(fd);
	return ret ? ret : fd;
}

const struct cr_object_ops cr_object_place = {
	.kind = CR_OBJ_PLACE,
	.name = "place (O_PATH)",
	.claims = claims,
	.check = check,
	.capture = capture,
	.verify = verify,
	.restore = restore,
};
