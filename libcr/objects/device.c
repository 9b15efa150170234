/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device.c - devices without state: null, zero, full, random, urandom */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "restore/restore.h"

#define MEM_MAJOR 1 /* Documentation/admin-guide/devices.txt */

static bool stateless(mode_t mode, dev_t rdev)
{
	if (!S_ISCHR(mode) || major(rdev) != MEM_MAJOR)
		return false;
	switch (minor(rdev)) {
	case 3: /* null */
	case 5: /* zero */
	case 7: /* full */
	case 8: /* random */
	case 9: /* urandom */
		return true;
	default:
		return false;
	}
}

static bool claims(const struct cr_object_source *src)
{
	return stateless(src->st.st_mode, src->st.st_rdev);
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	uint32_t number = minor(src->st.st_rdev);

	file->object_id = src->st.st_rdev;
	file->id.mode = src->st.st_mode;
	file->id.path = strdup(src->link);
	if (!file->id.path || cr_blob_set(&file->extra, &number, 4))
		return cr_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	struct stat st;
	uint32_t number;
	int fd;

	fd = open(file->id.path, cr_object_open_flags(file));
	if (fd < 0)
		return cr_error_set(err, -errno, "%s: %s", file->id.path,
				    strerror(errno));
	if (file->extra.len == 4)
		memcpy(&number, file->extra.data, 4);
	if (file->extra.len != 4 || fstat(fd, &st) ||
	    !stateless(st.st_mode, st.st_rdev) || minor(st.st_rdev) != number) {
		close(fd);
		return cr_error_set(err, -EINVAL,
				    "%s is not the device that it was",
				    file->id.path);
	}
	return fd;
}

const struct cr_object_ops cr_object_device = {
	.kind = CR_OBJ_DEVICE,
	.name = "device",
	.claims = claims,
	.capture = capture,
	.restore = restore,
};
