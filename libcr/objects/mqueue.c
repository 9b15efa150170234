/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mqueue.c - POSIX message queues (mq_open(3))
 *
 * Like a file with a name, a queue lives on outside of the program: it is
 * opened again if it has as many messages as then, or made if it was empty.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202
#endif

struct state {
	uint64_t maxmsg, msgsize, messages;
};

static void record(struct cr_pack *p, void *state)
{
	struct state *s = state;

	cr_pack_u64(p, &s->maxmsg);
	cr_pack_u64(p, &s->msgsize);
	cr_pack_u64(p, &s->messages);
}

static bool claims(const struct cr_object_source *src)
{
	struct statfs fs;
	bool is = false;
	int fd;

	/* the only file system whose files have 80 bytes, whatever is in them
	 */
	if (!S_ISREG(src->st.st_mode) || src->st.st_size != 80 ||
	    cr_object_flags(src) & O_PATH)
		return false;
	fd = cr_object_dup(src, NULL);
	if (fd < 0)
		return false;
	is = !fstatfs(fd, &fs) && fs.f_type == MQUEUE_MAGIC;
	cr_object_undup(src, fd);
	return is;
}

static int refuse(const struct cr_object_source *src, const char *what,
		  const char *todo, struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "%s is a message queue %s, which cannot be saved; "
			    "%s",
			    cr_object_label(src), what, todo);
}

static int read_state(const struct cr_object_source *src, struct state *s,
		      struct cr_error *err)
{
	char text[128] = { 0 }, *notify;
	struct mq_attr attr;
	int fd, ret = 0;

	if (!src->st.st_nlink || strstr(src->link, " (deleted)"))
		return refuse(src, "that was removed (mq_unlink)",
			      "close it before the checkpoint", err);
	fd = cr_object_dup(src, err);
	if (fd < 0)
		return fd;
	/* "QSIZE:0 NOTIFY:0 SIGNO:0 NOTIFY_PID:0" */
	if (mq_getattr(fd, &attr) || pread(fd, text, sizeof(text) - 1, 0) < 0)
		ret = cr_error_set(err, -errno, "%s: %s", cr_object_label(src),
				   strerror(errno));
	cr_object_undup(src, fd);
	if (ret)
		return ret;
	notify = strstr(text, "NOTIFY_PID:");
	if (!notify || strtol(notify + 11, NULL, 10))
		return refuse(src, "with a process to be notified (mq_notify)",
			      "take that back before the checkpoint", err);
	s->maxmsg = (uint64_t)attr.mq_maxmsg;
	s->msgsize = (uint64_t)attr.mq_msgsize;
	s->messages = (uint64_t)attr.mq_curmsgs;
	return 0;
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	struct state s;

	return read_state(src, &s, err);
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	struct state s;
	int ret = read_state(src, &s, err);

	if (ret)
		return ret;
	file->id.mode = src->st.st_mode;
	file->id.path = strdup(src->link);
	if (!file->id.path)
		return cr_error_set(err, -ENOMEM, "out of memory");
	return cr_object_record(file, record, &s, err);
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	const char *name = file->id.path;
	struct mq_attr attr;
	struct state s;
	int fd, ret;

	ret = cr_object_unrecord(file, record, &s, err);
	if (ret)
		return ret;
	if (!name || !strrchr(name, '/'))
		return cr_error_set(err, -EINVAL, "it has no name");
	name = strrchr(name, '/');
	memset(&attr, 0, sizeof(attr));
	attr.mq_maxmsg = (long)s.maxmsg;
	attr.mq_msgsize = (long)s.msgsize;
	/* what had messages must be there still, or they would be lost */
	fd = mq_open(name,
		     cr_object_open_flags(file) | (s.messages ? 0 : O_CREAT),
		     file->id.mode & 07777, &attr);
	if (fd < 0 || mq_getattr(fd, &attr))
		ret = cr_error_set(err, -errno,
				   "message queue %s, which had %llu "
				   "messages: %s",
				   name, (unsigned long long)s.messages,
				   strerror(errno));
	else if ((uint64_t)attr.mq_curmsgs != s.messages ||
		 (uint64_t)attr.mq_maxmsg != s.maxmsg ||
		 (uint64_t)attr.mq_msgsize != s.msgsize)
		ret = cr_error_set(err, -ESTALE,
				   "message queue %s is not as it was at the "
				   "checkpoint (%ld messages now, %llu then)",
				   name, attr.mq_curmsgs,
				   (unsigned long long)s.messages);
	if (ret && fd >= 0)
		close(fd);
	return ret ? ret : fd;
}

const struct cr_object_ops cr_object_mqueue = {
	.kind = CR_OBJ_MQUEUE,
	.name = "message queue",
	.claims = claims,
	.check = check,
	.capture = capture,
	.restore = restore,
};
