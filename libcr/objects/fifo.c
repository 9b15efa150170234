/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fifo.c - pipes with a name in the file system
 *
 * They are opened by their name again; one that has lost its name becomes an
 * ordinary pipe, which the program cannot tell.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/pipe.h"
#include "restore/restore.h"

/* Empty, and nobody writes who is not in the tree, for all we can see. */
static bool harmless(const struct cr_object_source *src)
{
	int fd, avail = 1;

	if ((cr_object_flags(src) & O_ACCMODE) != O_RDONLY)
		return false;
	fd = cr_object_dup(src, NULL);
	if (fd < 0)
		return false;
	ioctl(fd, FIONREAD, &avail);
	cr_object_undup(src, fd);
	return !avail;
}

static bool claims(const struct cr_object_source *src)
{
	return S_ISFIFO(src->st.st_mode) && src->link[0] == '/' &&
	       !(cr_object_flags(src) & O_PATH) &&
	       (cr_object_tree_has_peer(src->tree, src) ||
		cr_pipe_abandoned(src) || harmless(src));
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	static const char mark[] = " (deleted)";
	size_t n, k = sizeof(mark) - 1;
	int ret = cr_pipe_capture(src, file, err);

	if (ret)
		return ret;
	n = strlen(file->id.path);
	if (n > k && !strcmp(file->id.path + n - k, mark)) {
		file->id.path[n - k] = 0;
		file->id.deleted = true;
	}
	return 0;
}

/* A descriptor that keeps it open, both to read and to write. */
static int open_both(struct cr_restore_context *ctx, const struct cr_file *file,
		     struct cr_error *err)
{
	const char *path = cr_restore_path(ctx, file->id.path);
	struct stat st;
	int fd, avail = 0, pair[2];

	if (!path)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (file->id.deleted) {
		if (pipe2(pair, O_CLOEXEC))
			return cr_error_set(err, -errno, "pipe: %s",
					    strerror(errno));
		fd = cr_object_reopen(pair[0], O_RDWR | O_NONBLOCK);
		close(pair[0]);
		close(pair[1]);
	} else {
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st))
		return cr_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	if (!S_ISFIFO(st.st_mode)) {
		close(fd);
		return cr_error_set(err, -EINVAL, "%s is no FIFO any more",
				    path);
	}
	if (!ioctl(fd, FIONREAD, &avail) && avail) {
		close(fd);
		return cr_error_set(err, -EBUSY,
				    "%s: somebody else uses this FIFO, there "
				    "is data in it",
				    path);
	}
	return fd;
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	int fd, ret = 0;

	if (cr_restore_lookup(ctx, CR_OBJ_FIFO, file->object_id, 0, &fd)) {
		fd = open_both(ctx, file, err);
		if (fd < 0)
			return fd;
		ret = cr_pipe_resize(fd, file, err);
		if (!ret && cr_restore_remember(ctx, CR_OBJ_FIFO,
						file->object_id, 0, fd))
			ret = cr_error_set(err, -ENOMEM, "out of memory");
	}
	if (!ret)
		ret = cr_pipe_fill(fd, file, err);
	return ret ? ret : cr_pipe_reopen(fd, file, err);
}

const struct cr_object_ops cr_object_fifo = {
	.kind = CR_OBJ_FIFO,
	.name = "FIFO",
	.claims = claims,
	.capture = capture,
	.restore = restore,
};
