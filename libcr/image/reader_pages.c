/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader_pages.c - gives out the pages of a context file */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/reader.h"
#include "image/reader_private.h"

int cr_reader_damaged(const struct cr_reader *r, const struct cr_run *run,
		      const char *what, struct cr_error *err)
{
	size_t n_mms = r->img->n_mms;
	bool shm = run->space >= n_mms;

	return cr_error_set(
		err, -EBADMSG,
		"damaged: %s the pages at 0x%" PRIx64 " of %s %zu (%" PRIu64
		" bytes at %" PRIu64 " of the file)",
		what, run->addr, shm ? "shared memory" : "address space",
		shm ? run->space - n_mms : run->space, run->stored,
		run->offset);
}

/* Room for the largest compressed run, and the library's state. */
static int prepare(struct cr_reader *r, uint32_t codec, struct cr_error *err)
{
	if (!r->expanded)
		r->expanded = malloc(CR_RUN_MAX_COMPRESSED);
	if (!r->stored)
		r->stored = malloc(CR_RUN_MAX_COMPRESSED);
	if (!r->codec || r->codec_id != codec) {
		cr_codec_destroy(r->codec);
		r->codec = cr_codec_create(codec, false);
		r->codec_id = codec;
	}
	if (!r->expanded || !r->stored || !r->codec)
		return cr_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int expand(struct cr_reader *r, const struct cr_run *run,
		  struct cr_error *err)
{
	uint8_t digest[CR_DIGEST_SIZE];
	int rc;

	if (r->expanded_offset == run->offset && r->expanded_len == run->len)
		return 0;
	r->expanded_offset = 0;
	rc = prepare(r, run->codec, err);
	if (!rc)
		rc = cr_input_read(&r->in, run->offset, r->stored, run->stored,
				   err);
	if (rc)
		return rc;
	cr_digest(digest, r->stored, run->stored);
	if (memcmp(digest, run->digest, CR_DIGEST_SIZE))
		return cr_reader_damaged(r, run, "wrong digest of", err);
	if (cr_codec_expand(r->codec, r->expanded, run->len, r->stored,
			    run->stored))
		return cr_reader_damaged(r, run, "cannot expand", err);
	r->expanded_offset = run->offset;
	r->expanded_len = run->len;
	return 0;
}

int cr_reader_pages(struct cr_reader *r, const struct cr_run *run,
		    uint64_t from, void *buf, size_t len, struct cr_error *err)
{
	int rc;

	if (from > run->len || len > run->len - from)
		return cr_error_set(err, -EINVAL,
				    "bytes %" PRIu64 " to %" PRIu64
				    " are outside the run",
				    from, from + len);
	if (run->codec == CR_CODEC_NONE)
		return cr_input_read(&r->in, run->offset + from, buf, len, err);
	rc = expand(r, run, err);
	if (!rc)
		memcpy(buf, r->expanded + from, len);
	return rc;
}

int cr_reader_memory(struct cr_reader *r, uint32_t space, uint64_t addr,
		     void *buf, size_t len, struct cr_error *err)
{
	uint8_t *to = buf;

	memset(buf, 0, len);
	while (len) {
		const struct cr_run *run =
			cr_image_find_run(r->img, space, addr);
		uint64_t skip, n;
		int rc;

		if (!run)
			return 0;
		skip = run->addr > addr ? run->addr - addr : 0;
		if (skip >= len)
			return 0;
		to += skip;
		addr += skip;
		len -= skip;
		n = run->addr + run->len - addr;
		if (n > len)
			n = len;
		rc = cr_reader_pages(r, run, addr - run->addr, to, n, err);
		if (rc)
			return rc;
		to += n;
		addr += n;
		len -= n;
	}
	return 0;
}
