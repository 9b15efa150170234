/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader_private.h - what reader.c and reader_*.c share */
#ifndef CR_READER_PRIVATE_H
#define CR_READER_PRIVATE_H

#include "common/error.h"
#include "image/codec.h"
#include "image/input.h"
#include "image/model.h"

struct cr_reader {
	struct cr_input in;
	struct cr_image *img;
	struct cr_digest *digest;
	uint8_t root_digest[CR_DIGEST_SIZE];

	/* The compressed run asked for last, expanded; offset 0: none. */
	uint64_t expanded_offset, expanded_len;
	uint8_t *expanded, *stored;
	struct cr_codec_state *codec;
	uint32_t codec_id;
};

/* A section as the file announces it. */
struct cr_section {
	char name[CR_SECTION_NAME_SIZE + 1];
	uint32_t flags;
	uint64_t offset, len; /* of the payload */
	uint8_t header[CR_SECTION_HEADER_SIZE];
};

/* What is known of the file while it is being opened. */
struct cr_frame {
	uint8_t header[CR_HEADER_SIZE];
	uint8_t trailer[CR_TRAILER_SIZE];
	uint64_t sections_at, sections_end;
	uint32_t n_sections;
	struct cr_section *sections;
};

/*
 * Fills f, whose sections are the caller's to free, also after an error, and
 * r->root_digest.
 */
int cr_frame_read(struct cr_reader *r, struct cr_frame *f,
		  struct cr_error *err);
/* -EBADMSG: what ("wrong digest of") of the run's pages. */
int cr_reader_damaged(const struct cr_reader *r, const struct cr_run *run,
		      const char *what, struct cr_error *err);

#endif
