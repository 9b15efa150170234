/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipe.c - pipes whose ends are all in the tree, with what is in them
 *
 * extra: u32, the capacity in bytes.  data: the bytes in the pipe, with the
 * first description of its read end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "restore/restore.h"

enum { READ_END, WRITE_END };

static bool is_pipe(const struct cr_object_source *src)
{
	return S_ISFIFO(src->st.st_mode) && !strncmp(src->link, "pipe:", 5);
}

/* Nobody has the other end: poll(2) says so of any duplicate. */
static bool abandoned(const struct cr_object_source *src)
{
	struct pollfd p = { .events = 0 };

	p.fd = cr_object_dup(src, NULL);
	if (p.fd < 0)
		return false;
	poll(&p, 1, 0);
	cr_object_undup(src, p.fd);
	return p.revents & (POLLHUP | POLLERR);
}

static bool claims(const struct cr_object_source *src)
{
	if (!is_pipe(src))
		return false;
	if (cr_object_tree_has_peer(src->tree, src))
		return true;
	/* Output that nobody reads is still the program's output. */
	if ((cr_object_flags(src) & O_ACCMODE) != O_RDONLY &&
	    cr_object_tree_stdio(src->tree, src) >= 0)
		return false;
	return abandoned(src);
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	if (cr_object_flags(src) & O_DIRECT)
		return cr_error_set(err, -ENOTSUP,
				    "%s is a pipe in packet mode (O_DIRECT), "
				    "which cannot be saved",
				    cr_object_label(src));
	return 0;
}

/* Copies what is in the pipe and leaves it there. */
static int read_data(const struct cr_object_source *src, int fd,
		     uint32_t capacity, struct cr_file *file,
		     struct cr_error *err)
{
	int mine[2] = { -1, -1 }, avail = 0, ret = 0;
	size_t done = 0;
	char *buf = NULL;
	ssize_t n;

	if (ioctl(fd, FIONREAD, &avail) < 0)
		goto failed;
	if (!avail)
		return 0;
	buf = malloc((size_t)avail);
	if (!buf || pipe2(mine, O_CLOEXEC | O_NONBLOCK))
		goto failed;
	if (fcntl(mine[1], F_GETPIPE_SZ) < (int)capacity &&
	    fcntl(mine[1], F_SETPIPE_SZ, capacity) < 0)
		goto failed;
	n = tee(fd, mine[1], (size_t)avail, SPLICE_F_NONBLOCK);
	if (n >= 0 && n != avail)
		errno = EIO;
	if (n != avail)
		goto failed;
	while (done < (size_t)avail) {
		n = read(mine[0], buf + done, (size_t)avail - done);
		if (n <= 0)
			goto failed;
		done += (size_t)n;
	}
	file->data.data = buf;
	file->data.len = done;
	buf = NULL;
	goto out;
failed:
	ret = cr_error_set(err, -errno, "%s: what is in the pipe: %s",
			   cr_object_label(src), strerror(errno));
out:
	free(buf);
	if (mine[0] >= 0) {
		close(mine[0]);
		close(mine[1]);
	}
	return ret;
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	uint32_t capacity;
	int fd, n, ret;

	ret = check(src, err);
	if (ret)
		return ret;
	file->object_id = cr_object_id(&src->st);
	file->id.mode = src->st.st_mode;
	file->id.path = strdup(src->link);
	fd = cr_object_dup(src, err);
	if (fd < 0)
		return fd;
	n = fcntl(fd, F_GETPIPE_SZ);
	capacity = n > 0 ? (uint32_t)n : 65536;
	if (!file->id.path || cr_blob_set(&file->extra, &capacity, 4))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	else if ((file->flags & O_ACCMODE) != O_WRONLY)
		ret = read_data(src, fd, capacity, file, err);
	cr_object_undup(src, fd);
	return ret;
}

static int make(struct cr_restore_context *ctx, const struct cr_file *file,
		struct cr_error *err)
{
	uint32_t capacity = 0;
	int fd[2];

	if (pipe2(fd, O_CLOEXEC))
		return cr_error_set(err, -errno, "pipe: %s", strerror(errno));
	if (file->extra.len == 4)
		memcpy(&capacity, file->extra.data, 4);
	if (capacity && fcntl(fd[1], F_GETPIPE_SZ) != (int)capacity &&
	    fcntl(fd[1], F_SETPIPE_SZ, capacity) < 0)
		cr_error_set(err, -errno, "pipe of %u bytes: %s", capacity,
			     strerror(errno));
	else if (cr_restore_remember(ctx, CR_OBJ_PIPE, file->object_id,
				     READ_END, fd[0]) ||
		 cr_restore_remember(ctx, CR_OBJ_PIPE, file->object_id,
				     WRITE_END, fd[1]))
		cr_error_set(err, -ENOMEM, "out of memory");
	else
		return 0;
	return err ? err->code : -EIO;
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	int end = (file->flags & O_ACCMODE) == O_WRONLY ? WRITE_END : READ_END;
	int fd, to, ret;
	char path[64];

	if (cr_restore_lookup(ctx, CR_OBJ_PIPE, file->object_id, end, &fd)) {
		ret = make(ctx, file, err);
		if (ret)
			return ret;
		cr_restore_lookup(ctx, CR_OBJ_PIPE, file->object_id, end, &fd);
	}
	if (file->data.len) {
		ret = cr_restore_lookup(ctx, CR_OBJ_PIPE, file->object_id,
					WRITE_END, &to);
		/* it has room: it held as much before */
		if (ret || write(to, file->data.data, file->data.len) !=
				   (ssize_t)file->data.len)
			return cr_error_set(err, -EIO,
					    "%s: its content could not be "
					    "put back",
					    file->id.path);
	}
	/* A description of its own for each that the program had. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, cr_object_open_flags(file));
	if (fd < 0)
		return cr_error_set(err, -errno, "%s: reopen: %s",
				    file->id.path, strerror(errno));
	return fd;
}

const struct cr_object_ops cr_object_pipe = {
	.kind = CR_OBJ_PIPE,
	.name = "pipe",
	.claims = claims,
	.check = check,
	.capture = capture,
	.restore = restore,
};
