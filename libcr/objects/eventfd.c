/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* eventfd.c - event counters (eventfd(2)) */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"

struct state {
	uint64_t count;
	bool semaphore;
};

static void record(struct cr_pack *p, void *state)
{
	struct state *s = state;

	cr_pack_u64(p, &s->count);
	cr_pack_bool(p, &s->semaphore);
}

static bool claims(const struct cr_object_source *src)
{
	return !strcmp(src->link, "anon_inode:[eventfd]");
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	const char *count = cr_object_field(src, "eventfd-count:");

	if (!count || !cr_object_field(src, "eventfd-semaphore:"))
		return cr_error_set(err, -ENOTSUP,
				    "%s is an eventfd, and this kernel does "
				    "not tell whether it is a semaphore (Linux "
				    "6.5 does); close it before the checkpoint",
				    cr_object_label(src));
	if (strtoull(count, NULL, 16) == UINT64_MAX)
		return cr_error_set(err, -ENOTSUP,
				    "%s is an eventfd that has overflown, "
				    "which cannot be saved; read it before "
				    "the checkpoint",
				    cr_object_label(src));
	return 0;
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	struct state s;
	int ret = check(src, err);

	if (ret)
		return ret;
	s.count = strtoull(cr_object_field(src, "eventfd-count:"), NULL, 16);
	s.semaphore = strtoul(cr_object_field(src, "eventfd-semaphore:"), NULL,
			      10) != 0;
	return cr_object_record(file, record, &s, err);
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	struct state s;
	int fd, ret;

	ret = cr_object_unrecord(file, record, &s, err);
	if (ret)
		return ret;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK |
				(s.semaphore ? EFD_SEMAPHORE : 0));
	if (fd < 0)
		return cr_error_set(err, -errno, "%s", strerror(errno));
	if ((s.count && write(fd, &s.count, sizeof(s.count)) < 0) ||
	    cr_object_set_flags(fd, file)) {
		ret = cr_error_set(err, -errno, "count %" PRIu64 ": %s",
				   s.count, strerror(errno));
		close(fd);
		return ret;
	}
	return fd;
}

const struct cr_object_ops cr_object_eventfd = {
	.kind = CR_OBJ_EVENTFD,
	.name = "eventfd",
	.claims = claims,
	.check = check,
	.capture = capture,
	.restore = restore,
};
