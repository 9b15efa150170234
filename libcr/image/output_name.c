/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output_name.c - a file that has no name, or not its own, until it is complete
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/output_private.h"

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
int cr_output_create(struct cr_output *o)
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

const char *cr_output_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int cr_output_open_dir(struct cr_output *o)
{
	const char *base = cr_output_base(o->path);
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
	if (linkat(o->dirfd, cr_output_base(o->path), o->dirfd, name, 0)) {
		rc = errno == ENOENT ? 0 : -errno;
	} else if (renameat(o->dirfd, name, AT_FDCWD, o->backup)) {
		rc = -errno;
		unlinkat(o->dirfd, name, 0);
	}
	free(name);
	return rc;
}

int cr_output_give_name(struct cr_output *o, struct cr_error *err)
{
	const char *base = cr_output_base(o->path);
	int rc = o->temp ? 0 : link_temp(o);

	if (rc)
		return cr_output_fail(o, rc, "name", err);
	if (o->backup) {
		rc = keep_backup(o);
		if (rc)
			return cr_output_fail(o, rc, "keep a backup of", err);
	}
	if (renameat2(o->dirfd, o->temp, o->dirfd, base,
		      o->exclusive ? RENAME_NOREPLACE : 0)) {
		/* A file system without RENAME_NOREPLACE has link(2). */
		if (!o->exclusive || errno != EINVAL ||
		    linkat(o->dirfd, o->temp, o->dirfd, base, 0))
			return cr_output_fail(o, -errno, "name", err);
		unlinkat(o->dirfd, o->temp, 0);
	}
	free(o->temp);
	o->temp = NULL;
	if (o->fsync && fsync(o->dirfd) && errno != EINVAL)
		return cr_output_fail(o, -errno,
				      "make the directory durable of", err);
	return 0;
}
