/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output.c - where a context file goes: bytes in order, a name at the end */
#include "image/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/output_private.h"

#define BUFFER_SIZE CR_OUTPUT_MOST
#define DIRECT_MIN (64u << 10) /* from here on copying costs more */
#define FLUSH_STEP (32u << 20) /* bytes between hints to begin writing back */

const char *cr_output_name(const struct cr_output *o)
{
	return o->path ? o->path : "the given descriptor";
}

int cr_output_fail(struct cr_output *o, int code, const char *what,
		   struct cr_error *err)
{
	o->status = code;
	return cr_error_set(
		err, code, "cannot %s %s: %s (after %" PRIu64 " bytes)", what,
		cr_output_name(o), strerror(-code), o->offset - o->fill);
}

/*
 * A broken pipe and a file size limit give an error here, not a signal to
 * whoever uses this library.
 */
static void quiet_begin(struct quiet *q)
{
	sigset_t pending;

	sigemptyset(&q->block);
	sigpending(&pending);
	if (!sigismember(&pending, SIGPIPE))
		sigaddset(&q->block, SIGPIPE);
	if (!sigismember(&pending, SIGXFSZ))
		sigaddset(&q->block, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &q->block, &q->old);
}

static void quiet_end(struct quiet *q, int code)
{
	static const struct timespec now;

	if (code == -EPIPE || code == -EFBIG)
		sigtimedwait(&q->block, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &q->old, NULL);
}

/* write(2), or pwrite(2) at a place that is not negative. */
static ssize_t quiet_write(int fd, const void *data, size_t len, off_t place)
{
	struct quiet q;
	ssize_t n;
	int saved;

	quiet_begin(&q);
	n = place < 0 ? write(fd, data, len) : pwrite(fd, data, len, place);
	saved = errno;
	quiet_end(&q, n < 0 ? -saved : 0);
	errno = saved;
	return n;
}

/* What others wrote into the file lies behind our position in it. */
static int move_to(struct cr_output *o, uint64_t offset, struct cr_error *err)
{
	if (lseek(o->fd, (off_t)offset, SEEK_SET) < 0)
		return cr_output_fail(o, -errno, "move in", err);
	o->offset = offset;
	return 0;
}

static int write_all(struct cr_output *o, const uint8_t *data, size_t len,
		     struct cr_error *err)
{
	size_t most = o->portion ? o->portion : BUFFER_SIZE;

