/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.c - is the model one that a context file may hold?
 *
 * The rules are those of doc/context-file.md.  Whoever works with a checked
 * image may use every index in it, and finds every path that its kind needs.
 */
#include "image/check.h"

#include <errno.h>
#include <inttypes.h>

#define BUILD_ID_MAX 64

static int check_file_id(const struct cr_file_id *id, bool path,
			 const char *what, size_t i, struct cr_error *err)
{
	if (path && !id->path)
		return cr_error_set(err, -EINVAL, "%s %zu has no path", what,
				    i);
	if (path && id->path[0] != '/')
		return cr_error_set(err, -EINVAL,
				    "%s %zu: path \"%s\" is not absolute", what,
				    i, id->path);
	if (id->build_id.len > BUILD_ID_MAX)
		return cr_error_set(err, -EINVAL,
				    "%s %zu: build id of %zu bytes", what, i,
				    id->build_id.len);
	if (id->mtime_nsec > 999999999)
		return cr_error_set(err, -EINVAL,
				    "%s %zu: %u nanoseconds in its time", what,
				    i, id->mtime_nsec);
	return 0;
}

static bool needs_path(const struct cr_file *file)
{
	switch (file->kind) {
	case CR_OBJ_REGULAR:
	case CR_OBJ_DIRECTORY:
	case CR_OBJ_DEVICE:
	case CR_OBJ_FIFO:
	case CR_OBJ_UNNAMED:
	case CR_OBJ_PLACE:
		return true;
	default:
		return false;
	}
}

static int check_file(const struct cr_file *file, size_t i,
		      struct cr_error *err)
{
	if (file->kind < CR_OBJ_REGULAR || file->kind >= CR_OBJ_KINDS)
		return cr_error_set(err, -EINVAL,
				    "open file %zu: kind %u is unknown", i,
				    file->kind);
	if (file->owner_type < -1 || file->owner_type > 2)
		return cr_error_set(err, -EINVAL,
				    "open file %zu: owner type %d is unknown",
				    i, file->owner_type);
	if (file->owner_sig < 0 || file->owner_sig > CR_NSIG)
		return cr_error_set(err, -EINVAL,
				    "open file %zu: signal %d does not exist",
				    i, file->owner_sig);
	if (file->kind == CR_OBJ_STDIO &&
	    (file->stdio_fd < 0 || file->stdio_fd > 2))
		return cr_error_set(err, -EINVAL,
				    "open file %zu: standard descriptor %d", i,
				    file->stdio_fd);
	return check_file_id(&file->id, needs_path(file), "open file", i, err);
}

int cr_image_check(const struct cr_image *img, struct cr_error *err)
{
	int rc;

	if (img->page_size != CR_PAGE_SIZE)
		return cr_error_set(err, -EINVAL, "page size %u, not %u",
				    img->page_size, CR_PAGE_SIZE);
	if (img->scope > 3)
		return cr_error_set(err, -EINVAL, "scope %u is unknown",
				    img->scope);
	if (img->n_mms >= CR_NONE - img->n_shms)
		return cr_error_set(err, -EINVAL, "too many address spaces");
	for (size_t i = 0; i < img->n_mapped; i++) {
		rc = check_file_id(&img->mapped[i], true, "mapped file", i,
				   err);
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < img->n_shms; i++)
		if (!img->shms[i].size || img->shms[i].size > INT64_MAX)
			return cr_error_set(err, -EINVAL,
					    "shared memory %zu has %" PRIu64
					    " bytes",
					    i, img->shms[i].size);
	for (size_t i = 0; i < img->n_files; i++) {
		rc = check_file(&img->files[i], i, err);
		if (rc)
			return rc;
	}
	rc = cr_check_mms(img, err);
	if (!rc)
		rc = cr_check_processes(img, err);
	if (!rc)
		rc = cr_check_settings(img, err);
	if (!rc)
		rc = cr_check_runs(img, err);
	return rc;
}
