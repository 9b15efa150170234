/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record.c - the extra record of a kind: one description, both directions */
#include <errno.h>
#include <stdlib.h>

#include "objects/record.h"

int cr_object_record(struct cr_file *file, cr_object_record_fn fn, void *state,
		     struct cr_error *err)
{
	struct cr_pack p = { .name = "FILES", .err = err };
	int ret;

	fn(&p, state);
	ret = p.status;
	if (!ret && cr_blob_set(&file->extra, p.buf, p.pos))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	free(p.buf);
	return ret;
}

int cr_object_unrecord(const struct cr_file *file, cr_object_record_fn fn,
		       void *state, struct cr_error *err)
{
	struct cr_pack p = {
		.unpack = true,
		.buf = file->extra.data,
		.size = file->extra.len,
		.name = "FILES, extra",
		.err = err,
	};

	fn(&p, state);
	if (!p.status && p.pos != p.size)
		cr_pack_fail(&p, -EINVAL, "%zu bytes are left over",
			     p.size - p.pos);
	return p.status;
}
