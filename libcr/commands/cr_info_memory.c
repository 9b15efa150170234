/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_info_memory.c - memory areas of a context file, and what is stored */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands/cr_info.h"

uint64_t info_stored_in(const struct info *in, uint32_t space, uint64_t start,
			uint64_t end)
{
	const struct cr_run *run = cr_image_find_run(in->img, space, start);
	const struct cr_run *last = in->img->runs + in->img->n_runs;
	uint64_t sum = 0;

	for (; run && run < last && run->space == space && run->addr < end;
	     run++) {
		uint64_t from = run->addr < start ? start : run->addr;
		uint64_t to = run->addr + run->len;

		sum += (to < end ? to : end) - from;
	}
	return sum;
}

static void print_what(const struct info *in, const struct cr_area *area)
{
	const struct cr_image *img = in->img;
	char *flags = info_vm_flags(area->vm_flags), *name;

	if (area->file != CR_NONE) {
		name = info_printable(img->mapped[area->file].path, false);
		printf("%s", name);
		if (area->offset)
			printf(" +%#" PRIx64, area->offset);
		if (img->mapped[area->file].deleted)
			printf(" (deleted)");
	} else {
		name = info_printable(area->name, false);
		printf("%s", name ? name : info_area_kind(area->kind));
		if (area->shm != CR_NONE)
			printf(" (shared memory %" PRIu32 ", +%#" PRIx64 ")",
			       area->shm, area->offset);
	}
	if (cr_area_huge(area))
		printf(" (pages of %s)", info_size(cr_area_huge(area)).text);
	if (*flags)
		printf(" [%s]", flags);
	putchar('\n');
	free(flags);
	free(name);
}

static void print_area(const struct info *in, uint32_t mm,
		       const struct cr_area *area)
{
	bool shared = area->kind == CR_AREA_FILE_SHARED ||
		      area->kind == CR_AREA_ANON_SHARED;
	uint64_t stored = info_stored_in(in, mm, area->start, area->end);

	printf("  %012" PRIx64 "-%012" PRIx64 " %c%c%c%c %11s %11s  ",
	       area->start, area->end, area->prot & 1 ? 'r' : '-',
	       area->prot & 2 ? 'w' : '-', area->prot & 4 ? 'x' : '-',
	       shared ? 's' : 'p', info_size(area->end - area->start).text,
	       stored ? info_size(stored).text : "-");
	print_what(in, area);
}

static void print_mm(const struct info *in, const struct cr_process *p)
{
	const struct cr_mm *mm = &in->img->mms[p->mm];
	const struct info_space *space = &in->spaces[p->mm];
	char *command = info_command_line(in, p);

	printf("Memory of %" PRId32 " (%.60s): %zu areas, %s", p->pid, command,
	       mm->n_areas, info_size(space->mapped).text);
	printf(", %s in the file\n", info_size(space->pages).text);
	free(command);
	printf("  %-25s %4s %11s %11s  %s\n", "ADDRESS", "PROT", "SIZE",
	       "STORED", "WHAT");
	for (size_t i = 0; i < mm->n_areas; i++)
		print_area(in, p->mm, &mm->areas[i]);
}

void info_print_memory(const struct info *in)
{
	const struct cr_image *img = in->img;
	int32_t *shown = info_alloc(img->n_mms + 1, sizeof(*shown));
	const char *gap = "";

	for (size_t i = 0; i < img->n_procs; i++) {
		const struct cr_process *p = &img->procs[i];

		if (p->mm == CR_NONE || !info_selected(in, p))
			continue;
		fputs(gap, stdout);
		gap = "\n";
		if (shown[p->mm]) {
			printf("Memory of %" PRId32 ": the same as that of "
			       "%" PRId32 "\n",
			       p->pid, shown[p->mm]);
			continue;
		}
		shown[p->mm] = p->pid;
		print_mm(in, p);
	}
	free(shown);
	if (!img->n_shms)
		return;
	printf("%sShared memory\n  %6s %11s %11s\n", gap, "NUMBER", "SIZE",
	       "STORED");
	for (size_t i = 0; i < img->n_shms; i++)
		printf("  %6zu %11s %11s\n", i,
		       info_size(img->shms[i].size).text,
		       info_size(in->spaces[img->n_mms + i].pages).text);
}
