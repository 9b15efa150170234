/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify_memory.c - is there room for the address spaces of an image here? */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "restore/build.h"

#define OWN_AREAS 16 /* that a stub has besides while it is laid out */

static const char limit[] = "/proc/sys/vm/max_map_count";

static uint64_t most_areas(void)
{
	FILE *f = fopen(limit, "re");
	uint64_t n;

	if (!f)
		return UINT64_MAX;
	if (fscanf(f, "%" SCNu64, &n) != 1)
		n = UINT64_MAX;
	fclose(f);
	return n;
}

/* The name of a process that has it. */
static int32_t user_of(const struct cr_image *img, uint32_t mm)
{
	for (size_t i = 0; i < img->n_procs; i++)
		if (img->procs[i].kind == CR_PROC_NORMAL &&
		    img->procs[i].mm == mm)
			return img->procs[i].pid;
	return 0;
}

/* The highest address that a program can have; vsyscall is above all. */
static uint64_t end_of(const struct cr_mm *mm)
{
	for (size_t i = mm->n_areas; i-- > 0;)
		if (mm->areas[i].kind != CR_AREA_VSYSCALL)
			return mm->areas[i].end;
	return 0;
}

static bool reachable(uint64_t end)
{
	void *p = mmap((void *)(uintptr_t)(end - CR_PAGE_SIZE), CR_PAGE_SIZE,
		       PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			       MAP_FIXED_NOREPLACE,
		       -1, 0);

	if (p == MAP_FAILED)
		return errno == EEXIST;
	munmap(p, CR_PAGE_SIZE);
	return true;
}

uint32_t cr_keys_used(const struct cr_mm *mm)
{
	uint32_t used = 0;

	for (size_t i = 0; i < mm->n_areas; i++)
		used |= 1u << ((mm->areas[i].vm_flags & CR_VM_PKEY) >>
			       CR_VM_PKEY_SHIFT);
	return used & ~1u; /* which all memory has at first */
}

static bool uses_keys(const struct cr_image *img, uint32_t mm)
{
	if (cr_keys_used(&img->mms[mm]))
		return true;
	for (size_t i = 0; i < img->n_settings; i++)
		if (img->settings[i].kind == CR_SETTING_PKEYS &&
		    img->settings[i].owner == mm)
			return true;
	return false;
}

static bool has_keys(void)
{
	long key = syscall(SYS_pkey_alloc, 0, 0);

	if (key >= 0)
		syscall(SYS_pkey_free, key);
	return key >= 0;
}

/* May a process have all of it here, while it is built? */
static int check_limit(const struct cr_image *img, uint32_t mm,
		       struct cr_error *err)
{
	uint64_t need = cr_bench_size(img);
	struct rlimit limit;

	for (size_t i = 0; i < img->mms[mm].n_areas; i++)
		if (img->mms[mm].areas[i].kind != CR_AREA_VSYSCALL)
			need += img->mms[mm].areas[i].end -
				img->mms[mm].areas[i].start;
	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_max >= need ||
	    cr_may_raise_limits())
		return 0;
	return cr_error_set(err, -ENOMEM,
			    "process %d needs %" PRIu64 " KiB of addresses "
			    "while it is restarted, and the limit here is "
			    "%" PRIu64 " KiB (RLIMIT_AS); raise it (ulimit -v)",
			    user_of(img, mm), need >> 10,
			    (uint64_t)limit.rlim_max >> 10);
}

int cr_verify_memory(struct cr_restore_context *ctx, struct cr_error *err)
{
	uint64_t most = most_areas();

	for (uint32_t i = 0; i < ctx->img->n_mms; i++) {
		const struct cr_mm *mm = &ctx->img->mms[i];
		uint64_t end;

		if (mm->n_areas + OWN_AREAS > most)
			return cr_error_set(
				err, -ENOMEM,
				"process %d has %zu memory areas, more than "
				"a process may have here (%" PRIu64 "); raise "
				"vm.max_map_count (sysctl)",
				user_of(ctx->img, i), mm->n_areas, most);
		end = end_of(mm);
		if (end > CR_END_4_LEVELS && !reachable(end))
			return cr_error_set(
				err, -ENOTSUP,
				"process %d has memory at 0x%" PRIx64
				", beyond the 47 bits of an address that this "
				"node has (five-level page tables, la57)",
				user_of(ctx->img, i), end - CR_PAGE_SIZE);
		if (check_limit(ctx->img, i, err))
			return err->code;
		if (uses_keys(ctx->img, i) && !has_keys())
			return cr_error_set(
				err, -ENOTSUP,
				"process %d uses memory protection keys, which "
				"this node has not",
				user_of(ctx->img, i));
	}
	return 0;
}
