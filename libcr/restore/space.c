/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* space.c - addresses that are free here and in every process of the image */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "restore/build.h"

#define LOWEST 0x100000000ULL	  /* far from anything static */
#define HIGHEST 0x7fff00000000ULL /* below stack and vdso */
#define MARGIN (2ULL << 20)	  /* to both neighbours */

struct range {
	uint64_t start, end;
};

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Appends what is mapped in this process; the new number or -errno. */
static int add_own(struct range **r, size_t n, struct cr_error *err)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");
	struct range *more;

	if (!f)
		return cr_error_set(err, -errno, "/proc/self/maps: %s",
				    strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		struct range x;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &x.start, &x.end) != 2)
			continue;
		more = realloc(*r, (n + 1) * sizeof(x));
		if (!more) {
			fclose(f);
			return cr_error_set(err, -ENOMEM, "out of memory");
		}
		*r = more;
		more[n++] = x;
	}
	fclose(f);
	return (int)n;
}

int cr_space_find(const struct cr_image *img, uint64_t len, uint64_t *addr,
		  struct cr_error *err)
{
	struct range *r;
	size_t n = 0, i, k;
	uint64_t from = LOWEST;
	int ret;

	for (i = 0; i < img->n_mms; i++)
		n += img->mms[i].n_areas;
	r = malloc((n + 1) * sizeof(*r));
	if (!r)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (i = 0, n = 0; i < img->n_mms; i++)
		for (k = 0; k < img->mms[i].n_areas; k++)
			r[n++] = (struct range){ img->mms[i].areas[k].start,
						 img->mms[i].areas[k].end };
	ret = add_own(&r, n, err);
	if (ret < 0)
		goto out;
	n = (size_t)ret;
	qsort(r, n, sizeof(*r), by_start);
	ret = 0;
	for (i = 0; i < n; i++) {
		if (r[i].start > from && r[i].start - from >= len + 2 * MARGIN)
			break;
		if (r[i].end > from)
			from = r[i].end;
	}
	*addr = (from + MARGIN + 0xfff) & ~0xfffULL;
	if (*addr > HIGHEST || HIGHEST - *addr < len)
		ret = cr_error_set(err, -ENOMEM,
				   "no %" PRIu64 " bytes of addresses are free "
				   "in all processes of the image",
				   len);
out:
	free(r);
	return ret;
}

static void *map_at(uint64_t addr, uint64_t len, int prot, int flags)
{
	void *p = mmap((void *)(uintptr_t)addr, len, prot,
		       MAP_FIXED | MAP_ANONYMOUS | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* MAP_NORESERVE for shared memory that was made with it. */
static int shm_flags(const struct cr_image *img, uint32_t shm)
{
	for (size_t i = 0; i < img->n_mms; i++)
		for (size_t k = 0; k < img->mms[i].n_areas; k++) {
			const struct cr_area *a = &img->mms[i].areas[k];

			if (a->kind == CR_AREA_ANON_SHARED && a->shm == shm &&
			    !(a->vm_flags & CR_VM_NORESERVE))
				return 0;
		}
	return MAP_NORESERVE;
}

uint64_t cr_bench_size(const struct cr_image *img)
{
	uint64_t size = CR_PAGE_SIZE + CR_BENCH_SCRATCH + CR_BENCH_DATA +
			CR_BENCH_PARK;

	for (size_t i = 0; i < img->n_shms; i++)
		size += ((img->shms[i].size + 0xfff) & ~0xfffULL)
			<< cr_readonly_attached(img, (uint32_t)i);
	return size;
}

int cr_bench_create(struct cr_restore_context *ctx, struct cr_error *err)
{
	static const uint8_t code[] = { 0x0f, 0x05, 0xcc }; /* syscall; int3 */
	const struct cr_image *img = ctx->img;
	struct cr_bench *b = &ctx->bench;
	uint64_t size, at;
	uint8_t *page;
	int ret;

	ret = cr_huge_make_shared(ctx, err);
	if (!ret)
		ret = cr_readonly_shared(ctx, err);
	if (ret < 0)
		return ret;
	size = cr_bench_size(img);
	ret = cr_space_find(img, size, &b->start, err);
	if (ret < 0)
		return ret;
	b->end = b->start + size;
	b->code = b->start;
	b->scratch = b->code + CR_PAGE_SIZE;
	b->data = b->scratch + CR_BENCH_SCRATCH;
	b->park = b->data + CR_BENCH_DATA;
	page = map_at(b->code, b->park - b->code, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE);
	if (!page || !map_at(b->park, CR_BENCH_PARK, PROT_NONE,
			     MAP_PRIVATE | MAP_NORESERVE))
		return cr_error_set(err, -errno, "mapping the bench: %s",
				    strerror(errno));
	memcpy(page, code, sizeof(code));
	if (mprotect(page, CR_PAGE_SIZE, PROT_READ | PROT_EXEC) < 0)
		return cr_error_set(err, -errno, "protecting the bench: %s",
				    strerror(errno));
	b->shm = calloc(img->n_shms + 1, sizeof(*b->shm));
	b->readonly = calloc(img->n_shms + 1, sizeof(*b->readonly));
	if (!b->shm || !b->readonly)
		return cr_error_set(err, -ENOMEM, "out of memory");
	at = b->park + CR_BENCH_PARK;
	for (size_t i = 0; i < img->n_shms; i++) {
		uint64_t len = (img->shms[i].size + 0xfff) & ~0xfffULL;

		if (!len || ctx->shm_fd[i] >= 0)
			continue;
		b->shm[i] = at;
		ret = cr_sysv_attach(ctx, (uint32_t)i, err);
		if (ret < 0)
			return ret;
		if (ret && !map_at(at, len, PROT_READ | PROT_WRITE,
				   MAP_SHARED | shm_flags(img, (uint32_t)i)))
			return cr_error_set(err, -errno,
					    "shared memory of %" PRIu64
					    " bytes: %s",
					    len, strerror(errno));
		at += len;
		if (!ret && cr_readonly_attached(img, (uint32_t)i)) {
			b->readonly[i] = at;
			ret = cr_sysv_attach_readonly(ctx, (uint32_t)i, err);
			if (ret < 0)
				return ret;
			at += len;
		}
		ret = cr_pages_fill_shm(ctx, (uint32_t)i, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}
