/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader.c - reads a context file's frame and model, trusting no byte
 *
 * Header and trailer first, then where the sections lie, then the digest over
 * all that, and only then the sections.
 */
#include "image/reader.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/codec.h"
#include "image/pack.h"
#include "image/reader_private.h"

struct section {
	char name[CR_SECTION_NAME_SIZE + 1];
	uint32_t flags;
	uint64_t offset, len; /* of the payload */
	uint8_t header[CR_SECTION_HEADER_SIZE];
};

/* What is known of the file while it is being opened. */
struct frame {
	uint8_t header[CR_HEADER_SIZE];
	uint8_t trailer[CR_TRAILER_SIZE];
	uint64_t sections_at, sections_end;
	uint32_t n_sections;
	struct section *sections;
};

static uint32_t get32(const uint8_t *from)
{
	uint32_t v;

	memcpy(&v, from, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *from)
{
	uint64_t v;

	memcpy(&v, from, sizeof(v));
	return le64toh(v);
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static int read_header(struct cr_reader *r, struct frame *f,
		       struct cr_error *err)
{
	const uint8_t *h = f->header;
	int rc;

	if (r->in.size < CR_FORMAT_MAGIC_SIZE)
		return cr_error_set(err, -EINVAL, "not a context file");
	rc = cr_input_read(&r->in, 0, f->header,
			   r->in.size < CR_HEADER_SIZE ? r->in.size :
							 CR_HEADER_SIZE,
			   err);
	if (rc)
		return rc;
	if (memcmp(h, CR_FORMAT_MAGIC, CR_FORMAT_MAGIC_SIZE))
		return cr_error_set(err, -EINVAL, "not a context file");
	if (r->in.size < CR_DATA_OFFSET + CR_TRAILER_SIZE)
		return cr_error_set(err, -EINVAL,
				    "incomplete: only %" PRIu64 " bytes",
				    r->in.size);
	if (get32(h + 8) != CR_FORMAT_VERSION)
		return cr_error_set(err, -EINVAL,
				    "format version %" PRIu32
				    ", this program reads version %d",
				    get32(h + 8), CR_FORMAT_VERSION);
	if (get32(h + 12) != CR_FORMAT_ARCH)
		return cr_error_set(err, -EINVAL,
				    "made on another architecture (%" PRIu32
				    ", this is x86-64, %d)",
				    get32(h + 12), CR_FORMAT_ARCH);
	if (get32(h + 16) != CR_PAGE_SIZE)
		return cr_error_set(err, -EINVAL,
				    "pages of %" PRIu32 " bytes, not %u",
				    get32(h + 16), CR_PAGE_SIZE);
	if (get32(h + 20))
		return cr_error_set(err, -EINVAL,
				    "header flags %#" PRIx32 " are unknown",
				    get32(h + 20));
	if (!all_zero(h + 24, CR_HEADER_SIZE - 24))
		return cr_error_set(err, -EINVAL,
				    "reserved bytes 24 to 63 are not zero");
	return 0;
}

static int read_trailer(struct cr_reader *r, struct frame *f,
			struct cr_error *err)
{
	const uint8_t *t = f->trailer;
	uint64_t at = r->in.size - CR_TRAILER_SIZE;
	int rc = cr_input_read(&r->in, at, f->trailer, CR_TRAILER_SIZE, err);

	if (rc)
		return rc;
	if (memcmp(t, CR_FORMAT_END_MAGIC, CR_FORMAT_MAGIC_SIZE))
		return cr_error_set(err, -EINVAL,
				    "incomplete or damaged: no trailer at "
				    "%" PRIu64,
				    at);
	if (get64(t + 8) != r->in.size)
		return cr_error_set(err, -EINVAL,
				    "incomplete or damaged: %" PRIu64
				    " bytes, the trailer says %" PRIu64,
				    r->in.size, get64(t + 8));
	f->sections_end = at;
	f->sections_at = get64(t + 16);
	f->n_sections = get32(t + 24);
	if (f->sections_at < CR_DATA_OFFSET || f->sections_at > at)
		return cr_error_set(err, -EINVAL,
				    "trailer: sections at %" PRIu64
				    " are outside the file",
				    f->sections_at);
	if (f->n_sections > CR_SECTIONS_MAX)
		return cr_error_set(err, -EINVAL,
				    "trailer: %" PRIu32 " sections, at most %d",
				    f->n_sections, CR_SECTIONS_MAX);
	if (!all_zero(t + 28, 20))
		return cr_error_set(err, -EINVAL,
				    "trailer: reserved bytes are not zero");
	return 0;
}

/* Letters and digits, then zeros only; never empty. */
static bool name_fine(const char name[CR_SECTION_NAME_SIZE])
{
	size_t n = strnlen(name, CR_SECTION_NAME_SIZE);

	for (size_t i = 0; i < n; i++) {
		char c = name[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		      (c >= '0' && c <= '9')))
			return false;
	}
	return n && all_zero((const uint8_t *)name + n,
			     CR_SECTION_NAME_SIZE - n);
}

static int read_section_header(struct cr_reader *r, struct section *s,
			       uint64_t at, uint64_t end, struct cr_error *err)
{
	const uint8_t *h = s->header;
	int rc;

	if (end - at < CR_SECTION_HEADER_SIZE)
		return cr_error_set(err, -EINVAL,
				    "section at %" PRIu64
				    " reaches into the trailer",
				    at);
	rc = cr_input_read(&r->in, at, s->header, CR_SECTION_HEADER_SIZE, err);
	if (rc)
		return rc;
	memcpy(s->name, h, CR_SECTION_NAME_SIZE);
	s->flags = get32(h + 8);
	s->len = get64(h + 16);
	s->offset = at + CR_SECTION_HEADER_SIZE;
	if (!name_fine(s->name))
		return cr_error_set(err, -EINVAL,
				    "section at %" PRIu64 " has no proper name",
				    at);
	if (s->flags & ~CR_SECTION_REQUIRED)
		return cr_error_set(err, -EINVAL,
				    "section %s at %" PRIu64
				    ": flags %#" PRIx32 " are unknown",
				    s->name, at, s->flags);
	if (get32(h + 12) || get64(h + 24))
		return cr_error_set(err, -EINVAL,
				    "section %s at %" PRIu64
				    ": reserved bytes are not zero",
				    s->name, at);
	if (s->len > end - s->offset)
		return cr_error_set(err, -EINVAL,
				    "section %s at %" PRIu64 ": %" PRIu64
				    " bytes reach into the trailer",
				    s->name, at, s->len);
	return 0;
}

static int find_sections(struct cr_reader *r, struct frame *f,
			 struct cr_error *err)
{
	uint64_t at = f->sections_at;
	int rc;

	f->sections = calloc(f->n_sections + 1, sizeof(*f->sections));
	if (!f->sections)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < f->n_sections; i++) {
		struct section *s = &f->sections[i];

		rc = read_section_header(r, s, at, f->sections_end, err);
		if (rc)
			return rc;
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(f->sections[k].name, s->name))
				return cr_error_set(err, -EINVAL,
						    "section %s at %" PRIu64
						    " appears twice",
						    s->name, at);
		at = s->offset + s->len;
	}
	if (at != f->sections_end)
		return cr_error_set(err, -EINVAL,
				    "%" PRIu64 " bytes at %" PRIu64
				    " belong to no section",
				    f->sections_end - at, at);
	return 0;
}

