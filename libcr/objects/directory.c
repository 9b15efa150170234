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

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	if (src->st.st_nlink == 0)
		return cr_error_set(err, -ENOTSUP,
				    "%s is a directory that was removed; "
				    "close it before the checkpoint",
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
