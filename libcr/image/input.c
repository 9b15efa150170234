/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* input.c - where a context file comes from: a file, or a stream kept in one */
#include "image/input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/format.h"

#define SPOOL_STEP (1u << 20)

/* An unnamed file for what cannot be read twice. */
static int open_spool(void)
{
	const char *tmpdir = getenv("TMPDIR");
	const char *const dirs[] = { tmpdir, "/var/tmp", "/tmp" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd = dirs[i] && *dirs[i]
				 ? open(dirs[i], O_RDWR | O_TMPFILE | O_CLOEXEC,
					0600)
				 : -1;

		if (fd >= 0)
			return fd;
	}
	return memfd_create("context file", MFD_CLOEXEC);
}

static ssize_t read_some(int fd, void *buf, size_t len)
{
	for (;;) {
		ssize_t n = read(fd, buf, len);
		struct pollfd wait = { fd, POLLIN, 0 };

		if (n >= 0 || (errno != EINTR && errno != EAGAIN))
			return n;
		if (errno == EAGAIN)
			poll(&wait, 1, -1);
	}
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Copies what is left of a stream, unless its first bytes are not ours. */
static int spool(struct cr_input *in, int from, struct cr_error *err)
{
	char *buf = malloc(SPOOL_STEP);
	size_t fill = 0;
	ssize_t n;
	int rc = 0;

	in->fd = open_spool();
	if (!buf || in->fd < 0) {
		rc = cr_error_set(err, buf ? -errno : -ENOMEM,
				  "cannot keep the stream in a file: %s",
				  buf ? strerror(errno) : "out of memory");
		goto out;
	}
	do {
		n = read_some(from, buf + fill, SPOOL_STEP - fill);
		if (n < 0) {
			rc = cr_error_set(err, -errno, "cannot read: %s",
					  strerror(errno));
			break;
		}
		fill += (size_t)n;
		if (fill < SPOOL_STEP && n)
			continue;
		if (!in->size && fill >= CR_FORMAT_MAGIC_SIZE &&
		    memcmp(buf, CR_FORMAT_MAGIC, CR_FORMAT_MAGIC_SIZE)) {
			rc = cr_error_set(err, -EINVAL, "not a context file");
			break;
		}
		rc = write_all(in->fd, buf, fill);
		if (rc)
			cr_error_set(err, rc,
				     "cannot keep the stream in a file: %s",
				     strerror(-rc));
		in->size += fill;
		fill = 0;
	} while (n && !rc);
out:
	free(buf);
	if (rc)
		cr_input_close(in);
	return rc;
}

int cr_input_open_fd(struct cr_input *in, int fd, struct cr_error *err)
{
	struct stat st;

	in->fd = -1;
	in->size = 0;
	if (fstat(fd, &st))
		return cr_error_set(err, -errno, "descriptor %d: %s", fd,
				    strerror(errno));
	if (S_ISDIR(st.st_mode))
		return cr_error_set(err, -EISDIR, "it is a directory");
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
		return cr_error_set(err, -EBADF,
				    "descriptor %d is not open for reading",
				    fd);
	if (!S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_CUR) != 0)
		return spool(in, fd, err);
	in->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (in->fd < 0)
		return cr_error_set(err, -errno, "descriptor %d: %s", fd,
				    strerror(errno));
	in->size = (uint64_t)st.st_size;
	return 0;
}

int cr_input_open(struct cr_input *in, const char *path, struct cr_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int rc;

	in->fd = -1;
	if (fd < 0)
		return cr_error_set(err, -errno, "cannot open: %s",
				    strerror(errno));
	rc = cr_input_open_fd(in, fd, err);
	close(fd);
	return rc;
}

int cr_input_read(const struct cr_input *in, uint64_t offset, void *buf,
		  size_t len, struct cr_error *err)
{
	uint8_t *to = buf;

	while (len) {
		size_t want = len < SPOOL_STEP ? len : SPOOL_STEP;
		ssize_t n = pread(in->fd, to, want, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cr_error_set(err, -errno,
					    "cannot read at %" PRIu64 ": %s",
					    offset, strerror(errno));
		if (!n)
			return cr_error_set(err, -EINVAL,
					    "the file ends at %" PRIu64
					    ", in the middle of its data",
					    offset);
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

void cr_input_close(struct cr_input *in)
{
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
}