	while (len) {
		int rc = o->portion ? cr_output_ready(o) : 0;
		ssize_t n;

		if (rc)
			return cr_output_fail(o, rc, "write", err);
		n = quiet_write(o->fd, data, len < most ? len : most, -1);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return cr_output_fail(o, n ? -errno : -EIO, "write",
					      err);
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The disk works while we go on, so that the fsync() at the end is short. */
static void begin_writeback(struct cr_output *o)
{
	if (!o->fsync || !o->regular || o->direct >= 0 ||
	    o->offset - o->flushed < FLUSH_STEP)
		return;
	sync_file_range(o->fd, (off_t)o->flushed,
			(off_t)(o->offset - o->flushed), SYNC_FILE_RANGE_WRITE);
	o->flushed = o->offset;
}

static int flush(struct cr_output *o, struct cr_error *err)
{
	int rc = write_all(o, o->buffer, o->fill, err);

	if (rc)
		return rc;
	o->fill = 0;
	begin_writeback(o);
	return 0;
}

static bool page_aligned(uint64_t v)
{
	return v % CR_PAGE_SIZE == 0;
}

/* Everything before is written, and all of it consists of whole pages. */
static int write_direct(struct cr_output *o, const uint8_t *data, size_t len,
			struct cr_error *err)
{
	uint64_t at = o->offset;
	ssize_t n;

	while (len) {
		n = quiet_write(o->direct, data, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cr_output_fail(o, n ? -errno : -EIO, "write",
					      err);
		data += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return move_to(o, at, err);
}

/* Has something failed? */
static int check(const struct cr_output *o, struct cr_error *err)
{
	return !o->status
		       ? 0
		       : cr_error_set(err, o->status,
				      "writing %s has failed before: %s",
				      cr_output_name(o), strerror(-o->status));
}

int cr_output_lend(struct cr_output *o, int *fd, uint64_t *offset,
		   struct cr_error *err)
{
	int rc;

	if (!o->regular || o->append)
		return -ENOTSUP;
	rc = check(o, err);
	if (!rc)
		rc = flush(o, err);
	if (rc)
		return rc;
	*fd = o->direct >= 0 ? o->direct : o->fd;
	*offset = o->offset;
	quiet_begin(&o->lent);
	return 0;
}

int cr_output_give_back(struct cr_output *o, uint64_t offset, int status,
			struct cr_error *err)
{
	int rc = 0;

	quiet_end(&o->lent, status);
	if (status)
		return cr_output_fail(o, status, "write", err);
	if (offset != o->offset)
		rc = move_to(o, offset, err);
	if (!rc)
		begin_writeback(o);
	return rc;
}

bool cr_output_is_direct(const struct cr_output *o)
{
	return o->direct >= 0;
}

int cr_output_write(struct cr_output *o, const void *data, size_t len,
		    struct cr_error *err)
{
	int rc = check(o, err);

	if (rc)
		return rc;
	if (o->fill + len > BUFFER_SIZE || len >= DIRECT_MIN) {
		rc = flush(o, err);
		if (rc)
			return rc;
	}
	if (o->direct >= 0 && len >= DIRECT_MIN && page_aligned(len) &&
	    page_aligned((uintptr_t)data) && page_aligned(o->offset))
		return write_direct(o, data, len, err);
	if (len >= DIRECT_MIN) {
		rc = write_all(o, data, len, err);
		if (rc)
			return rc;
	} else {
		memcpy(o->buffer + o->fill, data, len);
		o->fill += len;
	}
	o->offset += len;
	return 0;
}

int cr_output_zeros(struct cr_output *o, size_t len, struct cr_error *err)
{
	static const uint8_t zeros[4096];
	int rc = 0;

	while (len && !rc) {
		size_t n = len < sizeof(zeros) ? len : sizeof(zeros);

		rc = cr_output_write(o, zeros, n, err);
		len -= n;
	}
	return rc;
}

uint64_t cr_output_offset(const struct cr_output *o)
{
	return o->offset;
}

static struct cr_output *output_new(const struct cr_writer_options *opt)
{
	struct cr_output *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->fd = o->dirfd = o->direct = -1;
	o->fsync = opt->fsync;
	o->exclusive = opt->exclusive;
	o->cancelled = opt->cancelled;
	o->cancelled_arg = opt->cancelled_arg;
	o->buffer = aligned_alloc(4096, BUFFER_SIZE);
	if (opt->backup)
		o->backup = strdup(opt->backup);
	if (!o->buffer || (opt->backup && !o->backup)) {
		cr_output_destroy(o);
		return NULL;
	}
	return o;
}

/* A second description of the file, with which no page cache is used. */
static int open_direct(struct cr_output *o, struct cr_error *err)
{
	char self[64];

	if (!o->regular || o->append)
		return cr_error_set(err, -EINVAL,
				    "%s: only a file can be written past the "
				    "page cache",
				    cr_output_name(o));
	snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	o->direct = open(self, O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (o->direct < 0)
		return cr_error_set(err, -errno,
				    "%s cannot be written past the page cache: "
				    "%s",
				    cr_output_name(o), strerror(errno));
	return 0;
}

int cr_output_open_fd(struct cr_output **out, int fd,
		      const struct cr_writer_options *opt, struct cr_error *err)
{
	struct cr_output *o = output_new(opt);
	struct stat st;
	int flags, rc;

	if (!o)
		return cr_error_set(err, -ENOMEM, "out of memory");
	flags = fcntl(fd, F_GETFL);
	o->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (flags < 0 || o->fd < 0 || fstat(fd, &st)) {
		rc = cr_error_set(err, -errno, "descriptor %d: %s", fd,
				  strerror(errno));
		goto error;
	}
	if ((flags & O_ACCMODE) == O_RDONLY) {
		rc = cr_error_set(err, -EBADF,
				  "descriptor %d is not open for writing", fd);
		goto error;
	}
	o->regular = S_ISREG(st.st_mode);
	o->append = flags & O_APPEND;
	if (o->regular &&
	    (flags & O_APPEND ? st.st_size : lseek(fd, 0, SEEK_CUR)) != 0) {
		rc = cr_error_set(err, -EINVAL,
				  "descriptor %d is not at the beginning of "
				  "its file",
				  fd);
		goto error;
	}
	/* What was there before must not lie behind what we write. */
	if (o->regular && ftruncate(fd, 0)) {
		rc = cr_error_set(err, -errno, "cannot empty descriptor %d: %s",
				  fd, strerror(errno));
		goto error;
	}
	rc = opt->direct ? open_direct(o, err) : 0;
	if (rc)
		goto error;
	if (!o->regular)
		cr_output_stream(o, st.st_mode);
	*out = o;
	return 0;
error:
	o->regular = false; /* nothing of ours in it */
	cr_output_destroy(o);
	return rc;
}

int cr_output_open(struct cr_output **out, const char *path,
		   const struct cr_writer_options *opt, struct cr_error *err)
{
	struct cr_output *o;
	struct stat st;
	bool exists = !stat(path, &st);
	int rc;

	if (exists && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return cr_output_open_special(out, path, st.st_mode, opt, err);
	if ((exists && S_ISDIR(st.st_mode)) || !*cr_output_base(path))
		return cr_error_set(err, -EISDIR, "%s is a directory", path);
	if (exists && opt->exclusive)
		return cr_error_set(err, -EEXIST, "%s exists already", path);
	o = output_new(opt);
	if (!o)
		return cr_error_set(err, -ENOMEM, "out of memory");
	o->regular = true;
	/* Behind a symbolic link the file is replaced, not the link. */
	o->path = exists ? realpath(path, NULL) : strdup(path);
	rc = o->path ? cr_output_open_dir(o) : -errno;
	if (!rc)
		rc = cr_output_create(o);
	if (rc)
		cr_error_set(err, rc, "cannot create %s: %s", path,
			     strerror(-rc));
	if (!rc && opt->direct)
		rc = open_direct(o, err);
	if (rc) {
		cr_output_destroy(o);
		return rc;
	}
	*out = o;
	return 0;
}

int cr_output_commit(struct cr_output *o, struct cr_error *err)
{
	int rc;

	rc = check(o, err);
	if (!rc)
		rc = flush(o, err);
	if (rc)
		return rc;
	if (o->fsync && o->regular && fsync(o->fd))
		return cr_output_fail(o, -errno, "make durable", err);
	if (o->path)
		rc = cr_output_give_name(o, err);
	if (!rc)
		o->committed = true;
	return rc;
}

void cr_output_destroy(struct cr_output *o)
{
	if (!o)
		return;
	if (o->temp)
		unlinkat(o->dirfd, o->temp, 0);
	/* Should this fail: without its trailer it is no context file. */
	if (!o->committed && o->regular && !o->path && o->fd >= 0 &&
	    ftruncate(o->fd, 0))
		o->status = -errno;
	if (o->fd >= 0)
		close(o->fd);
	if (o->direct >= 0)
		close(o->direct);
	if (o->dirfd >= 0)
		close(o->dirfd);
	free(o->temp);
	free(o->path);
	free(o->backup);
	free(o->buffer);
	free(o);
}
