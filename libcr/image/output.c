/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output.c - where a context file goes: bytes in order, a name at the end */
#include "image/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (1u << 20) /* and the most one write(2) gets */
#define DIRECT_MIN (64u << 10) /* from here on copying costs more */
#define FLUSH_STEP (32u << 20) /* bytes between hints to begin writing back */

struct cr_output {
	int fd;
	bool regular; /* a file, not a stream */
	bool fsync;
	bool exclusive;
	char *path; /* the name in the end; NULL: a descriptor was given */
	char *backup;
	char *temp; /* name that exists and is to be removed, or NULL */
	int dirfd;
	uint8_t *buffer;
	size_t fill;
	uint64_t offset;  /* all bytes so far */
	uint64_t flushed; /* bytes handed to sync_file_range() */
	int status;
	bool committed;
};

static const char *name_of(const struct cr_output *o)
{
	return o->path ? o->path : "the given descriptor";
}

static int fail(struct cr_output *o, int code, const char *what,
		struct cr_error *err)
{
	o->status = code;
	return cr_error_set(err, code,
			    "cannot %s %s: %s (after %" PRIu64 " bytes)", what,
			    name_of(o), strerror(-code), o->offset - o->fill);
}

/*
 * write(2) that never kills us: a broken pipe and a file size limit give an
 * error here, not a signal to whoever uses this library.
 */
