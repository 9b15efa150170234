/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pidfd.c - descriptors of processes and threads of the tree */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"

#define THREAD O_EXCL /* PIDFD_THREAD, which is among the file's flags */

static void record(struct cr_pack *p, void *state)
{
	cr_pack_s32(p, state); /* 0: it has ended and was collected */
}

static bool claims(const struct cr_object_source *src)
{
	return !strcmp(src->link, "anon_inode:[pidfd]") ||
	       !strncmp(src->link, "pidfd:", 6);
}

static int find(const struct cr_object_source *src, int32_t *pid,
		struct cr_error *err)
{
	const char *p = cr_object_field(src, "Pid:");
	pid_t id = p ? (pid_t)strtol(p, NULL, 10) : 0;

	*pid = 0;
	if (id < 0)
		return 0;
	if (id)
		*pid = src->number(src, id, cr_object_flags(src) & THREAD);
	if (*pid)
		return 0;
	return cr_error_set(err, -ENOTSUP,
			    "%s is a pidfd of process %d, which is not among "
			    "those to be saved; close it before the checkpoint",
			    cr_object_label(src), id);
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	int32_t pid;

	return find(src, &pid, err);
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	int32_t pid;
	int ret = find(src, &pid, err);

	return ret ? ret : cr_object_record(file, record, &pid, err);
}

/* Of a process that has been there for this alone. */
static int open_ended(void)
{
	int fd, e;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid < 0)
		return -1;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	e = errno;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = e;
	return fd;
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	int32_t pid;
	int fd, ret;

	ret = cr_object_unrecord(file, record, &pid, err);
	if (ret)
		return ret;
	fd = pid ? (int)syscall(SYS_pidfd_open, pid, file->flags & THREAD)
		 : open_ended();
	if (fd < 0)
		return cr_error_set(err, -errno, "of process %d: %s", pid,
				    strerror(errno));
	if (cr_object_set_flags(fd, file)) {
		ret = cr_error_set(err, -errno, "flags: %s", strerror(errno));
		close(fd);
		return ret;
	}
	return fd;
}

const struct cr_object_ops cr_object_pidfd = {
	.kind = CR_OBJ_PIDFD,
	.name = "pidfd",
	.late = true,
	.claims = claims,
	.check = check,
	.capture = capture,
	.restore = restore,
};
