/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec.h - digests, compression, and pages of zeros */
#ifndef CR_CODEC_H
#define CR_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/format.h"
#include "image/model.h"

/* "none", "lz4", "zstd"; NULL for what is none of them. */
const char *cr_codec_name(uint32_t codec);
/* The codec of that name; -EINVAL if there is none. */
int cr_codec_parse(const char *name, enum cr_codec *codec);

/* One shot; for more than one piece use cr_digest_*(). */
void cr_digest(uint8_t digest[CR_DIGEST_SIZE], const void *data, size_t len);

struct cr_digest;
struct cr_digest *cr_digest_create(void);
void cr_digest_start(struct cr_digest *d);
void cr_digest_add(struct cr_digest *d, const void *data, size_t len);
void cr_digest_get(const struct cr_digest *d, uint8_t digest[CR_DIGEST_SIZE]);
void cr_digest_destroy(struct cr_digest *d);

bool cr_page_is_zero(const void *page);

/* What the compression libraries keep between calls; opaque. */
struct cr_codec_state;
/* compress: for which of the two directions. */
struct cr_codec_state *cr_codec_create(uint32_t codec, bool compress);
void cr_codec_destroy(struct cr_codec_state *s);
/* Bytes put into to, fewer than len; 0 if it does not get smaller. */
size_t cr_codec_compress(struct cr_codec_state *s, void *to, const void *from,
			 size_t len);
/* Must give exactly to_len bytes: 0, or -EBADMSG. */
int cr_codec_expand(struct cr_codec_state *s, void *to, size_t to_len,
		    const void *from, size_t from_len);

#endif
