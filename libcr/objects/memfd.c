/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memfd.c - memory files (memfd_create(2)) with content, size and seals
 *
 * The content is shared memory of the image, stored once, whether the file is
 * mapped as well or not; what is mapped is mapped from the file again.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "objects/huge.h"
#include "objects/kinds.h"
#include "objects/record.h"
#include "restore/restore.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

static const char prefix[] = "/memfd:", mark[] = " (deleted)";

struct state {
	char *name;
	uint64_t size;
	uint32_t seals;
	uint32_t shm; /* index in cr_image.shms, or none: it is empty */
	uint32_t huge; /* its pages are of 1 << huge bytes; 0: ordinary ones */
};

static void record(struct cr_pack *p, void *state)
{
	struct state *s = state;

	cr_pack_string(p, &s->name);
	cr_pack_u64(p, &s->size);
	cr_pack_u32(p, &s->seals);
	cr_pack_u32(p, &s->shm);
}

/* Of huge pages: the same, and their size. */
static void record_huge(struct cr_pack *p, void *state)
{
	struct state *s = state;

	record(p, s);
	cr_pack_u32(p, &s->huge);
}

static int unrecord(const struct cr_file *file, struct state *s,
		    struct cr_error *err)
{
	int ret = cr_object_unrecord(
		file, file->kind == CR_OBJ_MEMFD_HUGE ? record_huge : record, s,
		err);

	if (!ret && (!s->name || s->huge > 63))
		ret = cr_error_set(err, -EINVAL, "it has no name, or pages of "
				   "no size");
	return ret;
}

static bool claims(const struct cr_object_source *src)
{
	return !strncmp(src->link, prefix, sizeof(prefix) - 1);
}

static int read_state(const struct cr_object_source *src, int fd,
		      struct state *s, struct cr_error *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || fstat(fd, &st))
		return cr_error_set(err, -errno, "%s: seals and size: %s",
				    cr_object_label(src), strerror(errno));
	s->seals = (uint32_t)seals;
	s->size = (uint64_t)st.st_size;
	s->huge = cr_huge_file(fd);
	s->name = strdup(src->link + sizeof(prefix) - 1);
	if (!s->name)
		return cr_error_set(err, -ENOMEM, "out of memory");
	s->name[strlen(s->name) - (sizeof(mark) - 1)] = 0;
	if (!s->size)
		return 0;
	return src->keep(src, fd, s->size, &s->shm, err);
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	struct state s = { .shm = CR_NONE };
	int fd, ret;

	fd = cr_object_dup(src, err);
	if (fd < 0)
		return fd;
	ret = read_state(src, fd, &s, err);
	cr_object_undup(src, fd);
	if (s.huge)
		file->kind = CR_OBJ_MEMFD_HUGE;
	if (!ret)
		ret = cr_object_record(file, s.huge ? record_huge : record, &s,
				       err);
	file->object_id = cr_object_id(&src->st);
	file->id.mode = src->st.st_mode;
	free(s.name);
	return ret;
}

static int make(struct cr_restore_context *ctx, const struct cr_file *file,
		const struct state *s, struct cr_error *err)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd, ret;

	if (s->huge)
		flags |= MFD_HUGETLB | s->huge << MFD_HUGE_SHIFT;
	fd = memfd_create(s->name, flags);

	if (fd < 0)
		return cr_error_set(err, -errno, "%s: %s", s->name,
				    strerror(errno));
	if (ftruncate(fd, (off_t)s->size))
		ret = cr_error_set(err, -errno, "%s: size: %s", s->name,
				   strerror(errno));
	else
		ret = s->shm == CR_NONE
			      ? 0
			      : cr_restore_shared(ctx, s->shm, fd, err);
	/* behind the end of the file there are only zeros of the last page */
	if (!ret && ftruncate(fd, (off_t)s->size))
		ret = cr_error_set(err, -errno, "%s: size: %s", s->name,
				   strerror(errno));
	/* nothing may be mapped for writing when this seal is set */
	if (!ret && s->seals & F_SEAL_WRITE && fcntl(fd, F_ADD_SEALS, s->seals))
		ret = cr_error_set(err, -errno, "%s: seals: %s", s->name,
				   strerror(errno));
	if (!ret &&
	    cr_restore_remember(ctx, CR_OBJ_MEMFD, file->object_id, 0, fd))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	if (ret)
		close(fd);
	return ret;
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	struct state s = { 0 };
	int master, fd = -1, ret;

	ret = unrecord(file, &s, err);
	if (!ret &&
	    cr_restore_lookup(ctx, CR_OBJ_MEMFD, file->object_id, 0, &master))
		ret = make(ctx, file, &s, err);
	if (!ret) {
		cr_restore_lookup(ctx, CR_OBJ_MEMFD, file->object_id, 0,
				  &master);
		fd = cr_object_reopen(master, cr_object_open_flags(file));
		if (fd < 0 || (!(file->flags & O_PATH) &&
			       lseek(fd, file->offset, SEEK_SET) < 0))
			ret = cr_error_set(err, -errno, "%s: reopen: %s",
					   s.name, strerror(errno));
	}
	free(s.name);
	return ret ? ret : fd;
}

/* The memory that shows it exists: the rest of the seals, and the mode. */
static int finish(struct cr_restore_context *ctx, const struct cr_file *file,
		  int fd, struct cr_error *err)
{
	struct state s = { 0 };
	int master, ret;

	ret = unrecord(file, &s, err);
	free(s.name);
	if (ret)
		return ret;
	ret = cr_restore_lookup(ctx, CR_OBJ_MEMFD, file->object_id, 0, &master);
	if (ret)
		return cr_error_set(err, ret, "memory file: not made");
	if ((fcntl(master, F_GET_SEALS) != (int)s.seals &&
	     (fchmod(master, file->id.mode & 07777) ||
	      fcntl(master, F_ADD_SEALS, s.seals))) ||
	    (!(s.seals & F_SEAL_EXEC) &&
	     fchmod(master, file->id.mode & 07777)) ||
	    fcntl(master, F_GET_SEALS) != (int)s.seals)
		return cr_error_set(err, errno ? -errno : -EINVAL,
				    "memory file: seals: %s", strerror(errno));
	return 0;
}

const struct cr_object_ops cr_object_memfd = {
	.kind = CR_OBJ_MEMFD,
	.name = "memory file",
	.claims = claims,
	.capture = capture,
	.restore = restore,
	.connect = finish,
};

uint64_t cr_memfd_huge_size(const struct cr_image *img, uint32_t shm)
{
	for (size_t i = 0; i < img->n_files; i++) {
		struct state s = { 0 };
		bool it;

		if (img->files[i].kind != CR_OBJ_MEMFD_HUGE)
			continue;
		it = !unrecord(&img->files[i], &s, NULL) && s.shm == shm;
		free(s.name);
		if (it)
			return 1ULL << s.huge;
	}
	return 0;
}

static bool claims_nothing(const struct cr_object_source *src)
{
	(void)src;
	return false;
}

/* A program that does not know of huge pages must not restore it. */
const struct cr_object_ops cr_object_memfd_huge = {
	.kind = CR_OBJ_MEMFD_HUGE,
	.name = "memory file of huge pages",
	.claims = claims_nothing, /* but the one above, which looks closer */
	.restore = restore,
	.connect = finish,
};
