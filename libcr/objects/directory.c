/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* directory.c - open directories */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "restore/restore.h"

static bool claims(const struct cr_object_source *src)
{
	return S_ISDIR(src->st.st_mode) && src->link[0] == '/';
}

/* Nothing shows that, but that somebody is to get signals from it. */
static bool is_watched(const struct cr_object_source *src)
{
	struct f_owner_ex owner = { 0 };
	int fd;

	if (cr_object_flags(src) & O_PATH)
		return false;
	fd = cr_object_dup(src, NULL);
	if (fd < 0 || fcntl(fd, F_GETOWN_EX, &owner))
		owner.pid = 0;
	cr_object_undup(src, fd);
	return owner.pid != 0;
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	if (src->st.st_nlink == 0)
		return cr_error_set(err, -ENOTSUP,
				    "%s is a directory that was removed; "
				    "close it before the checkpoint",
				    cr_object_label(src));
	if (is_watched(src))
		return cr_error_set(err, -ENOTSUP,
				    "%s is watched by signals (F_NOTIFY), "
				    "which cannot be saved; close it before "
				    "the checkpoint, or use inotify",
				    cr_object_label(src));
	return 0;
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	int ret = check(src, err);

	if (ret)
		return ret;
	file->object_id = cr_object_id(&src->st);
	file->id.mode = src->st.st_mode;
	file->id.dev = src->st.st_dev;
	file->id.ino = src->st.st_ino;
	file->id.path = strdup(src->link);
	return file->id.path ? 0 : cr_error_set(err, -ENOMEM, "out of memory");
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	const char *path = cr_restore_path(ctx, file->id.path);
	int fd;

	if (!path)
		return cr_error_set(err, -ENOMEM, "out of memory");
	fd = open(path, cr_object_open_flags(file) | O_DIRECTORY);
	if (fd < 0)
		return cr_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	if (file->offset && !(file->flags & O_PATH) &&
	    lseek(fd, file->offset, SEEK_SET) < 0) {
		cr_error_set(err, -errno, "%s: seek: %s", path,
			     strerror(errno));
		close(fd);
		return err ? err->code : -EIO;
	}
	return fd;
}

const struct cr_object_ops cr_object_directory = {
	.kind = CR_OBJ_DIRECTORY,
	.name = "directory",
	.claims = claims,
	.check = check,
	.capture = capture,
	.restore = restore,
};