static ssize_t quiet_write(int fd, const void *data, size_t len)
{
	static const struct timespec now;
	sigset_t block, old, pending;
	ssize_t n;
	int saved;

	sigemptyset(&block);
	sigpending(&pending);
	if (!sigismember(&pending, SIGPIPE))
		sigaddset(&block, SIGPIPE);
	if (!sigismember(&pending, SIGXFSZ))
		sigaddset(&block, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &block, &old);
	n = write(fd, data, len);
	saved = errno;
	if (n < 0 && (saved == EPIPE || saved == EFBIG))
		sigtimedwait(&block, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return n;
}

static int write_all(struct cr_output *o, const uint8_t *data, size_t len,
		     struct cr_error *err)
{
	while (len) {
		size_t want = len < BUFFER_SIZE ? len : BUFFER_SIZE;
		ssize_t n = quiet_write(o->fd, data, want);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = { o->fd, POLLOUT, 0 };

			poll(&wait, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(o, n ? -errno : -EIO, "write", err);
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int flush(struct cr_output *o, struct cr_error *err)
{
	int rc = write_all(o, o->buffer, o->fill, err);

	if (rc)
		return rc;
	o->fill = 0;
	/* The disk works while we go on, so that the fsync() at the end is
	   short. */
	if (o->fsync && o->regular && o->offset - o->flushed >= FLUSH_STEP) {
		sync_file_range(o->fd, (off_t)o->flushed,
				(off_t)(o->offset - o->flushed),
				SYNC_FILE_RANGE_WRITE);
		o->flushed = o->offset;
	}
	return 0;
}

int cr_output_write(struct cr_output *o, const void *data, size_t len,
		    struct cr_error *err)
{
	int rc;

	if (o->status)
		return cr_error_set(err, o->status,
				    "writing %s has failed before: %s",
				    name_of(o), strerror(-o->status));
	if (o->fill + len > BUFFER_SIZE || len >= DIRECT_MIN) {
		rc = flush(o, err);
		if (rc)
			return rc;
	}
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
	o->fd = o->dirfd = -1;
	o->fsync = opt->fsync;
	o->exclusive = opt->exclusive;
	o->buffer = aligned_alloc(4096, BUFFER_SIZE);
	if (opt->backup)
		o->backup = strdup(opt->backup);
	if (!o->buffer || (opt->backup && !o->backup)) {
		cr_output_destroy(o);
		return NULL;
	}
	return o;
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
	*out = o;
	return 0;
error:
	o->regular = false; /* nothing of ours in it */
	cr_output_destroy(o);
	return rc;
}

/* A name that no one takes for a context file, nor uses. */
static char *temp_name(void)
{
	uint8_t r[8] = { 0 };
	char *name;

	if (getrandom(r, sizeof(r), 0) != sizeof(r) ||
	    asprintf(&name, ".incomplete-%02x%02x%02x%02x%02x%02x%02x%02x",
		     r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]) < 0)
		return NULL;
	return name;
}

/*
 * Opens the file without a name where the file system can, so that nothing
 * is left even if we are killed.
 */
static int open_file(struct cr_output *o)
{
	int flags = O_WRONLY | O_CLOEXEC;

	o->fd = openat(o->dirfd, ".", flags | O_TMPFILE, 0600);
	if (o->fd >= 0) {
		char self[64];

		/* linkat() will need /proc. */
		snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
		if (!access(self, F_OK))
			return 0;
		close(o->fd);
		o->fd = -1;
	}
	o->temp = temp_name();
	if (!o->temp)
		return -ENOMEM;
	o->fd = openat(o->dirfd, o->temp, flags | O_CREAT | O_EXCL | O_NOFOLLOW,
		       0600);
	if (o->fd >= 0)
		return 0;
	free(o->temp);
	o->temp = NULL;
	return -errno;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int open_directory(struct cr_output *o)
{
	const char *base = base_of(o->path);
	char *dir = base == o->path ? strdup(".")
		    : base == o->path + 1
			    ? strdup("/")
			    : strndup(o->path, (size_t)(base - o->path) - 1);

	if (!dir)
		return -ENOMEM;
	o->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	return o->dirfd < 0 ? -errno : 0;
}

/* Something that is there and no file: a fifo or a device gets the bytes. */
static int open_special(struct cr_output **out, const char *path,
			const struct cr_writer_options *opt,
			struct cr_error *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	int rc;

	if (fd < 0)
		return cr_error_set(err, -errno, "cannot open %s: %s", path,
				    strerror(errno));
	rc = cr_output_open_fd(out, fd, opt, err);
	close(fd);
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
		return open_special(out, path, opt, err);
	if ((exists && S_ISDIR(st.st_mode)) || !*base_of(path))
		return cr_error_set(err, -EISDIR, "%s is a directory", path);
	if (exists && opt->exclusive)
		return cr_error_set(err, -EEXIST, "%s exists already", path);
	o = output_new(opt);
	if (!o)
		return cr_error_set(err, -ENOMEM, "out of memory");
	o->regular = true;
	/* Behind a symbolic link the file is replaced, not the link. */
	o->path = exists ? realpath(path, NULL) : strdup(path);
	rc = o->path ? open_directory(o) : -errno;
	if (!rc)
		rc = open_file(o);
	if (rc) {
		cr_error_set(err, rc, "cannot create %s: %s", path,
			     strerror(-rc));
		cr_output_destroy(o);
		return rc;
	}
	*out = o;
	return 0;
}

/* Gives an unnamed file its temporary name. */
static int link_temp(struct cr_output *o)
{
	char self[64];
	char *name = temp_name();

	if (!name)
		return -ENOMEM;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	if (linkat(AT_FDCWD, self, o->dirfd, name, AT_SYMLINK_FOLLOW)) {
		int rc = -errno;

		free(name);
		return rc;
	}
	o->temp = name;
	return 0;
}

/* What has the name now gets the backup's; never a moment without either. */
static int keep_backup(struct cr_output *o)
{
	char *name = temp_name();
	int rc = 0;

	if (!name)
		return -ENOMEM;
	if (linkat(o->dirfd, base_of(o->path), o->dirfd, name, 0)) {
		rc = errno == ENOENT ? 0 : -errno;
	} else if (renameat(o->dirfd, name, AT_FDCWD, o->backup)) {
		rc = -errno;
		unlinkat(o->dirfd, name, 0);
	}
	free(name);
	return rc;
}

static int give_name(struct cr_output *o, struct cr_error *err)
{
	const char *base = base_of(o->path);
	int rc = o->temp ? 0 : link_temp(o);

	if (rc)
		return fail(o, rc, "name", err);
	if (o->backup) {
		rc = keep_backup(o);
		if (rc)
			return fail(o, rc, "keep a backup of", err);
	}
	if (renameat2(o->dirfd, o->temp, o->dirfd, base,
		      o->exclusive ? RENAME_NOREPLACE : 0)) {
		/* A file system without RENAME_NOREPLACE has link(2). */
		if (!o->exclusive || errno != EINVAL ||
		    linkat(o->dirfd, o->temp, o->dirfd, base, 0))
			return fail(o, -errno, "name", err);
		unlinkat(o->dirfd, o->temp, 0);
	}
	free(o->temp);
	o->temp = NULL;
	if (o->fsync && fsync(o->dirfd) && errno != EINVAL)
		return fail(o, -errno, "make the directory durable of", err);
	return 0;
}

int cr_output_commit(struct cr_output *o, struct cr_error *err)
{
	int rc;

	rc = cr_output_write(o, "", 0, err); /* has something failed? */
	if (!rc)
		rc = flush(o, err);
	if (rc)
		return rc;
	if (o->fsync && o->regular && fsync(o->fd))
		return fail(o, -errno, "make durable", err);
	if (o->path)
		rc = give_name(o, err);
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
	if (o->dirfd >= 0)
		close(o->dirfd);
	free(o->temp);
	free(o->path);
	free(o->backup);
	free(o->buffer);
	free(o);
}
