/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * output.h - where a context file goes: bytes in order, a name at the end
 *
 * To a path: an unlinked or temporary file beside it until the end.  To a
 * descriptor: a file from its beginning on, or a stream.  After a failure
 * every further call fails with it.
 */
#ifndef CR_OUTPUT_H
#define CR_OUTPUT_H

#include "common/error.h"
#include "image/writer.h"

struct cr_output;

int cr_output_open(struct cr_output **o, const char *path,
		   const struct cr_writer_options *opt, struct cr_error *err);
int cr_output_open_fd(struct cr_output **o, int fd,
		      const struct cr_writer_options *opt,
		      struct cr_error *err);
int cr_output_write(struct cr_output *o, const void *data, size_t len,
		    struct cr_error *err);
int cr_output_zeros(struct cr_output *o, size_t len, struct cr_error *err);
/*
 * Lends the descriptor to somebody who writes at *offset, a multiple of the
 * page size; nothing else happens until it is given back with the offset
 * behind what was written, or with the -errno that it failed with.
 * -ENOTSUP, without a message: it is a stream, or can only be appended to.
 */
int cr_output_lend(struct cr_output *o, int *fd, uint64_t *offset,
		   struct cr_error *err);
int cr_output_give_back(struct cr_output *o, uint64_t offset, int status,
			struct cr_error *err);
/* Do large pieces go past the page cache? */
bool cr_output_is_direct(const struct cr_output *o);
/* Bytes written or about to be. */
uint64_t cr_output_offset(const struct cr_output *o);
/* Flushes, makes durable, names. */
int cr_output_commit(struct cr_output *o, struct cr_error *err);
/* Without a commit before, nothing is left. */
void cr_output_destroy(struct cr_output *o);

#endif