static int check_root_digest(struct cr_reader *r, const struct frame *f,
			     struct cr_error *err)
{
	cr_digest_start(r->digest);
	cr_digest_add(r->digest, f->header, CR_HEADER_SIZE);
	for (uint32_t i = 0; i < f->n_sections; i++)
		cr_digest_add(r->digest, f->sections[i].header + 32,
			      CR_DIGEST_SIZE);
	cr_digest_add(r->digest, f->trailer, 48);
	cr_digest_get(r->digest, r->root_digest);
	if (memcmp(r->root_digest, f->trailer + 48, CR_DIGEST_SIZE))
		return cr_error_set(err, -EINVAL,
				    "damaged: the trailer's digest does not "
				    "match");
	return 0;
}

static int unpack(struct cr_reader *r, const struct cr_section_kind *kind,
		  const struct section *s, uint8_t *payload,
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
		cr_pack_fail(&p, -EINVAL, "%zu bytes too many",
			     p.size - p.pos);
	return p.status;
}

static const struct cr_section_kind *kind_of(const struct section *s)
{
	for (size_t i = 0; i < CR_SECTION_KINDS; i++)
		if (!strcmp(cr_section_kinds[i].name, s->name))
			return &cr_section_kinds[i];
	return NULL;
}

static int read_section(struct cr_reader *r, const struct section *s,
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

static int check_runs_stored(const struct cr_reader *r, const struct frame *f,
			     struct cr_error *err)
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
	return 0;
}

static int read_sections(struct cr_reader *r, const struct frame *f,
			 struct cr_error *err)
{
	int rc;

	for (size_t i = 0; i < CR_SECTION_KINDS; i++) {
		const char *name = cr_section_kinds[i].name;
		uint32_t k = 0;

		while (k < f->n_sections && strcmp(f->sections[k].name, name))
			k++;
		if (k == f->n_sections)
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
	struct frame f = { 0 };
	int rc;

	rc = read_header(r, &f, err);
	if (!rc)
		rc = read_trailer(r, &f, err);
	if (!rc)
		rc = find_sections(r, &f, err);
	if (!rc)
		rc = check_root_digest(r, &f, err);
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
