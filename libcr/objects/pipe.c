/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipe.c - pipes whose ends are all in the tree, with what is in them
 *
 * What is in a pipe is kept with the first description of its read end, or of
 * its write end if nobody reads.
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
#include "objects/pipe.h"
#include "objects/record.h"
#include "restore/restore.h"

#define PACKET_MAX 4096 /* PIPE_BUF: the kernel cuts longer ones */
#define OPENED 0100000	/* O_LARGEFILE: open(2) sets it and pipe(2) not */

enum { READ_END, WRITE_END };

static bool is_pipe(const struct cr_object_source *src)
{
	return S_ISFIFO(src->st.st_mode) && !strncmp(src->link, "pipe:", 5);
}

struct state {
	uint32_t capacity; /* bytes */
	bool packets;	   /* data: u32 length and the bytes of each */
};

static void record(struct cr_pack *p, void *state)
{
	struct state *s = state;

	cr_pack_u32(p, &s->capacity);
	cr_pack_bool(p, &s->packets);
}

bool cr_pipe_abandoned(const struct cr_object_source *src)
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
	return cr_pipe_abandoned(src);
}

static int append(struct cr_blob *to, const void *data, size_t len)
{
	char *more = realloc(to->data, to->len + len);

	if (!more)
		return -ENOMEM;
	memcpy(more + to->len, data, len);
	to->data = more;
	to->len += len;
	return 0;
}

/*
 * Reads all of a copy; packets one by one, with their lengths.  Where there
 * are to be none, a read that is too short tells of one: -EPROTO.
 */
static int drain(int fd, bool packets, size_t avail, struct cr_blob *to)
{
	char buf[65536];
	uint32_t len;
	ssize_t n;
	int ret = 0;

	while (!ret && (n = read(fd, buf, sizeof(buf))) > 0) {
		len = (uint32_t)n;
		if (!packets && len < avail && len < sizeof(buf))
			return -EPROTO;
		avail -= len < avail ? len : avail;
		if (packets)
			ret = append(to, &len, sizeof(len));
		if (!ret)
			ret = append(to, buf, len);
	}
	if (!ret && n < 0 && errno != EAGAIN)
		ret = -errno;
	return ret;
}

/* Copies what is in the pipe and leaves it there. */
static int read_data(const struct cr_object_source *src, int fd,
		     const struct state *s, struct cr_file *file,
		     struct cr_error *err)
{
	int mine[2] = { -1, -1 }, avail = 0, more = 0, ret = 0;
	ssize_t n;

	if (ioctl(fd, FIONREAD, &avail) < 0)
		goto failed;
	if (!avail)
		return 0;
	if (pipe2(mine, O_CLOEXEC | O_NONBLOCK))
		goto failed;
	if (fcntl(mine[1], F_GETPIPE_SZ) < (int)s->capacity &&
	    fcntl(mine[1], F_SETPIPE_SZ, s->capacity) < 0)
		goto failed;
	n = tee(fd, mine[1], (size_t)avail, SPLICE_F_NONBLOCK);
	if (n >= 0 && n != avail)
		errno = EIO;
	if (n != avail)
		goto failed;
	/* a byte that no packet takes in */
	if (!s->packets && write(mine[1], "", 1) == 1)
		more = 1;
	ret = drain(mine[0], s->packets, (size_t)(avail + more), &file->data);
	if (ret == -EPROTO) {
		ret = cr_error_set(err, -ENOTSUP,
				   "%s has packets in it but is not in packet "
				   "mode (O_DIRECT) any more, which cannot be "
				   "saved; read them before the checkpoint",
				   cr_object_label(src));
		goto out;
	}
	errno = -ret;
	if (!ret) {
		file->data.len -= (size_t)more;
		goto out;
	}
failed:
	ret = cr_error_set(err, -errno, "%s: what is in the pipe: %s",
			   cr_object_label(src), strerror(errno));
out:
	if (mine[0] >= 0) {
		close(mine[0]);
		close(mine[1]);
	}
	return ret;
}

/* Nobody reads, but whoever opens it again to read will find it. */
static int read_left(const struct cr_object_source *src, int fd,
		     const struct state *s, struct cr_file *file,
		     struct cr_error *err)
{
	int mine, avail = 0, ret;

	if (ioctl(fd, FIONREAD, &avail) || !avail)
		return 0;
	mine = cr_object_reopen(fd, O_RDONLY | O_NONBLOCK);
	if (mine < 0)
		return cr_error_set(err, -errno, "%s: what is in the pipe: %s",
				    cr_object_label(src), strerror(errno));
	ret = read_data(src, mine, s, file, err);
	close(mine);
	return ret;
}

int cr_pipe_capture(const struct cr_object_source *src, struct cr_file *file,
		    struct cr_error *err)
{
	struct state s = { .packets = cr_object_tree_packets(src->tree, src) };
	int fd, n, ret = 0;

