/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_info_json.c - cr_info --json: the file, its memory and its open files */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands/cr_info_json.h"
#include "image/codec.h"

void info_json_hex(struct json_object *to, const char *key, uint64_t value)
{
	char text[20];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	json_object_object_add(to, key, json_object_new_string(text));
}

void info_json_int(struct json_object *to, const char *key, int64_t value)
{
	json_object_object_add(to, key, json_object_new_int64(value));
}

static void add_size(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

void info_json_bool(struct json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

void info_json_string(struct json_object *to, const char *key, const char *s)
{
	char *text = info_printable(s, true);

	json_object_object_add(to, key,
			       text ? json_object_new_string(text) : NULL);
	free(text);
}

void info_json_index(struct json_object *to, const char *key, uint32_t index)
{
	json_object_object_add(to, key,
			       index == CR_NONE ? NULL
						: json_object_new_int64(index));
}

struct json_object *info_json_array(struct json_object *to, const char *key)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(to, key, array);
	return array;
}

struct json_object *info_json_element(struct json_object *array)
{
	struct json_object *object = json_object_new_object();

	json_object_array_add(array, object);
	return object;
}

static void add_digest(struct json_object *to, const char *key,
		       const uint8_t *bytes, size_t len)
{
	char *text = info_alloc(2 * len + 1, 1);

	info_hex(text, bytes, len);
	info_json_string(to, key, len ? text : NULL);
	free(text);
}

static void add_space(struct json_object *to, const struct info_space *space)
{
	add_size(to, "mapped_bytes", space->mapped);
	add_size(to, "page_bytes", space->pages);
	add_size(to, "stored_bytes", space->stored);
	info_json_int(to, "runs", (int64_t)space->runs);
}

static void add_file_id(struct json_object *to, const struct cr_file_id *id)
{
	char text[16];

	info_json_string(to, "path", id->path);
	snprintf(text, sizeof(text), "%#o", id->mode);
	info_json_string(to, "mode", text);
	add_size(to, "dev", id->dev);
	add_size(to, "ino", id->ino);
	add_size(to, "size", id->size);
	info_json_int(to, "mtime_sec", id->mtime_sec);
	info_json_int(to, "mtime_nsec", id->mtime_nsec);
	add_digest(to, "build_id", id->build_id.data, id->build_id.len);
	add_digest(to, "digest", id->digest, id->has_digest ? 16 : 0);
	info_json_bool(to, "deleted", id->deleted);
}

static void add_files(const struct info *in, struct json_object *root)
{
	struct json_object *array = info_json_array(root, "open_files");

	for (size_t i = 0; i < in->img->n_files; i++) {
		const struct cr_file *file = &in->img->files[i];
		struct json_object *o = info_json_element(array);

		info_json_string(o, "kind", info_object_kind(file->kind));
		info_json_hex(o, "flags", file->flags);
		info_json_int(o, "offset", file->offset);
		info_json_hex(o, "object_id", file->object_id);
		if (file->owner_type >= 0) {
			info_json_int(o, "owner_type", file->owner_type);
			info_json_int(o, "owner_pid", file->owner_pid);
		}
		info_json_int(o, "owner_sig", file->owner_sig);
		if (file->kind == CR_OBJ_STDIO)
			info_json_int(o, "stdio_fd", file->stdio_fd);
		add_size(o, "data_bytes", file->data.len);
		add_size(o, "extra_bytes", file->extra.len);
		add_file_id(o, &file->id);
	}
	array = info_json_array(root, "mapped_files");
	for (size_t i = 0; i < in->img->n_mapped; i++)
		add_file_id(info_json_element(array), &in->img->mapped[i]);
}

static void add_area(const struct info *in, struct json_object *o, uint32_t mm,
		     const struct cr_area *area)
{
	char *flags = info_vm_flags(area->vm_flags);

	info_json_hex(o, "start", area->start);
	info_json_hex(o, "end", area->end);
	info_json_string(o, "kind", info_area_kind(area->kind));
	info_json_int(o, "prot", area->prot);
	info_json_hex(o, "map_flags", area->map_flags);
	info_json_string(o, "vm_flags", flags);
	info_json_hex(o, "offset", area->offset);
	info_json_index(o, "shared_memory", area->shm);
	info_json_index(o, "mapped_file", area->file);
	info_json_string(o, "name", area->name);
	add_size(o, "page_bytes",
		 info_stored_in(in, mm, area->start, area->end));
	free(flags);
}

static void add_memory(const struct info *in, struct json_object *root)
{
	struct json_object *array = info_json_array(root, "address_spaces");
	const struct cr_image *img = in->img;

	for (size_t i = 0; i < img->n_mms; i++) {
		const struct cr_mm *mm = &img->mms[i];
		struct json_object *o = info_json_element(array), *areas;

		info_json_index(o, "exe", mm->exe);
		info_json_hex(o, "start_brk", mm->fields.start_brk);
		info_json_hex(o, "brk", mm->fields.brk);
		info_json_hex(o, "start_stack", mm->fields.start_stack);
		info_json_bool(o, "thp_disable", mm->thp_disable);
		info_json_int(o, "dumpable", mm->dumpable);
		info_json_hex(o, "control", mm->control);
		add_space(o, &in->spaces[i]);
		areas = info_json_array(o, "areas");
		for (size_t k = 0; k < mm->n_areas; k++)
			add_area(in, info_json_element(areas), (uint32_t)i,
				 &mm->areas[k]);
	}
	array = info_json_array(root, "shared_memory");
	for (size_t i = 0; i < img->n_shms; i++)
		add_space(info_json_element(array),
			  &in->spaces[img->n_mms + i]);
}

/* How many runs each codec has. */
static void add_codecs(const struct info *in, struct json_object *root)
{
	struct json_object *o = json_object_new_object();
	int64_t runs[CR_CODEC_ZSTD + 1] = { 0 };

	for (size_t i = 0; i < in->img->n_runs; i++)
		runs[in->img->runs[i].codec]++;
	for (uint32_t i = 0; i <= CR_CODEC_ZSTD; i++)
		info_json_int(o, cr_codec_name(i), runs[i]);
	json_object_object_add(root, "codec_runs", o);
}

void info_print_json(const struct info *in)
{
	const struct cr_image *img = in->img;
	struct json_object *root = json_object_new_object(), *o;

	info_json_string(root, "file", in->path);
	add_size(root, "size", cr_reader_size(in->reader));
	info_json_int(root, "format_version", CR_FORMAT_VERSION);
	add_digest(root, "digest", cr_reader_digest(in->reader), 16);
	info_json_bool(root, "verified", in->verified);
	add_size(root, "created_ns", img->created_ns);
	add_size(root, "clock_monotonic_ns", img->clock_monotonic_ns);
	add_size(root, "clock_boottime_ns", img->clock_boottime_ns);
	info_json_string(root, "hostname", img->hostname);
	info_json_string(root, "kernel", img->kernel);
	info_json_string(root, "creator", img->creator);
	info_json_hex(root, "xfeatures", img->xfeatures);
	info_json_int(root, "root_pid", img->root_pid);
	info_json_string(root, "scope", info_scope(img->scope));
	o = json_object_new_object();
	info_json_int(o, "processes", (int64_t)img->n_procs);
	info_json_int(o, "threads", (int64_t)in->n_threads);
	add_space(o, &in->total);
	json_object_object_add(root, "totals", o);
	add_codecs(in, root);
	info_json_processes(in, root);
	add_memory(in, root);
	add_files(in, root);
	puts(json_object_to_json_string_ext(
		root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}
