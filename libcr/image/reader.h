/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader.h - reads a context file (doc/context-file.md), trusting no byte */
#ifndef CR_READER_H
#define CR_READER_H

#include "common/error.h"
#include "image/model.h"

struct cr_reader;

/*
 * Opens and parses everything but the pages; digests of what is parsed are
 * checked.  Whatever the file holds: an error with the place and the reason,
 * or a model whose indexes and sizes are all in bounds.
 */
int cr_reader_open(struct cr_reader **r, const char *path,
		   struct cr_error *err);
/* From a descriptor (a pipe is spooled first); it stays the caller's. */
int cr_reader_open_fd(struct cr_reader **r, int fd, struct cr_error *err);
/* The model; it belongs to the reader. */
struct cr_image *cr_reader_image(struct cr_reader *r);
/* Checks the digests of all pages. */
int cr_reader_verify(struct cr_reader *r, struct cr_error *err);
/*
 * The pages of one run, decoded, from byte "from" of the run on, "len" bytes
 * into buf.  Compressed runs are checked on the way; runs of CR_CODEC_NONE
 * are what cr_reader_verify() is for.  Reading a run front to back in pieces
 * is cheap.  See cr_image_runs_of() and cr_image_find_run() in model.h.
 */
int cr_reader_pages(struct cr_reader *r, const struct cr_run *run,
		    uint64_t from, void *buf, size_t len, struct cr_error *err);
/*
 * What lies at addr of a space, as far as it is in the file; the rest of buf
 * is zeros.
 */
int cr_reader_memory(struct cr_reader *r, uint32_t space, uint64_t addr,
		     void *buf, size_t len, struct cr_error *err);
/* The seekable descriptor of the file, for CR_CODEC_NONE runs. */
int cr_reader_fd(const struct cr_reader *r);
/* Bytes of the file. */
uint64_t cr_reader_size(const struct cr_reader *r);
/* The 16 bytes that stand for the whole content: cr_writer_digest(). */
const uint8_t *cr_reader_digest(const struct cr_reader *r);
void cr_reader_destroy(struct cr_reader *r);

#endif
