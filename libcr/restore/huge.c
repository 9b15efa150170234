/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * huge.c - memory of huge pages (hugetlbfs): are there enough, shared memory
 *
 * They come from a pool.  What a program had reserved (that is all but with
 * MAP_NORESERVE) it must get again, touched or not, or it would die later.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects/huge.h"
#include "restore/build.h"

/* Shared memory: the size of its huge pages; 0: it has none. */
static uint64_t size_of_shm(const struct cr_image *img, uint32_t shm)
{
	for (size_t i = 0; i < img->n_mms; i++)
		for (size_t k = 0; k < img->mms[i].n_areas; k++) {
			const struct cr_area *a = &img->mms[i].areas[k];

			if (a->kind == CR_AREA_ANON_SHARED && a->shm == shm)
				return cr_area_huge(a);
		}
	return cr_memfd_huge_size(img, shm);
}

/* Marks what of a space is touched of the n huge pages from start on. */
static void mark_touched(const struct cr_image *img, uint32_t space,
			 uint64_t start, uint64_t size, uint8_t *page,
			 uint64_t n)
{
	const struct cr_run *run = cr_image_find_run(img, space, start);
	const struct cr_run *last = img->runs + img->n_runs;
	uint64_t from, to;

	for (; run && run < last && run->space == space &&
	       run->addr < start + n * size;
	     run++) {
		from = run->addr < start ? 0 : (run->addr - start) / size;
		to = (run->addr + run->len - start + size - 1) / size;
		for (; from < to && from < n; from++)
			page[from] = 1;
	}
}

static uint64_t count(const uint8_t *page, uint64_t n)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += page[i];
	return sum;
}

/* How many pages private memory needs. */
static int need_of_area(const struct cr_image *img, uint32_t mm,
			const struct cr_area *a, uint64_t size, uint64_t *need)
{
	uint64_t n = (a->end - a->start) / size;
	uint8_t *page;

	if (!(a->vm_flags & CR_VM_NORESERVE)) {
		*need += n;
		return 0;
	}
	page = calloc(n, 1);
	if (!page)
		return -ENOMEM;
	mark_touched(img, mm, a->start, size, page, n);
	*need += count(page, n);
	free(page);
	return 0;
}

static int need_of_shm(const struct cr_image *img, uint32_t shm, uint64_t size,
		       uint64_t *need)
{
	uint64_t n = (img->shms[shm].size + size - 1) / size;
	uint8_t *page = calloc(n, 1);

	if (!page)
		return -ENOMEM;
	mark_touched(img, (uint32_t)img->n_mms + shm, 0, size, page, n);
	for (size_t i = 0; i < img->n_mms; i++)
		for (size_t k = 0; k < img->mms[i].n_areas; k++) {
			const struct cr_area *a = &img->mms[i].areas[k];

			if (a->kind == CR_AREA_ANON_SHARED && a->shm == shm &&
			    !(a->vm_flags & CR_VM_NORESERVE))
				memset(page + a->offset / size, 1,
				       (a->end - a->start) / size);
		}
	*need += count(page, n);
	free(page);
	return 0;
}

static int need_of(const struct cr_image *img, uint64_t size, uint64_t *need)
{
	int ret = 0;

	*need = 0;
	for (uint32_t i = 0; i < img->n_mms && !ret; i++)
		for (size_t k = 0; k < img->mms[i].n_areas && !ret; k++) {
			const struct cr_area *a = &img->mms[i].areas[k];

			if (cr_area_huge(a) == size &&
			    (a->kind == CR_AREA_ANON ||
			     a->kind == CR_AREA_FILE_PRIVATE))
				ret = need_of_area(img, i, a, size, need);
		}
	for (uint32_t i = 0; i < img->n_shms && !ret; i++)
		if (size_of_shm(img, i) == size)
			ret = need_of_shm(img, i, size, need);
	return ret;
}

static bool read_pool(const char *dir, const char *name, uint64_t *n)
{
	char path[128];
	FILE *f;
	int got;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	got = f ? fscanf(f, "%" SCNu64, n) : 0;
	if (f)
		fclose(f);
	return got == 1;
}

/* What is neither used nor reserved, or could be added; false: no such size. */
static bool free_of(const char *dir, uint64_t *n)
{
	uint64_t empty, reserved, more, added;

	if (!read_pool(dir, "free_hugepages", &empty) ||
	    !read_pool(dir, "resv_hugepages", &reserved) ||
	    !read_pool(dir, "nr_overcommit_hugepages", &more) ||
	    !read_pool(dir, "surplus_hugepages", &added))
		return false;
	*n = empty > reserved ? empty - reserved : 0;
	*n += more > added ? more - added : 0;
	return true;
}

