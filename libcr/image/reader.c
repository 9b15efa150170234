/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader.c - reads a context file's sections into a model, trusting no byte */
#include "image/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/pack.h"
#include "image/reader_private.h"

static int unpack(struct cr_reader *r, const struct cr_section_kind *kind,
		  const struct cr_section *s, uint8_t *payload,
		  struct cr_error *err)
{
	struct cr_pack p = {
		.unpack = true,
		.buf = payload,
		.size = s->len,
		.name = s->name,
		.offset = s->offset,
		.err = err,
	};

	kind->pack(&p, r->img);
	if (!p.status && p.pos != p.size)
		cr_pack_fail(&p, -EINVAL, "%zu bytes too many", p.size - p.pos);
	return p.status;
}

static const struct cr_section_kind *kind_of(const struct cr_section *s)
{
	for (size_t i = 0; i < CR_SECTION_KINDS; i++)
		if (!strcmp(cr_section_kinds[i].name, s->name))
			return &cr_section_kinds[i];
	return NULL;
}

static int read_section(struct cr_reader *r, const struct cr_section *s,
			struct cr_error *err)
{
	const struct cr_section_kind *kind = kind_of(s);
	uint8_t digest[CR_DIGEST_SIZE], *payload;
	int rc;

	if (!kind && s->flags & CR_SECTION_REQUIRED)
		return cr_error_set(err, -ENOTSUP,
				    "section %s is required, but this program "
				    "does not know it",
				    s->name);
	payload = malloc(s->len ? s->len : 1);
	if (!payload)
		return cr_error_set(err, -ENOMEM,
				    "section %s: no memory for %" PRIu64
				    " bytes",
				    s->name, s->len);
	rc = cr_input_read(&r->in, s->offset, payload, s->len, err);
	if (rc)
		goto out;
	cr_digest_start(r->digest);
	cr_digest_add(r->digest, s->header, 32);
	cr_digest_add(r->digest, payload, s->len);
	cr_digest_get(r->digest, digest);
	if (memcmp(digest, s->header + 32, CR_DIGEST_SIZE))
		rc = cr_error_set(err, -EINVAL,
				  "damaged: the digest of section %s (%" PRIu64
				  " bytes at %" PRIu64 ") does not match",
				  s->name, s->len, s->offset);
	else if (kind)
		rc = unpack(r, kind, s, payload, err);
out:
	free(payload);
	return rc;
}

static int compare_offsets(const void *a, const void *b)
{
	const struct cr_run *const *x = a, *const *y = b;

	return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

/*
 * No two runs share stored bytes, so that reading all of them is never more
 * than reading the file.  Most files have them in order.
 */
static int check_overlap(const struct cr_image *img, struct cr_error *err)
{
	const struct cr_run **runs;
	bool sorted = true;
	int rc = 0;

	runs = calloc(img->n_runs + 1, sizeof(*runs));
	if (!runs)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < img->n_runs; i++) {
		runs[i] = &img->runs[i];
		if (i && runs[i]->offset < runs[i - 1]->offset)
			sorted = false;
	}
	if (!sorted)
		qsort(runs, img->n_runs, sizeof(*runs), compare_offsets);
	for (size_t i = 1; i < img->n_runs && !rc; i++)
		if (runs[i]->offset - runs[i - 1]->offset < runs[i - 1]->stored)
			rc = cr_error_set(err, -EINVAL,
					  "runs %zu and %zu share the bytes at "
					  "%" PRIu64,
					  runs[i - 1] - img->runs,
					  runs[i] - img->runs, runs[i]->offset);
	free(runs);
	return rc;
}

static int check_runs_stored(const struct cr_reader *r,
			     const struct cr_frame *f, struct cr_error *err)
{
	for (size_t i = 0; i < r->img->n_runs; i++) {
		const struct cr_run *run = &r->img->runs[i];

		if (run->offset + run->stored > f->sections_at)
			return cr_error_set(err, -EINVAL,
					    "run %zu (%" PRIu64
					    " bytes at %" PRIu64
					    ") is outside the page data",
					    i, run->stored, run->offset);
	}
	return check_overlap(r->img, err);
}

static int read_sections(struct cr_reader *r, const struct cr_frame *f,
			 struct cr_error *err)
{
	int rc;

	for (size_t i = 0; i < CR_SECTION_KINDS; i++) {
		const char *name = cr_section_kinds[i].name;
		uint32_t k = 0;

		while (k < f->n_sections && strcmp(f->sections[k].name, name))
			k++;
		if (k == f->n_sections && !cr_section_kinds[i].later)
			return cr_error_set(err, -EINVAL,
					    "section %s is missing", name);
	}
	for (uint32_t i = 0; i < f->n_sections; i++) {
		rc = read_section(r, &f->sections[i], err);
		if (rc)
			return rc;
	}
	rc = cr_image_check(r->img, err);
	return rc ? rc : check_runs_stored(r, f, err);
}

static int read_all(struct cr_reader *r, struct cr_error *err)
{
	struct cr_frame f = { 0 };
	int rc;

	rc = cr_frame_read(r, &f, err);
	if (!rc)
		rc = read_sections(r, &f, err);
	free(f.sections);
	return rc;
}

static struct cr_reader *reader_new(void)
{
	struct cr_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->in.fd = -1;
	r->img = cr_image_create();
	r->digest = cr_digest_create();
	if (!r->img || !r->digest) {
		cr_reader_destroy(r);
		return NULL;
	}
	return r;
}

int cr_reader_open(struct cr_reader **reader, const char *path,
		   struct cr_error *err)
{
	struct cr_reader *r = reader_new();
	int rc;

	if (!r)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = cr_input_open(&r->in, path, err);
	if (!rc)
		rc = read_all(r, err);
	if (rc) {
		cr_error_prefix(err, "%s", path);
		cr_reader_destroy(r);
		return rc;
	}
	*reader = r;
	return 0;
}

int cr_reader_open_fd(struct cr_reader **reader, int fd, struct cr_error *err)
{
	struct cr_reader *r = reader_new();
	int rc;

	if (!r)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = cr_input_open_fd(&r->in, fd, err);
	if (!rc)
		rc = read_all(r, err);
	if (rc) {
		cr_error_prefix(err, "context file");
		cr_reader_destroy(r);
		return rc;
	}
	*reader = r;
	return 0;
}

struct cr_image *cr_reader_image(struct cr_reader *r)
{
	return r->img;
}

const uint8_t *cr_reader_digest(const struct cr_reader *r)
{
	return r->root_digest;
}

uint64_t cr_reader_size(const struct cr_reader *r)
{
	return r->in.size;
}

int cr_reader_fd(const struct cr_reader *r)
{
	return r->in.fd;
}

void cr_reader_destroy(struct cr_reader *r)
{
	if (!r)
		return;
	cr_input_close(&r->in);
	cr_image_destroy(r->img);
	if (r->digest)
		cr_digest_destroy(r->digest);
	cr_codec_destroy(r->codec);
	free(r->expanded);
	free(r->stored);
	free(r);
}
