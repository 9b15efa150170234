/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pack.h - fields to bytes and back
 *
 * One description of a record serves both directions: cr_pack_u32(p, &x)
 * appends x when packing and sets x when unpacking.  Errors stick: after the
 * first one nothing is appended or set any more, so that only loops and
 * whoever uses a value need to look at p->status.
 */
#ifndef CR_PACK_H
#define CR_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "image/model.h"

struct cr_pack {
	bool unpack;
	int status;	  /* 0 or -errno */
	uint8_t *buf;	  /* packing: malloc'ed, grows */
	size_t pos, size; /* unpacking: size is the length of the payload */
	const char *name; /* of the section, and */
	uint64_t offset;  /* where its payload lies in the file */
	struct cr_error *err;
};

void cr_pack_bytes(struct cr_pack *p, void *data, size_t len);
void cr_pack_bool(struct cr_pack *p, bool *v);
void cr_pack_u32(struct cr_pack *p, uint32_t *v);
void cr_pack_u64(struct cr_pack *p, uint64_t *v);
void cr_pack_s32(struct cr_pack *p, int32_t *v);
void cr_pack_s64(struct cr_pack *p, int64_t *v);
void cr_pack_blob(struct cr_pack *p, struct cr_blob *v);
void cr_pack_string(struct cr_pack *p, char **v);
/* NULL-terminated list; NULL is a list of its own kind. */
void cr_pack_strings(struct cr_pack *p, char ***v);

/*
 * The number of elements of an array; when unpacking the array is allocated,
 * zeroed.  least: the fewest bytes one element takes in the file, so that no
 * number can make us allocate much more than the file is long.
 */
void cr_pack_array(struct cr_pack *p, void **array, size_t *n, size_t size,
		   size_t least);
#define CR_PACK_ARRAY(p, array, n, least)                                      \
	cr_pack_array(p, (void **)&(array), &(n), sizeof(*(array)), least)

/* Records that the bytes make no sense, with the place. */
void cr_pack_fail(struct cr_pack *p, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
