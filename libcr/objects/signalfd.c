/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* signalfd.c - signals as something to read (signalfd(2)) */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"

static void record(struct cr_pack *p, void *state)
{
	cr_pack_u64(p, state);
}

static bool claims(const struct cr_object_source *src)
{
	return !strcmp(src->link, "anon_inode:[signalfd]");
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	if (cr_object_field(src, "sigmask:"))
		return 0;
	return cr_error_set(err, -ENOTSUP,
			    "%s is a signalfd, and this kernel does not tell "
			    "its signals; close it before the checkpoint",
			    cr_object_label(src));
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	uint64_t mask;
	int ret = check(src, err);

	if (ret)
		return ret;
	mask = strtoull(cr_object_field(src, "sigmask:"), NULL, 16);
	return cr_object_record(file, record, &mask, err);
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	uint64_t mask; /* the kernel's, with the signals the C library keeps */
	int fd, ret;

	ret = cr_object_unrecord(file, record, &mask, err);
	if (ret)
		return ret;
	fd = (int)syscall(SYS_signalfd4, -1, &mask, sizeof(mask), O_CLOEXEC);
	if (fd < 0)
		return cr_error_set(err, -errno, "%s", strerror(errno));
	if (cr_object_set_flags(fd, file)) {
		ret = cr_error_set(err, -errno, "%s", strerror(errno));
		close(fd);
		return ret;
	}
	return fd;
}

const struct cr_object_ops cr_object_signalfd = {
	.kind = CR_OBJ_SIGNALFD,
	.name = "signalfd",
	.claims = claims,
	.check = check,
	.capture = capture,
	.restore = restore,
};
