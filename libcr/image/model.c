/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* model.c - what a context file says, in memory: create, grow, free */
#include "image/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cr_image *cr_image_create(void)
{
	struct cr_image *img = calloc(1, sizeof(*img));

	if (img)
		img->page_size = CR_PAGE_SIZE;
	return img;
}

static void free_strings(char **list)
{
	if (!list)
		return;
	for (size_t i = 0; list[i]; i++)
		free(list[i]);
	free(list);
}

static void free_file_id(struct cr_file_id *id)
{
	free(id->path);
	free(id->build_id.data);
}

static void free_mm(struct cr_mm *mm)
{
	for (size_t i = 0; i < mm->n_areas; i++)
		free(mm->areas[i].name);
	free(mm->areas);
	free(mm->fields.auxv.data);
}

static void free_process(struct cr_process *p)
{
	for (size_t i = 0; i < p->n_threads; i++) {
		struct cr_thread *t = &p->threads[i];

		free(t->regs.data);
		free(t->xstate.data);
		free(t->affinity.data);
		free(t->pending);
	}
	free(p->threads);
	free(p->groups);
	free(p->cwd);
	free(p->root);
	free(p->pending);
	free(p->timers);
	free(p->fds);
	free_strings(p->argv);
	free_strings(p->envp);
}

void cr_image_destroy(struct cr_image *img)
{
	if (!img)
		return;
	for (size_t i = 0; i < img->n_procs; i++)
		free_process(&img->procs[i]);
	for (size_t i = 0; i < img->n_mms; i++)
		free_mm(&img->mms[i]);
	for (size_t i = 0; i < img->n_mapped; i++)
		free_file_id(&img->mapped[i]);
	for (size_t i = 0; i < img->n_files; i++) {
		free_file_id(&img->files[i].id);
		free(img->files[i].data.data);
		free(img->files[i].extra.data);
	}
	free(img->procs);
	free(img->mms);
	free(img->shms);
	free(img->mapped);
	free(img->files);
	free(img->runs);
	for (size_t i = 0; i < img->n_settings; i++)
		free(img->settings[i].data.data);
	free(img->settings);
	free(img->hostname);
	free(img->kernel);
	free(img->creator);
	free(img);
}

/*
 * Arrays have room for the next power of two of their number of elements, so
 * that the number alone says when they must grow.
 */
void *cr_array_alloc(size_t n, size_t size)
{
	size_t room = 1;

	while (room < n)
		room *= 2;
	return calloc(room, size);
}

static void *append(void **array, size_t *n, size_t size)
{
	char *element;

	if (!*n || !(*n & (*n - 1))) {
		void *grown = reallocarray(*array, *n ? *n * 2 : 1, size);

		if (!grown)
			return NULL;
		*array = grown;
	}
	element = (char *)*array + *n * size;
	memset(element, 0, size);
	(*n)++;
	return element;
}

#define APPEND(array, n) append((void **)&(array), &(n), sizeof(*(array)))

struct cr_process *cr_image_add_process(struct cr_image *img)
{
	struct cr_process *p = APPEND(img->procs, img->n_procs);

	if (p)
		p->mm = p->fds_of = p->fs_of = p->sighand_of = CR_NONE;
	return p;
}

struct cr_mm *cr_image_add_mm(struct cr_image *img)
{
	struct cr_mm *mm = APPEND(img->mms, img->n_mms);

	if (mm)
		mm->exe = CR_NONE;
	return mm;
}

struct cr_shm *cr_image_add_shm(struct cr_image *img)
{
	return APPEND(img->shms, img->n_shms);
}

struct cr_setting *cr_image_add_setting(struct cr_image *img)
{
	return APPEND(img->settings, img->n_settings);
}

int cr_image_main_ended(const struct cr_image *img, const struct cr_process *p)
{
	for (size_t i = 0; i < img->n_settings; i++)
		if (img->settings[i].kind == CR_SETTING_MAIN_ENDED &&
		    img->settings[i].owner == (uint32_t)p->pid)
			return (int)img->settings[i].value;
	return -1;
}

struct cr_file_id *cr_image_add_mapped(struct cr_image *img)
{
	return APPEND(img->mapped, img->n_mapped);
}

struct cr_file *cr_image_add_file(struct cr_image *img)
{
	struct cr_file *file = APPEND(img->files, img->n_files);

	if (file)
		file->owner_type = file->stdio_fd = -1;
	return file;
}

struct cr_run *cr_image_add_run(struct cr_image *img)
{
	return APPEND(img->runs, img->n_runs);
}

struct cr_thread *cr_process_add_thread(struct cr_process *p)
{
	struct cr_thread *t = APPEND(p->threads, p->n_threads);

	if (t)
		t->timeout_ns = -1;
	return t;
}

struct cr_fd *cr_process_add_fd(struct cr_process *p)
{
	struct cr_fd *fd = APPEND(p->fds, p->n_fds);

	if (fd)
		fd->file = CR_NONE;
	return fd;
}

struct cr_posix_timer *cr_process_add_timer(struct cr_process *p)
{
	return APPEND(p->timers, p->n_timers);
}

struct cr_area *cr_mm_add_area(struct cr_mm *mm)
{
	struct cr_area *area = APPEND(mm->areas, mm->n_areas);

	if (area)
		area->shm = area->file = CR_NONE;
	return area;
}

int cr_blob_set(struct cr_blob *b, const void *data, size_t len)
{
	b->data = malloc(len ? len : 1);
	if (!b->data)
		return -ENOMEM;
	if (len)
		memcpy(b->data, data, len);
	b->len = len;
	return 0;
}

/* Index of the first run at or after (space, addr). */
static size_t run_lower_bound(const struct cr_image *img, uint32_t space,
			      uint64_t addr)
{
	size_t lo = 0, hi = img->n_runs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct cr_run *run = &img->runs[mid];

		if (run->space < space ||
		    (run->space == space && run->addr < addr))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct cr_run *cr_image_runs_of(const struct cr_image *img,
				      uint32_t space, size_t *n)
{
	size_t first = run_lower_bound(img, space, 0);

	*n = run_lower_bound(img, space, UINT64_MAX) - first;
	return *n ? &img->runs[first] : NULL;
}

const struct cr_run *cr_image_find_run(const struct cr_image *img,
				       uint32_t space, uint64_t addr)
{
	size_t i = run_lower_bound(img, space, addr);
	const struct cr_run *run;

	/* The one before may reach over addr. */
	if (i > 0) {
		run = &img->runs[i - 1];
		if (run->space == space && addr - run->addr < run->len)
			return run;
	}
	if (i < img->n_runs && img->runs[i].space == space)
		return &img->runs[i];
	return NULL;
}
