/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unnamed.c - files without a name that are open and mapped shared as well
 *
 * The content is shared memory of the image, as that of a memory file: what
 * is written to the file must be seen in the memory, and the reverse.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"
#include "restore/restore.h"

struct state {
	uint64_t size;
	uint32_t shm; /* index in cr_image.shms */
};

static void record(struct cr_pack *p, void *state)
{
	struct state *s = state;

	cr_pack_u64(p, &s->size);
	cr_pack_u32(p, &s->shm);
}

static bool claims(const struct cr_object_source *src)
{
	return S_ISREG(src->st.st_mode) && !src->st.st_nlink &&
	       src->link[0] == '/' && strncmp(src->link, "/memfd:", 7) != 0 &&
	       src->mapped && src->mapped(src, NULL);
}

/* Of each descriptor: a lock of fcntl(2) is that of its process. */
static int check_locks(const struct cr_object_source *src, struct cr_file *file,
		       struct cr_error *err)
{
	(void)file;
	if (!cr_object_field(src, "lock:"))
		return 0;
	return cr_error_set(err, -ENOTSUP,
			    "%s has no name any more, is mapped and locked, "
			    "which cannot be saved; unlock it, or give the "
			    "file a name",
			    cr_object_label(src));
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	dev_t dev = 0;

	if (!src->st.st_size)
		return cr_error_set(err, -ENOTSUP,
				    "%s has no name any more, is mapped and "
				    "empty, which cannot be saved; unmap it",
				    cr_object_label(src));
	/* the device of its memory is what tells that they are the same */
	src->mapped(src, &dev);
	if (dev != src->st.st_dev)
		return cr_error_set(err, -ENOTSUP,
				    "%s has no name any more and is memory of "
				    "a process too, which cannot be saved on "
				    "this file system; close the descriptor, "
				    "or give the file a name",
				    cr_object_label(src));
	return check_locks(src, NULL, err);
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	static const char mark[] = " (deleted)";
	struct state s = { .size = (uint64_t)src->st.st_size, .shm = CR_NONE };
	size_t n = strlen(src->link), k = sizeof(mark) - 1;
	int fd, ret;

	ret = check(src, err);
	if (ret)
		return ret;
	fd = cr_object_dup(src, err);
	if (fd < 0)
		return fd;
	ret = src->keep(src, fd, s.size, &s.shm, err);
	cr_object_undup(src, fd);
	if (!ret)
		ret = cr_object_record(file, record, &s, err);
	if (ret)
		return ret;
	file->object_id = cr_object_id(&src->st);
	file->id.deleted = true;
	file->id.mode = src->st.st_mode;
	file->id.size = s.size;
	if (n > k && !strcmp(src->link + n - k, mark))
		n -= k;
	file->id.path = strndup(src->link, n);
	return file->id.path ? 0 : cr_error_set(err, -ENOMEM, "out of memory");
}

static int make(struct cr_restore_context *ctx, const struct cr_file *file,
		const struct state *s, struct cr_error *err)
{
	char dir[PATH_MAX], name[PATH_MAX + 32];
	int fd, ret = 0;

	snprintf(dir, sizeof(dir), "%s", cr_restore_path(ctx, file->id.path));
	snprintf(name, sizeof(name), "%s/.stillpoint-XXXXXX", dirname(dir));
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return cr_error_set(err, -errno,
				    "%s (a file without a name): %s", name,
				    strerror(errno));
	unlink(name);
	if (ftruncate(fd, (off_t)s->size))
		ret = -errno;
	if (!ret)
		ret = cr_restore_shared(ctx, s->shm, fd, err);
	/* behind the end of the file there are only zeros of the last page */
	if (!ret && (ftruncate(fd, (off_t)s->size) ||
		     fchmod(fd, file->id.mode & 07777)))
		ret = -errno;
	if (!ret &&
	    cr_restore_remember(ctx, CR_OBJ_UNNAMED, file->object_id, 0, fd))
		ret = -ENOMEM;
	if (!ret)
		return 0;
	close(fd);
	return err && err->code ? ret
				: cr_error_set(err, ret,
					       "%s (a file without a name): %s",
					       name, strerror(-ret));
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	struct state s = { 0 };
	int master, fd, ret;

	ret = cr_object_unrecord(file, record, &s, err);
	if (!ret && cr_restore_lookup(ctx, CR_OBJ_UNNAMED, file->object_id, 0,
				      &master))
		ret = make(ctx, file, &s, err);
	if (ret)
		return ret;
	cr_restore_lookup(ctx, CR_OBJ_UNNAMED, file->object_id, 0, &master);
	fd = cr_object_reopen(master, cr_object_open_flags(file));
	if (fd >= 0 && (file->flags & O_PATH ||
			lseek(fd, file->offset, SEEK_SET) >= 0))
		return fd;
	ret = cr_error_set(err, -errno, "%s: reopen: %s", file->id.path,
			   strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

const struct cr_object_ops cr_object_unnamed = {
	.kind = CR_OBJ_UNNAMED,
	.name = "file without a name, mapped",
	.claims = claims,
	.check = check,
	.capture = capture,
	.descriptor = check_locks,
	.restore = restore,
};
