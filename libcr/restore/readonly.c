/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * readonly.c - shared memory that the program cannot make writable
 *
 * So it is if what was mapped was open for reading only; mprotect(2) fails
 * then, and must go on to fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "objects/object.h"
#include "objects/sysv.h"
#include "restore/build.h"

/* Is there such an area of this kind, of this file or shared memory? */
static bool wanted(const struct cr_image *img, uint32_t kind, uint32_t index)
{
	for (size_t i = 0; i < img->n_mms; i++)
		for (size_t k = 0; k < img->mms[i].n_areas; k++) {
			const struct cr_area *a = &img->mms[i].areas[k];

			if (a->vm_flags & CR_VM_READONLY && a->kind == kind &&
			    (kind == CR_AREA_FILE_SHARED ? a->file : a->shm) ==
				    index)
				return true;
		}
	return false;
}

static int reopen(struct cr_restore_context *ctx, int from, int *fd,
		  struct cr_error *err)
{
	*fd = cr_object_reopen(from, O_RDONLY);
	if (*fd < 0)
		return cr_error_set(err, -errno,
				    "opening memory for reading only: %s",
				    strerror(errno));
	return cr_context_park_fd(ctx, fd, err);
}

int cr_readonly_file(struct cr_restore_context *ctx, uint32_t i,
		     struct cr_error *err)
{
	if (!wanted(ctx->img, CR_AREA_FILE_SHARED, i))
		return 0;
	return reopen(ctx, ctx->mapped_fd[i], &ctx->mapped_readonly[i], err);
}

/* What has no file gets a memory file, which can be opened twice. */
static int make_file(struct cr_restore_context *ctx, uint32_t shm,
		     struct cr_error *err)
{
	int fd = memfd_create("shared", MFD_CLOEXEC), ret;

	if (fd < 0 || ftruncate(fd, (off_t)ctx->img->shms[shm].size))
		ret = cr_error_set(err, -errno, "shared memory %u: %s", shm,
				   strerror(errno));
	else
		ret = cr_restore_shared(ctx, shm, fd, err);
	if (fd >= 0)
		close(fd);
	return ret;
}

int cr_readonly_shared(struct cr_restore_context *ctx, struct cr_error *err)
{
	const struct cr_image *img = ctx->img;
	struct cr_sysv_shm s;
	int ret = 0;

	for (uint32_t i = 0; i < img->n_shms && !ret; i++) {
		if (!wanted(img, CR_AREA_ANON_SHARED, i) ||
		    cr_sysv_shm_of(img, i, &s))
			continue;
		if (ctx->shm_fd[i] < 0)
			ret = make_file(ctx, i, err);
		if (!ret)
			ret = reopen(ctx, ctx->shm_fd[i], &ctx->shm_readonly[i],
				     err);
	}
	return ret;
}

bool cr_readonly_attached(const struct cr_image *img, uint32_t shm)
{
	struct cr_sysv_shm s;

	return wanted(img, CR_AREA_ANON_SHARED, shm) &&
	       cr_sysv_shm_of(img, shm, &s);
}
