/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.c - the sections of a context file, field by field
 *
 * Each function follows a table of doc/context-file.md from top to bottom.
 * The numbers given to CR_PACK_ARRAY are the bytes of an element whose arrays
 * and strings are all empty, rounded down where that is easier to see.
 */
#include "image/format.h"
#include "image/pack.h"
#include "image/record.h"

static void pack_file_id(struct cr_pack *p, struct cr_file_id *id)
{
	cr_pack_string(p, &id->path);
	cr_pack_u32(p, &id->mode);
	cr_pack_u64(p, &id->dev);
	cr_pack_u64(p, &id->ino);
	cr_pack_u64(p, &id->size);
	cr_pack_s64(p, &id->mtime_sec);
	cr_pack_u32(p, &id->mtime_nsec);
	cr_pack_blob(p, &id->build_id);
	cr_pack_bool(p, &id->has_digest);
	cr_pack_bytes(p, id->digest, sizeof(id->digest));
	cr_pack_bool(p, &id->deleted);
}

static void pack_image(struct cr_pack *p, struct cr_image *img)
{
	cr_pack_u64(p, &img->created_ns);
	cr_pack_u64(p, &img->clock_monotonic_ns);
	cr_pack_u64(p, &img->clock_boottime_ns);
	cr_pack_string(p, &img->hostname);
	cr_pack_string(p, &img->kernel);
	cr_pack_string(p, &img->creator);
	cr_pack_u64(p, &img->xfeatures);
	cr_pack_s32(p, &img->root_pid);
	cr_pack_u32(p, &img->scope);
}

static void pack_mapped(struct cr_pack *p, struct cr_image *img)
{
	CR_PACK_ARRAY(p, img->mapped, img->n_mapped, 70);
	for (size_t i = 0; i < img->n_mapped && !p->status; i++)
		pack_file_id(p, &img->mapped[i]);
}

static void pack_shm(struct cr_pack *p, struct cr_image *img)
{
	CR_PACK_ARRAY(p, img->shms, img->n_shms, 8);
	for (size_t i = 0; i < img->n_shms && !p->status; i++)
		cr_pack_u64(p, &img->shms[i].size);
}

static void pack_files(struct cr_pack *p, struct cr_image *img)
{
	CR_PACK_ARRAY(p, img->files, img->n_files, 126);
	for (size_t i = 0; i < img->n_files && !p->status; i++) {
		struct cr_file *file = &img->files[i];

		cr_pack_u32(p, &file->kind);
		cr_pack_u32(p, &file->flags);
		cr_pack_s64(p, &file->offset);
		cr_pack_u64(p, &file->object_id);
		cr_pack_s32(p, &file->owner_type);
		cr_pack_s32(p, &file->owner_pid);
		cr_pack_s32(p, &file->owner_sig);
		pack_file_id(p, &file->id);
		cr_pack_s32(p, &file->stdio_fd);
		cr_pack_blob(p, &file->data);
		cr_pack_blob(p, &file->extra);
	}
}

static void pack_area(struct cr_pack *p, struct cr_area *area)
{
	cr_pack_u64(p, &area->start);
	cr_pack_u64(p, &area->end);
	cr_pack_u32(p, &area->prot);
	cr_pack_u32(p, &area->kind);
	cr_pack_u32(p, &area->map_flags);
	cr_pack_u64(p, &area->vm_flags);
	cr_pack_u64(p, &area->offset);
	cr_pack_u32(p, &area->shm);
	cr_pack_u32(p, &area->file);
	cr_pack_string(p, &area->name);
}

static void pack_mm_fields(struct cr_pack *p, struct cr_mm_fields *f)
{
	cr_pack_u64(p, &f->start_code);
	cr_pack_u64(p, &f->end_code);
	cr_pack_u64(p, &f->start_data);
	cr_pack_u64(p, &f->end_data);
	cr_pack_u64(p, &f->start_brk);
	cr_pack_u64(p, &f->brk);
	cr_pack_u64(p, &f->start_stack);
	cr_pack_u64(p, &f->arg_start);
	cr_pack_u64(p, &f->arg_end);
	cr_pack_u64(p, &f->env_start);
	cr_pack_u64(p, &f->env_end);
	cr_pack_blob(p, &f->auxv);
}

static void pack_mms(struct cr_pack *p, struct cr_image *img)
{
	CR_PACK_ARRAY(p, img->mms, img->n_mms, 117);
	for (size_t i = 0; i < img->n_mms && !p->status; i++) {
		struct cr_mm *mm = &img->mms[i];

		pack_mm_fields(p, &mm->fields);
		CR_PACK_ARRAY(p, mm->areas, mm->n_areas, 56);
		for (size_t k = 0; k < mm->n_areas && !p->status; k++)
			pack_area(p, &mm->areas[k]);
		cr_pack_u32(p, &mm->exe);
		cr_pack_bool(p, &mm->thp_disable);
		cr_pack_u32(p, &mm->dumpable);
		cr_pack_u64(p, &mm->control);
	}
}

static void pack_processes(struct cr_pack *p, struct cr_image *img)
{
	CR_PACK_ARRAY(p, img->procs, img->n_procs, 2528);
	for (size_t i = 0; i < img->n_procs && !p->status; i++)
		cr_record_process(p, &img->procs[i]);
}

static void pack_runs(struct cr_pack *p, struct cr_image *img)
{
	CR_PACK_ARRAY(p, img->runs, img->n_runs, 56);
	for (size_t i = 0; i < img->n_runs && !p->status; i++) {
		struct cr_run *run = &img->runs[i];

		cr_pack_u32(p, &run->space);
		cr_pack_u32(p, &run->codec);
		cr_pack_u64(p, &run->addr);
		cr_pack_u64(p, &run->len);
		cr_pack_u64(p, &run->offset);
		cr_pack_u64(p, &run->stored);
		cr_pack_bytes(p, run->digest, sizeof(run->digest));
	}
}

static void pack_settings(struct cr_pack *p, struct cr_image *img)
{
	CR_PACK_ARRAY(p, img->settings, img->n_settings, 24);
	for (size_t i = 0; i < img->n_settings && !p->status; i++) {
		struct cr_setting *s = &img->settings[i];

		cr_pack_u32(p, &s->kind);
		cr_pack_u32(p, &s->owner);
		cr_pack_u64(p, &s->value);
		cr_pack_blob(p, &s->data);
	}
}

const struct cr_section_kind cr_section_kinds[CR_SECTION_KINDS] = {
	{ "IMAGE", pack_image, false },
	{ "MAPPED", pack_mapped, false },
	{ "SHM", pack_shm, false },
	{ "FILES", pack_files, false },
	{ "MM", pack_mms, false },
	{ "PROCESS", pack_processes, false },
	{ "RUNS", pack_runs, false },
	{ "SETTINGS", pack_settings, true },
};
