/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check_memory.c - address spaces, areas and runs of pages of a model */
#include <errno.h>
#include <inttypes.h>

#include "image/check.h"
#include "image/format.h"

#define USER_END (UINT64_C(1) << 56) /* five-level page tables */
#define PROT_ALL 7u
#define VM_ALL (((uint64_t)CR_VM_LOCKONFAULT << 1) - 1)

static bool page_aligned(uint64_t v)
{
	return v % CR_PAGE_SIZE == 0;
}

static uint64_t shm_pages_end(const struct cr_shm *shm)
{
	return (shm->size + CR_PAGE_SIZE - 1) / CR_PAGE_SIZE * CR_PAGE_SIZE;
}

/* What is wrong with the area alone; NULL if nothing. */
static const char *area_fault(const struct cr_image *img,
			      const struct cr_area *area)
{
	bool of_file = area->kind == CR_AREA_FILE_PRIVATE ||
		       area->kind == CR_AREA_FILE_SHARED;
	bool of_shm = area->kind == CR_AREA_ANON_SHARED;
	uint64_t len = area->end - area->start, huge = cr_area_huge(area);

	if (area->kind < CR_AREA_ANON || area->kind > CR_AREA_CONTROL)
		return "its kind is unknown";
	if (!page_aligned(area->start) || !page_aligned(area->end))
		return "it is not page aligned";
	if (area->start >= area->end)
		return "it ends before it begins";
	if (area->end > USER_END && area->kind != CR_AREA_VSYSCALL)
		return "it lies beyond the user's addresses";
	if (huge && (huge < CR_PAGE_SIZE || area->kind < CR_AREA_ANON ||
		     area->kind > CR_AREA_ANON_SHARED ||
		     area->start % huge || area->end % huge ||
		     area->offset % huge))
		return "it cannot be of huge pages";
	if (area->prot & ~PROT_ALL)
		return "its protection has unknown bits";
	if (area->vm_flags & ~VM_ALL)
		return "its flags have unknown bits";
	if (!page_aligned(area->offset))
		return "its offset is not page aligned";
	if (area->offset > INT64_MAX - len)
		return "its offset is out of range";
	if (of_file != (area->file != CR_NONE))
		return of_file ? "it names no file"
			       : "it names a file, but has none";
	if (of_file && area->file >= img->n_mapped)
		return "the file it names is not in the list";
	if (of_shm != (area->shm != CR_NONE))
		return of_shm ? "it names no shared memory"
			      : "it names shared memory, but has none";
	if (of_shm && area->shm >= img->n_shms)
		return "the shared memory it names is not in the list";
	if (of_shm && area->offset + len > shm_pages_end(&img->shms[area->shm]))
		return "it is larger than its shared memory";
	return NULL;
}

static int check_mm(const struct cr_image *img, size_t i, struct cr_error *err)
{
	const struct cr_mm *mm = &img->mms[i];
	bool control_found = !mm->control;
	uint64_t end = 0;

	if (mm->exe >= img->n_mapped)
		return cr_error_set(err, -EINVAL,
				    "address space %zu: executable %" PRIu32
				    " is not in the list of %zu files",
				    i, mm->exe, img->n_mapped);
	if (mm->dumpable > 2)
		return cr_error_set(err, -EINVAL,
				    "address space %zu: dumpable is %" PRIu32,
				    i, mm->dumpable);
	if (mm->fields.auxv.len % 16 || mm->fields.auxv.len > CR_PAGE_SIZE)
		return cr_error_set(err, -EINVAL,
				    "address space %zu: auxiliary vector of "
				    "%zu bytes",
				    i, mm->fields.auxv.len);
	for (size_t k = 0; k < mm->n_areas; k++) {
		const struct cr_area *area = &mm->areas[k];
		const char *fault = area_fault(img, area);

		if (!fault && area->start < end)
			fault = "it begins before the end of the one before";
		if (fault)
			return cr_error_set(err, -EINVAL,
					    "address space %zu, area %zu "
					    "(%" PRIx64 "-%" PRIx64 "): %s",
					    i, k, area->start, area->end,
					    fault);
		end = area->end;
		if (mm->control >= area->start && mm->control < area->end)
			control_found = true;
	}
	if (!control_found)
		return cr_error_set(err, -EINVAL,
				    "address space %zu: the control block "
				    "%" PRIx64 " is in no area",
				    i, mm->control);
	return 0;
}

