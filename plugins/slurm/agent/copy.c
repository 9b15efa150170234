/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy.c - whole files: copy durably, digest, put back */
#include "plugins/slurm/agent/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define COPY_BUFFER (1u << 20)

static int copy_error(struct cr_error *err, const char *what, const char *path)
{
	int e = errno;

	return cr_error_set(err, -e, "cannot %s %s: %s", what, path,
			    strerror(e));
}

int cr_copy_digest(const char *path, uint64_t *bytes, char hex[33],
		   struct cr_error *err)
{
	XXH3_state_t *state = XXH3_createState();
	char *buf = malloc(COPY_BUFFER);
	XXH128_canonical_t c;
	ssize_t n = 0;
	int fd = -1, rc = 0;

	*bytes = 0;
	if (!state || !buf) {
		rc = cr_error_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	XXH3_128bits_reset(state);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		rc = copy_error(err, "open", path);
		goto out;
	}
	while ((n = read(fd, buf, COPY_BUFFER)) > 0) {
		XXH3_128bits_update(state, buf, n);
		*bytes += n;
	}
	if (n < 0) {
		rc = copy_error(err, "read", path);
		goto out;
	}
	XXH128_canonicalFromHash(&c, XXH3_128bits_digest(state));
	for (int i = 0; i < 16; i++)
		sprintf(hex + 2 * i, "%02x", c.digest[i]);
out:
	if (fd >= 0)
		close(fd);
	XXH3_freeState(state);
	free(buf);
	return rc;
}

static int copy_bytes(int in, int out, uint64_t size, const char *from,
		      const char *to, struct cr_error *err)
{
	char *buf = malloc(COPY_BUFFER);
	int rc = 0;

	if (!buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	while (size && !rc) {
		ssize_t n = read(in, buf,
				 size < COPY_BUFFER ? size : COPY_BUFFER);
		ssize_t done = 0;

		if (n < 0)
			rc = copy_error(err, "read", from);
		if (n <= 0)
			break;
		while (done < n && !rc) {
			ssize_t m = write(out, buf + done, n - done);

			if (m < 0)
				rc = copy_error(err, "write", to);
			else
				done += m;
		}
		size -= n;
	}
	free(buf);
	return rc;
}

int cr_copy_file(const char *from, const char *to, uint64_t size,
		 struct cr_error *err)
{
	int in, out, rc;

	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return copy_error(err, "open", from);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0) {
		rc = copy_error(err, "create", to);
		close(in);
		return rc;
	}
	rc = copy_bytes(in, out, size, from, to, err);
	if (!rc && fsync(out))
		rc = copy_error(err, "write", to);
	close(in);
	if (close(out) && !rc)
		rc = copy_error(err, "write", to);
	if (rc)
		unlink(to);
	return rc;
}

int cr_copy_sync_dir(const char *path, struct cr_error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return copy_error(err, "open", path);
	if (fsync(fd) && errno != EINVAL) /* some file systems cannot */
		rc = copy_error(err, "sync", path);
	close(fd);
	return rc;
}

int cr_copy_text(const char *path, const char *text, unsigned int mode,
		 struct cr_error *err)
{
	size_t len = strlen(text), done = 0;
	char tmp[PATH_MAX];
	int fd, rc = 0;

	if (snprintf(tmp, sizeof(tmp), "%s.%d", path, (int)getpid()) >=
	    (int)sizeof(tmp))
		return cr_error_set(err, -ENAMETOOLONG, "%s: name too long",
				    path);
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return copy_error(err, "create", tmp);
	fchmod(fd, mode);
	while (done < len && !rc) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0)
			rc = copy_error(err, "write", path);
		else
			done += n;
	}
	if (!rc && len && text[len - 1] != '\n' && write(fd, "\n", 1) != 1)
		rc = copy_error(err, "write", path);
	if (!rc && fsync(fd))
		rc = copy_error(err, "write", path);
	if (close(fd) && !rc)
		rc = copy_error(err, "write", path);
	if (!rc && rename(tmp, path))
		rc = copy_error(err, "rename", tmp);
	if (rc)
		unlink(tmp);
	return rc;
}
