/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record.h - the extra record of a kind: one description, both directions */
#ifndef CR_OBJECT_RECORD_H
#define CR_OBJECT_RECORD_H

#include "image/pack.h"
#include "objects/object.h"

/* The fields of state in the order of doc/context-file.md. */
typedef void (*cr_object_record_fn)(struct cr_pack *p, void *state);

/* state into file->extra. */
int cr_object_record(struct cr_file *file, cr_object_record_fn fn, void *state,
		     struct cr_error *err);
/* file->extra into state; not a byte may be left over. */
int cr_object_unrecord(const struct cr_file *file, cr_object_record_fn fn,
		       void *state, struct cr_error *err);

#endif