static int verify_size(struct cr_restore_context *ctx, uint64_t size,
		       struct cr_error *err)
{
	uint64_t need, there;
	char dir[64], text[32];
	int ret = need_of(ctx->img, size, &need);

	if (ret)
		return cr_error_set(err, ret, "out of memory");
	if (size >> 30)
		snprintf(text, sizeof(text), "%" PRIu64 " GiB", size >> 30);
	else if (size >> 20)
		snprintf(text, sizeof(text), "%" PRIu64 " MiB", size >> 20);
	else
		snprintf(text, sizeof(text), "%" PRIu64 " KiB", size >> 10);
	snprintf(dir, sizeof(dir),
		 "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB",
		 size >> 10);
	if (!free_of(dir, &there))
		return cr_error_set(err, -ENOTSUP,
				    "the program uses huge pages of %s "
				    "(hugetlbfs), which this node has not; "
				    "restart it on one that has them",
				    text);
	if (need > there)
		return cr_error_set(err, -ENOMEM,
				    "%" PRIu64 " huge pages of %s are needed, "
				    "%" PRIu64 " are free on this node; have "
				    "the administrator raise %s/nr_hugepages "
				    "by %" PRIu64,
				    need, text, there, dir, need - there);
	return 0;
}

int cr_huge_verify(struct cr_restore_context *ctx, struct cr_error *err)
{
	const struct cr_image *img = ctx->img;
	uint64_t sizes = 0;
	int ret = 0;

	for (size_t i = 0; i < img->n_mms; i++)
		for (size_t k = 0; k < img->mms[i].n_areas; k++)
			sizes |= cr_area_huge(&img->mms[i].areas[k]);
	for (uint32_t i = 0; i < img->n_shms; i++)
		sizes |= cr_memfd_huge_size(img, i);
	for (int bit = 12; bit < 48 && !ret; bit++)
		if (sizes >> bit & 1)
			ret = cr_verify_found(
				ctx, verify_size(ctx, 1ULL << bit, err), err);
	return ret;
}

/* Nobody may write to such a file; what is written to its memory is there. */
static int fill_run(struct cr_restore_context *ctx, const struct cr_run *run,
		    int fd, char *map, uint64_t size, struct cr_error *err)
{
	uint64_t from = run->addr / size * size;
	uint64_t to = (run->addr + run->len + size - 1) / size * size;

	/* where there is none left this fails, and the touch would kill us */
	if (fallocate(fd, 0, (off_t)from, (off_t)(to - from)))
		return cr_error_set(err, -errno, "huge pages: %s",
				    strerror(errno));
	return cr_reader_pages(ctx->reader, run, 0, map + run->addr, run->len,
			       err);
}

int cr_huge_fill(struct cr_restore_context *ctx, uint32_t shm, int fd,
		 struct cr_error *err)
{
	uint64_t size = 1ULL << cr_huge_file(fd);
	uint64_t len = (ctx->img->shms[shm].size + size - 1) / size * size;
	const struct cr_run *run;
	size_t n = 0;
	char *map;
	int ret = 0;

	map = mmap(NULL, len, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return cr_error_set(err, -errno,
				    "shared memory %" PRIu32 " of huge pages: "
				    "%s", shm, strerror(errno));
	run = cr_image_runs_of(ctx->img, (uint32_t)ctx->img->n_mms + shm, &n);
	for (size_t i = 0; !ret && i < n; i++)
		ret = fill_run(ctx, &run[i], fd, map, size, err);
	munmap(map, len);
	return ret;
}

/*
 * Memory that processes share without a file becomes a memory file: huge
 * pages cannot be moved, or mapped twice, in the way of others.
 */
static int make_shared(struct cr_restore_context *ctx, uint32_t shm,
		       uint64_t size, struct cr_error *err)
{
	int fd = memfd_create("anon_hugepage",
			      MFD_CLOEXEC | MFD_HUGETLB |
				      cr_huge_bits(size) << MFD_HUGE_SHIFT);
	int ret;

	if (fd < 0 || ftruncate(fd, (off_t)ctx->img->shms[shm].size))
		ret = cr_error_set(err, -errno,
				   "shared memory %" PRIu32 " of huge pages: "
				   "%s", shm, strerror(errno));
	else
		ret = cr_restore_shared(ctx, shm, fd, err);
	if (fd >= 0)
		close(fd);
	return ret;
}

int cr_huge_make_shared(struct cr_restore_context *ctx, struct cr_error *err)
{
	int ret = 0;

	for (uint32_t i = 0; i < ctx->img->n_shms && !ret; i++) {
		uint64_t size = size_of_shm(ctx->img, i);

		if (size && ctx->shm_fd[i] < 0)
			ret = make_shared(ctx, i, size, err);
	}
	return ret;
}
