/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec.c - digests, compression, and pages of zeros */
#include "image/codec.h"

#include <errno.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#define ZSTD_LEVEL 1 /* memory pages: speed before the last percent */

static const char *const codec_names[] = {
	[CR_CODEC_NONE] = "none",
	[CR_CODEC_LZ4] = "lz4",
	[CR_CODEC_ZSTD] = "zstd",
};
#define N_CODECS (sizeof(codec_names) / sizeof(codec_names[0]))

const char *cr_codec_name(uint32_t codec)
{
	return codec < N_CODECS ? codec_names[codec] : NULL;
}

int cr_codec_parse(const char *name, enum cr_codec *codec)
{
	for (size_t i = 0; i < N_CODECS; i++)
		if (!strcmp(name, codec_names[i])) {
			*codec = (enum cr_codec)i;
			return 0;
		}
	return -EINVAL;
}

static void canonical(uint8_t digest[CR_DIGEST_SIZE], XXH128_hash_t hash)
{
	XXH128_canonical_t bytes;

	_Static_assert(sizeof(bytes) == CR_DIGEST_SIZE, "XXH3-128");
	XXH128_canonicalFromHash(&bytes, hash);
	memcpy(digest, &bytes, CR_DIGEST_SIZE);
}

void cr_digest(uint8_t digest[CR_DIGEST_SIZE], const void *data, size_t len)
{
	canonical(digest, XXH3_128bits(data, len));
}

/* A digest in the making is the library's own state under our name. */
static XXH3_state_t *state_of(const struct cr_digest *d)
{
	return (XXH3_state_t *)d;
}

struct cr_digest *cr_digest_create(void)
{
	return (struct cr_digest *)XXH3_createState();
}

void cr_digest_start(struct cr_digest *d)
{
	XXH3_128bits_reset(state_of(d));
}

void cr_digest_add(struct cr_digest *d, const void *data, size_t len)
{
	XXH3_128bits_update(state_of(d), data, len);
}

void cr_digest_get(const struct cr_digest *d, uint8_t digest[CR_DIGEST_SIZE])
{
	canonical(digest, XXH3_128bits_digest(state_of(d)));
}

void cr_digest_destroy(struct cr_digest *d)
{
	XXH3_freeState(state_of(d));
}

bool cr_page_is_zero(const void *page)
{
	const char *p = page;

	/* Equal to itself moved by one, and the first is zero. */
	return !p[0] && !memcmp(p, p + 1, CR_PAGE_SIZE - 1);
}

struct cr_codec_state {
	uint32_t codec;
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
};

struct cr_codec_state *cr_codec_create(uint32_t codec, bool compress)
{
	struct cr_codec_state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->codec = codec;
	if (codec != CR_CODEC_ZSTD)
		return s;
	if (compress)
		s->cctx = ZSTD_createCCtx();
	else
		s->dctx = ZSTD_createDCtx();
	if (!s->cctx && !s->dctx) {
		free(s);
		return NULL;
	}
	return s;
}

void cr_codec_destroy(struct cr_codec_state *s)
{
	if (!s)
		return;
	ZSTD_freeCCtx(s->cctx);
	ZSTD_freeDCtx(s->dctx);
	free(s);
}

size_t cr_codec_compress(struct cr_codec_state *s, void *to, const void *from,
			 size_t len)
{
	size_t n;
	int rc;

	/* Room for one byte less than len: then the result is smaller. */
	switch (s->codec) {
	case CR_CODEC_LZ4:
		rc = LZ4_compress_default(from, to, (int)len, (int)len - 1);
		return rc > 0 ? (size_t)rc : 0;
	case CR_CODEC_ZSTD:
		n = ZSTD_compressCCtx(s->cctx, to, len - 1, from, len,
				      ZSTD_LEVEL);
		return ZSTD_isError(n) ? 0 : n;
	default:
		return 0;
	}
}

int cr_codec_expand(struct cr_codec_state *s, void *to, size_t to_len,
		    const void *from, size_t from_len)
{
	size_t n;
	int rc;

	switch (s->codec) {
	case CR_CODEC_LZ4:
		rc = LZ4_decompress_safe(from, to, (int)from_len, (int)to_len);
		return rc >= 0 && (size_t)rc == to_len ? 0 : -EBADMSG;
	case CR_CODEC_ZSTD:
		n = ZSTD_decompressDCtx(s->dctx, to, to_len, from, from_len);
		return !ZSTD_isError(n) && n == to_len ? 0 : -EBADMSG;
	default:
		return -EBADMSG;
	}
}