	file->object_id = cr_object_id(&src->st);
	file->id.mode = src->st.st_mode;
	file->id.path = strdup(src->link);
	fd = cr_object_dup(src, err);
	if (fd < 0)
		return fd;
	n = fcntl(fd, F_GETPIPE_SZ);
	s.capacity = n > 0 ? (uint32_t)n : 65536;
	if (!file->id.path)
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	if (!ret)
		ret = cr_object_record(file, record, &s, err);
	if (!ret && (file->flags & O_ACCMODE) != O_WRONLY)
		ret = read_data(src, fd, &s, file, err);
	else if (!ret && cr_pipe_abandoned(src))
		ret = read_left(src, fd, &s, file, err);
	cr_object_undup(src, fd);
	return ret;
}

/* Through a description of its own, in the mode that keeps the borders. */
static int put_back(int to, const struct state *s, const struct cr_blob *data)
{
	size_t done = 0, len = data->len;
	uint32_t n;

	if (fcntl(to, F_SETFL, O_NONBLOCK | (s->packets ? O_DIRECT : 0)))
		return -errno;
	while (done < data->len) {
		if (s->packets) {
			if (data->len - done < sizeof(n))
				return -EINVAL;
			memcpy(&n, (char *)data->data + done, sizeof(n));
			done += sizeof(n);
			if (n > PACKET_MAX || n > data->len - done)
				return -EINVAL;
			len = n;
		}
		/* it has room: it held as much before */
		if (write(to, (char *)data->data + done, len) != (ssize_t)len)
			return -EIO;
		done += len;
	}
	return 0;
}

int cr_pipe_fill(int fd, const struct cr_file *file, struct cr_error *err)
{
	struct state s;
	int to, ret;

	ret = cr_object_unrecord(file, record, &s, err);
	if (ret || !file->data.len)
		return ret;
	to = cr_object_reopen(fd, O_WRONLY | O_NONBLOCK);
	ret = to < 0 ? -errno : put_back(to, &s, &file->data);
	if (to >= 0)
		close(to);
	return ret ? cr_error_set(err, ret,
				  "%s: its content cannot be put back: %s",
				  file->id.path, strerror(-ret))
		   : 0;
}

int cr_pipe_resize(int fd, const struct cr_file *file, struct cr_error *err)
{
	struct state s;
	int ret = cr_object_unrecord(file, record, &s, err);

	if (!ret && fcntl(fd, F_GETPIPE_SZ) != (int)s.capacity &&
	    fcntl(fd, F_SETPIPE_SZ, s.capacity) < 0)
		ret = cr_error_set(err, -errno, "pipe of %u bytes: %s",
				   s.capacity, strerror(errno));
	return ret;
}

int cr_pipe_reopen(int fd, const struct cr_file *file, struct cr_error *err)
{
	int mine;

	/* not to wait for anybody; packet mode cannot be opened, only set */
	mine = cr_object_reopen(fd, (cr_object_open_flags(file) | O_NONBLOCK) &
					    ~O_DIRECT);
	if (mine >= 0 && !cr_object_set_flags(mine, file))
		return mine;
	cr_error_set(err, -errno, "%s: reopen: %s", file->id.path,
		     strerror(errno));
	if (mine >= 0)
		close(mine);
	return err ? err->code : -EIO;
}

static int make(struct cr_restore_context *ctx, const struct cr_file *file,
		struct cr_error *err)
{
	int fd[2], ret;

	if (pipe2(fd, O_CLOEXEC))
		return cr_error_set(err, -errno, "pipe: %s", strerror(errno));
	ret = cr_pipe_resize(fd[1], file, err);
	if (!ret && (cr_restore_remember(ctx, CR_OBJ_PIPE, file->object_id,
					 READ_END, fd[0]) ||
		     cr_restore_remember(ctx, CR_OBJ_PIPE, file->object_id,
					 WRITE_END, fd[1])))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	return ret;
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	int end = (file->flags & O_ACCMODE) == O_WRONLY ? WRITE_END : READ_END;
	int fd, ret = 0;

	if (cr_restore_lookup(ctx, CR_OBJ_PIPE, file->object_id, end, &fd)) {
		ret = make(ctx, file, err);
		if (ret)
			return ret;
		cr_restore_lookup(ctx, CR_OBJ_PIPE, file->object_id, end, &fd);
	}
	ret = cr_pipe_fill(fd, file, err);
	if (ret)
		return ret;
	/* A description of its own for each that the program has opened. */
	if (file->flags & OPENED)
		return cr_pipe_reopen(fd, file, err);
	if (cr_object_set_flags(fd, file))
		return cr_error_set(err, -errno, "flags: %s", strerror(errno));
	return cr_object_another(fd, err);
}

const struct cr_object_ops cr_object_pipe = {
	.kind = CR_OBJ_PIPE,
	.name = "pipe",
	.claims = claims,
	.capture = cr_pipe_capture,
	.restore = restore,
};
