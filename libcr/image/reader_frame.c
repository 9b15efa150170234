/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader_frame.c - reads a context file's frame: header, trailer, and where
 * the sections lie
 *
 * Nothing in it is believed before the digest over all of it matches, but
 * every number is in bounds before it is used to get there.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/reader_private.h"
#include "libcr.h"

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

static int read_header(struct cr_reader *r, struct cr_frame *f,
		       struct cr_error *err)
{
	const uint8_t *h = f->header;
	int rc;

	if (r->in.size < CR_FORMAT_MAGIC_SIZE)
		return cr_error_set(err, -EINVAL, "not a context file");
	rc = cr_input_read(
		&r->in, 0, f->header,
		r->in.size < CR_HEADER_SIZE ? r->in.size : CR_HEADER_SIZE, err);
	if (rc)
		return rc;
	if (memcmp(h, CR_FORMAT_MAGIC, CR_FORMAT_MAGIC_SIZE))
		return cr_error_set(err, -EINVAL, "not a context file");
	if (r->in.size < CR_DATA_OFFSET + CR_TRAILER_SIZE)
		return cr_error_set(err, -EINVAL,
				    "incomplete: only %" PRIu64 " bytes",
				    r->in.size);
	if (get32(h + 8) != CR_FORMAT_VERSION)
		return cr_error_set(err, -CR_EVERSION,
				    "format version %" PRIu32
				    ", this program reads version %d",
				    get32(h + 8), CR_FORMAT_VERSION);
	if (get32(h + 12) != CR_FORMAT_ARCH)
		return cr_error_set(err, -CR_EBADARCH,
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

static int read_trailer(struct cr_reader *r, struct cr_frame *f,
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
				    "damaged: sections at %" PRIu64
				    " are outside the file",
				    f->sections_at);
	if (f->n_sections > CR_SECTIONS_MAX)
		return cr_error_set(err, -EINVAL,
				    "damaged: %" PRIu32 " sections, at most %d",
				    f->n_sections, CR_SECTIONS_MAX);
	if (!all_zero(t + 28, 20))
		return cr_error_set(err, -EINVAL,
				    "damaged: reserved bytes of the trailer are "
				    "not zero");
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
	return n &&
	       all_zero((const uint8_t *)name + n, CR_SECTION_NAME_SIZE - n);
}

static int read_section_header(struct cr_reader *r, struct cr_section *s,
			       uint64_t at, uint64_t end, struct cr_error *err)
{
	const uint8_t *h = s->header;
	int rc;

	if (end - at < CR_SECTION_HEADER_SIZE)
		return cr_error_set(
			err, -EINVAL,
			"section at %" PRIu64 " reaches into the trailer", at);
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
				    "section %s at %" PRIu64 ": flags %#" PRIx32
				    " are unknown",
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

static int find_sections(struct cr_reader *r, struct cr_frame *f,
			 struct cr_error *err)
{
	uint64_t at = f->sections_at;
	int rc;

	f->sections = calloc(f->n_sections + 1, sizeof(*f->sections));
	if (!f->sections)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < f->n_sections; i++) {
		struct cr_section *s = &f->sections[i];

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

static int check_root_digest(struct cr_reader *r, const struct cr_frame *f,
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

int cr_frame_read(struct cr_reader *r, struct cr_frame *f, struct cr_error *err)
{
	int rc;

	rc = read_header(r, f, err);
	if (!rc)
		rc = read_trailer(r, f, err);
	if (!rc) {
		rc = find_sections(r, f, err);
		if (rc == -EINVAL)
			cr_error_prefix(err, "damaged");
	}
	if (!rc)
		rc = check_root_digest(r, f, err);
	return rc;
}
