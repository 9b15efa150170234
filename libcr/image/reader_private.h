/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader_private.h - what reader.c and reader_pages.c share */
#ifndef CR_READER_PRIVATE_H
#define CR_READER_PRIVATE_H

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

#endif
