/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* source.c - a descriptor of another process, looked at from outside */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/getfd.h"
#include "objects/object.h"

int cr_object_source_read(struct cr_object_source *src, pid_t pid, int32_t vpid,
			  int fd, struct cr_error *err)
{
	const char *where = "link";
	char path[64];
	ssize_t n;
	int info;

	src->pid = pid;
	src->vpid = vpid;
	src->fd = fd;
	src->local = -1;
	src->held = src->queued = false;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	n = readlink(path, src->link, sizeof(src->link) - 1);
	if (n < 0)
		goto failed;
	src->link[n] = 0;
	where = "stat";
	if (stat(path, &src->st) < 0)
		goto failed;
	where = "fdinfo";
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		goto failed;
	n = read(info, src->fdinfo, sizeof(src->fdinfo) - 1);
	close(info);
	if (n < 0)
		goto failed;
	src->fdinfo[n] = 0;
	return 0;
failed:
	if (errno == ENOENT || errno == ESRCH)
		return -ENOENT;
	return cr_error_set(err, -errno, "process %d: descriptor %d: %s: %s",
			    vpid, fd, where, strerror(errno));
}

const char *cr_object_field(const struct cr_object_source *src,
			    const char *name)
{
	const char *p = src->fdinfo;
	size_t n = strlen(name);

	for (;;) {
		if (!strncmp(p, name, n))
			return p + n + strspn(p + n, " \t");
		p = strchr(p, '\n');
		if (!p++)
			return NULL;
	}
}

uint32_t cr_object_flags(const struct cr_object_source *src)
{
	const char *p = cr_object_field(src, "flags:");

	return p ? (uint32_t)strtoul(p, NULL, 8) : 0;
}

int64_t cr_object_offset(const struct cr_object_source *src)
{
	const char *p = cr_object_field(src, "pos:");

	return p ? strtoll(p, NULL, 10) : 0;
}

int cr_object_dup(const struct cr_object_source *src, struct cr_error *err)
{
	int fd;

	if (src->local >= 0)
		return src->local;
	fd = cr_getfd(src->pid, src->fd);
	if (fd < 0)
		return cr_error_set(err, fd, "%s: pidfd_getfd: %s",
				    cr_object_label(src), strerror(-fd));
	return fd;
}

void cr_object_undup(const struct cr_object_source *src, int fd)
{
	if (fd >= 0 && fd != src->local)
		close(fd);
}

const char *cr_object_label(const struct cr_object_source *src)
{
	static _Thread_local char text[512];

	if (src->queued)
		snprintf(text, sizeof(text),
			 "process %d: a descriptor on its way to descriptor %d "
			 "(%.400s)",
			 src->vpid, src->to, src->link);
	else
		snprintf(text, sizeof(text),
			 "process %d: descriptor %d (%.400s)", src->vpid,
			 src->fd, src->link);
	return text;
}

uint64_t cr_object_id(const struct stat *st)
{
	return ((uint64_t)st->st_dev << 44) ^ (uint64_t)st->st_ino;
}

int cr_object_open_flags(const struct cr_file *file)
{
	return (int)(file->flags &
		     (O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC |
		      O_DIRECT | O_LARGEFILE | O_NOATIME | O_PATH)) |
	       O_NOCTTY | O_CLOEXEC;
}

int cr_object_set_flags(int fd, const struct cr_file *file)
{
	return fcntl(fd, F_SETFL, cr_object_open_flags(file)) ? -errno : 0;
}

int cr_object_reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

int cr_object_another(int fd, struct cr_error *err)
{
	int more = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return more < 0 ? cr_error_set(err, -errno, "dup: %s", strerror(errno))
			: more;
}