int cr_check_mms(const struct cr_image *img, struct cr_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < img->n_mms && !rc; i++)
		rc = check_mm(img, i, err);
	return rc;
}

static bool holds_pages(const struct cr_area *area)
{
	return area->kind == CR_AREA_ANON ||
	       area->kind == CR_AREA_FILE_PRIVATE ||
	       area->kind == CR_AREA_VDSO || area->kind == CR_AREA_CONTROL;
}

/*
 * Are all pages of the run in areas that hold pages?  *k is the first area
 * that may matter; runs come in address order, so it only grows.
 */
static bool in_areas(const struct cr_mm *mm, size_t *k,
		     const struct cr_run *run)
{
	uint64_t at = run->addr, end = run->addr + run->len;

	while (*k < mm->n_areas && mm->areas[*k].end <= at)
		(*k)++;
	for (size_t i = *k; at < end; i++) {
		if (i == mm->n_areas || mm->areas[i].start > at ||
		    !holds_pages(&mm->areas[i]))
			return false;
		at = mm->areas[i].end;
	}
	return true;
}

static const char *run_fault(const struct cr_run *run)
{
	if (!page_aligned(run->addr) || !page_aligned(run->len))
		return "it is not page aligned";
	if (!run->len)
		return "it is empty";
	if (run->addr > INT64_MAX || run->len > INT64_MAX)
		return "it lies beyond the user's addresses";
	if (run->offset < CR_DATA_OFFSET)
		return "it is stored inside the header";
	if (run->stored > INT64_MAX - CR_PAGE_SIZE ||
	    run->offset > INT64_MAX - run->stored)
		return "it is stored out of range";
	switch (run->codec) {
	case CR_CODEC_NONE:
		if (run->stored != run->len)
			return "it is not compressed, but its sizes differ";
		if (run->len > CR_RUN_MAX_PLAIN)
			return "it is too long";
		if (!page_aligned(run->offset))
			return "it is not stored page aligned";
		return NULL;
	case CR_CODEC_LZ4:
	case CR_CODEC_ZSTD:
		if (run->len > CR_RUN_MAX_COMPRESSED)
			return "it is too long";
		if (!run->stored || run->stored >= run->len)
			return "it is compressed, but not smaller";
		return NULL;
	default:
		return "its codec is unknown";
	}
}

int cr_check_runs(const struct cr_image *img, struct cr_error *err)
{
	const struct cr_run *before = NULL;
	size_t area = 0;

	for (size_t i = 0; i < img->n_runs; i++) {
		const struct cr_run *run = &img->runs[i];
		const char *fault = run_fault(run);

		if (!before || before->space != run->space)
			area = 0;
		if (fault)
			;
		else if (run->space >= img->n_mms + img->n_shms)
			fault = "there is no such address space";
		else if (before && (before->space > run->space ||
				    (before->space == run->space &&
				     before->addr + before->len > run->addr)))
			fault = "it is out of order";
		else if (run->space < img->n_mms) {
			if (!in_areas(&img->mms[run->space], &area, run))
				fault = "it is outside the areas with pages";
		} else if (run->addr + run->len >
			   shm_pages_end(&img->shms[run->space - img->n_mms]))
			fault = "it is outside its shared memory";
		if (fault)
			return cr_error_set(err, -EINVAL,
					    "run %zu (space %" PRIu32
					    ", address %" PRIx64 ", %" PRIu64
					    " bytes, codec %" PRIu32
					    ", stored at %" PRIu64 "): %s",
					    i, run->space, run->addr, run->len,
					    run->codec, run->offset, fault);
		before = run;
	}
	return 0;
}
