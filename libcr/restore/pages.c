/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pages.c - brings the stored pages into shared memory and into stubs */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "objects/huge.h"
#include "restore/build.h"

#define BATCH_VECS 256		/* runs in one preadv */
#define BATCH_BYTES (64u << 20) /* and bytes */
#define CHUNK (1u << 20)	/* of a run that has to be decoded */

int cr_pages_fill_shm(struct cr_restore_context *ctx, uint32_t shm,
		      struct cr_error *err)
{
	uint32_t space = (uint32_t)ctx->img->n_mms + shm;
	const struct cr_run *run;
	size_t n;

	run = cr_image_runs_of(ctx->img, space, &n);
	for (size_t i = 0; i < n; i++) {
		void *to =
			(void *)(uintptr_t)(ctx->bench.shm[shm] + run[i].addr);
		int ret = cr_reader_pages(ctx->reader, &run[i], 0, to,
					  run[i].len, err);

		if (ret < 0)
			return cr_error_prefix(err, "shared memory %u", shm);
	}
	return 0;
}

static int write_shared(struct cr_restore_context *ctx, uint32_t shm, int fd,
			struct cr_error *err)
{
	const struct cr_run *run;
	size_t n = 0;
	char *buf;
	int ret = 0;

	buf = malloc(CHUNK);
	if (!buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	run = cr_image_runs_of(ctx->img, (uint32_t)ctx->img->n_mms + shm, &n);
	for (size_t i = 0; !ret && i < n; i++)
		for (uint64_t at = 0; !ret && at < run[i].len; at += CHUNK) {
			size_t len = run[i].len - at < CHUNK ?
					     run[i].len - at : CHUNK;

			ret = cr_reader_pages(ctx->reader, &run[i], at, buf,
					      len, err);
			if (!ret && pwrite(fd, buf, len,
					   (off_t)(run[i].addr + at)) !=
					    (ssize_t)len)
				ret = cr_error_set(err, -errno, "content: %s",
						   strerror(errno));
		}
	free(buf);
	return ret;
}

int cr_restore_shared(struct cr_restore_context *ctx, uint32_t shm, int fd,
		      struct cr_error *err)
{
	int ret;

	if (shm >= ctx->img->n_shms)
		return cr_error_set(err, -EINVAL, "no such shared memory");
	ret = cr_huge_file(fd) ? cr_huge_fill(ctx, shm, fd, err)
			       : write_shared(ctx, shm, fd, err);
	if (ret)
		return ret;
	ctx->shm_fd[shm] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (ctx->shm_fd[shm] < 0)
		return cr_error_set(err, -errno, "dup: %s", strerror(errno));
	return cr_context_park_fd(ctx, &ctx->shm_fd[shm], err);
}

/* A compressed run: decoded here, written over there. */
static int fill_decoded(struct cr_restore_context *ctx, struct cr_task *t,
			const struct cr_run *run, struct cr_error *err)
{
	uint64_t at = 0;
	void *buf = malloc(run->len < CHUNK ? run->len : CHUNK);
	int ret = 0;

	if (!buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	while (!ret && at < run->len) {
		size_t n = run->len - at < CHUNK ? run->len - at : CHUNK;

		ret = cr_reader_pages(ctx->reader, run, at, buf, n, err);
		if (!ret)
			ret = cr_remote_write(t->tid, run->addr + at, buf, n,
					      err);
		at += n;
	}
	free(buf);
	return ret;
}

/* Runs that lie one after the other in the file, by one call if it can be. */
static int fill_batch(struct cr_restore_context *ctx, struct cr_task *t,
		      const struct iovec *vec, size_t n, uint64_t offset,
		      uint64_t bytes, struct cr_error *err)
{
	struct iovec v[BATCH_VECS];
	size_t first = 0;

	memcpy(v, vec, n * sizeof(*v));
	while (bytes) {
		uint64_t at = cr_stub_put(ctx, t, 0, &v[first],
					  (n - first) * sizeof(*v), err);
		int64_t got;

		if (!at)
			return err->code;
		got = cr_stub_call(t, "reading its memory from the image",
				   SYS_preadv,
				   (uint64_t[6]){ (uint64_t)ctx->image_fd, at,
						  n - first, offset },
				   err);
		if (got < 0)
			return (int)got;
		if (!got)
			return cr_error_set(err, -EIO,
					    "process %d: the image "
					    "ends in the middle of its memory",
					    t->tgid);
		offset += (uint64_t)got;
		bytes -= (uint64_t)got;
		while (got) {
			size_t k = v[first].iov_len;

			if ((uint64_t)got < k)
				k = (size_t)got;
			v[first].iov_base = (char *)v[first].iov_base + k;
			v[first].iov_len -= k;
			if (!v[first].iov_len)
				first++;
			got -= (int64_t)k;
		}
	}
	return 0;
}

int cr_pages_fill(struct cr_restore_context *ctx, struct cr_task *t,
		  uint32_t space, struct cr_error *err)
{
	struct iovec vec[BATCH_VECS];
	uint64_t offset = 0, bytes = 0;
	const struct cr_run *run;
	size_t n, vecs = 0;
	int ret = 0;

	run = cr_image_runs_of(ctx->img, space, &n);
	for (size_t i = 0; i < n; i++) {
		if (vecs &&
		    (run[i].codec != CR_CODEC_NONE ||
		     run[i].offset != offset + bytes || vecs == BATCH_VECS ||
		     bytes + run[i].len > BATCH_BYTES)) {
			ret = fill_batch(ctx, t, vec, vecs, offset, bytes, err);
			if (ret < 0)
				return ret;
			vecs = 0;
		}
		if (run[i].codec != CR_CODEC_NONE) {
			ret = fill_decoded(ctx, t, &run[i], err);
			if (ret < 0)
				return ret;
			continue;
		}
		if (!vecs) {
			offset = run[i].offset;
			bytes = 0;
		}
		vec[vecs++] = (struct iovec){ (void *)(uintptr_t)run[i].addr,
					      run[i].len };
		bytes += run[i].len;
	}
	if (vecs)
		ret = fill_batch(ctx, t, vec, vecs, offset, bytes, err);
	return ret;
}
