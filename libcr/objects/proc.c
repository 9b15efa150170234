/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proc.c - files and directories of /proc about a process of the tree */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"

struct state {
	int32_t pid, tid; /* tid: of /proc/PID/task/TID, or 0 */
	char *rest;	  /* behind that, "" or "/status" */
};

static void record(struct cr_pack *p, void *state)
{
	struct state *s = state;

	cr_pack_s32(p, &s->pid);
	cr_pack_s32(p, &s->tid);
	cr_pack_string(p, &s->rest);
}

static bool claims(const struct cr_object_source *src)
{
	return !strncmp(src->link, "/proc/", 6) && isdigit(src->link[6]) &&
	       (S_ISREG(src->st.st_mode) || S_ISDIR(src->st.st_mode));
}

static int find(const struct cr_object_source *src, struct state *s,
		struct cr_error *err)
{
	static const char task[] = "/task/";
	const size_t n = sizeof(task) - 1;
	char *rest;
	long id = strtol(src->link + 6, &rest, 10);

	s->tid = 0;
	s->pid = src->number(src, (pid_t)id, false);
	if (s->pid && !strncmp(rest, task, n) && isdigit(rest[n])) {
		id = strtol(rest + n, &rest, 10);
		s->tid = src->number(src, (pid_t)id, true);
		if (!s->tid)
			s->pid = 0;
	}
	s->rest = rest;
	if (s->pid && strlen(rest) < PATH_MAX / 2 &&
	    !strstr(rest, " (deleted)"))
		return 0;
	return cr_error_set(err, -ENOTSUP,
			    "%s is a file of /proc about a process that is "
			    "not among those to be saved; close it before the "
			    "checkpoint",
			    cr_object_label(src));
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	struct state s;

	return find(src, &s, err);
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	struct state s;
	int ret = find(src, &s, err);

	return ret ? ret : cr_object_record(file, record, &s, err);
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	struct state s = { 0 };
	char path[PATH_MAX];
	int fd = -1, ret;

	ret = cr_object_unrecord(file, record, &s, err);
	if (ret)
		return ret;
	if (s.tid)
		snprintf(path, sizeof(path), "/proc/%d/task/%d%s", s.pid, s.tid,
			 s.rest ? s.rest : "");
	else
		snprintf(path, sizeof(path), "/proc/%d%s", s.pid,
			 s.rest ? s.rest : "");
	free(s.rest);
	fd = open(path, cr_object_open_flags(file));
	if (fd >= 0 && (file->flags & O_PATH || !file->offset ||
			lseek(fd, file->offset, SEEK_SET) >= 0))
		return fd;
	ret = cr_error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

const struct cr_object_ops cr_object_proc = {
	.kind = CR_OBJ_PROC,
	.name = "file of /proc",
	.late = true,
	.claims = claims,
	.check = check,
	.capture = capture,
	.restore = restore,
};
