/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* writer.c - writes a context file: runs of pages, then sections and trailer */
#include "image/writer.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/codec.h"
#include "image/output.h"
#include "image/pack.h"

#define RUN_MAX_PLAIN (4u << 20)
#define WRITE_STEP                                                             \
	(256u << 10) /* digested, then written while in the cache              \
		      */

struct cr_writer {
	struct cr_output *out;
	struct cr_digest *digest;
	struct cr_codec_state *codec; /* NULL: none */
	enum cr_codec codec_id;
	uint8_t header[CR_HEADER_SIZE];
	struct cr_run run; /* being collected, if run.len is not 0 */
	uint8_t *plain;	   /* codec: its pages so far, and */
	uint8_t *packed;   /* room for them compressed */
	uint8_t root_digest[CR_DIGEST_SIZE];
};

static void put32(uint8_t *to, uint32_t v)
{
	v = htole32(v);
	memcpy(to, &v, sizeof(v));
}

static void put64(uint8_t *to, uint64_t v)
{
	v = htole64(v);
	memcpy(to, &v, sizeof(v));
}

static int write_header(struct cr_writer *w, struct cr_error *err)
{
	int rc;

	memcpy(w->header, CR_FORMAT_MAGIC, CR_FORMAT_MAGIC_SIZE);
	put32(w->header + 8, CR_FORMAT_VERSION);
	put32(w->header + 12, CR_FORMAT_ARCH);
	put32(w->header + 16, CR_PAGE_SIZE);
	rc = cr_output_write(w->out, w->header, CR_HEADER_SIZE, err);
	if (rc)
		return rc;
	return cr_output_zeros(w->out, CR_DATA_OFFSET - CR_HEADER_SIZE, err);
}

static int writer_new(struct cr_writer **writer,
		      const struct cr_writer_options *opt, struct cr_error *err)
{
	struct cr_writer *w;

	if (!cr_codec_name(opt->codec))
		return cr_error_set(err, -EINVAL, "codec %d is unknown",
				    opt->codec);
	w = calloc(1, sizeof(*w));
	if (!w)
		return cr_error_set(err, -ENOMEM, "out of memory");
	w->codec_id = opt->codec;
	w->digest = cr_digest_create();
	if (opt->codec != CR_CODEC_NONE) {
		w->codec = cr_codec_create(opt->codec, true);
		w->plain = malloc(CR_RUN_MAX_COMPRESSED);
		w->packed = malloc(CR_RUN_MAX_COMPRESSED);
	}
	if (!w->digest || (opt->codec != CR_CODEC_NONE &&
			   (!w->codec || !w->plain || !w->packed))) {
		cr_writer_destroy(w);
		return cr_error_set(err, -ENOMEM, "out of memory");
	}
	*writer = w;
	return 0;
}

static int writer_start(struct cr_writer **writer, int rc, struct cr_error *err)
{
	if (!rc)
		rc = write_header(*writer, err);
	if (rc) {
		cr_writer_destroy(*writer);
		*writer = NULL;
	}
	return rc;
}

int cr_writer_create(struct cr_writer **w, const char *path,
		     const struct cr_writer_options *opt, struct cr_error *err)
{
	int rc = writer_new(w, opt, err);

	if (rc)
		return rc;
	rc = cr_output_open(&(*w)->out, path, opt, err);
	return writer_start(w, rc, err);
}

int cr_writer_create_fd(struct cr_writer **w, int fd,
			const struct cr_writer_options *opt,
			struct cr_error *err)
{
	int rc = writer_new(w, opt, err);

	if (rc)
		return rc;
	rc = cr_output_open_fd(&(*w)->out, fd, opt, err);
	return writer_start(w, rc, err);
}

/* Where a run that is not compressed begins: page aligned. */
static int align_output(struct cr_writer *w, struct cr_error *err)
{
	uint64_t at = cr_output_offset(w->out) % CR_PAGE_SIZE;

	return at ? cr_output_zeros(w->out, CR_PAGE_SIZE - at, err) : 0;
}

static int write_plain(struct cr_writer *w, const uint8_t *data, size_t len,
		       struct cr_error *err)
{
	int rc = 0;
	/* What goes to the disk at once goes in one piece. */
	const size_t step = cr_output_is_direct(w->out) ? len : WRITE_STEP;

	while (len && !rc) {
		size_t n = len < step ? len : step;

		cr_digest_add(w->digest, data, n);
		rc = cr_output_write(w->out, data, n, err);
		data += n;
		len -= n;
	}
	return rc;
}

static int begin_plain(struct cr_writer *w, struct cr_error *err)
{
	int rc = align_output(w, err);

	w->run.codec = CR_CODEC_NONE;
	w->run.offset = cr_output_offset(w->out);
	cr_digest_start(w->digest);
	return rc;
}

/* The pages collected for a codec become stored bytes. */
static int write_collected(struct cr_writer *w, struct cr_error *err)
{
	struct cr_run *run = &w->run;
	int rc;

	run->stored =
		cr_codec_compress(w->codec, w->packed, w->plain, run->len);
	if (!run->stored) {
		rc = begin_plain(w, err);
		return rc ? rc : write_plain(w, w->plain, run->len, err);
	}
	run->codec = w->codec_id;
	run->offset = cr_output_offset(w->out);
	cr_digest(run->digest, w->packed, run->stored);
	return cr_output_write(w->out, w->packed, run->stored, err);
}

static int finish_run(struct cr_writer *w, struct cr_image *img,
		      struct cr_error *err)
{
	struct cr_run *run;
	int rc;

	if (!w->run.len)
		return 0;
	if (w->codec) {
		rc = write_collected(w, err);
		if (rc)
			return rc;
	}
	if (w->run.codec == CR_CODEC_NONE) {
		w->run.stored = w->run.len;
		cr_digest_get(w->digest, w->run.digest);
	}
	run = cr_image_add_run(img);
	if (!run)
		return cr_error_set(err, -ENOMEM, "out of memory");
	*run = w->run;
	memset(&w->run, 0, sizeof(w->run));
	return 0;
}

/* Pages that follow each other and are all to be stored. */
static int store(struct cr_writer *w, struct cr_image *img, uint32_t space,
		 uint64_t addr, const uint8_t *data, size_t len,
		 struct cr_error *err)
{
	size_t max = w->codec ? CR_RUN_MAX_COMPRESSED : RUN_MAX_PLAIN;
	struct cr_run *run = &w->run;
	int rc = 0;

	while (len) {
		size_t n;

		if (run->len == max || run->space != space ||
		    run->addr + run->len != addr)
			rc = finish_run(w, img, err);
		if (!rc && !run->len) {
			run->space = space;
			run->addr = addr;
			rc = w->codec ? 0 : begin_plain(w, err);
		}
		if (rc)
			return rc;
		n = len < max - run->len ? len : max - run->len;
		if (w->codec)
			memcpy(w->plain + run->len, data, n);
		else
			rc = write_plain(w, data, n, err);
		if (rc)
			return rc;
		run->len += n;
		addr += n;
		data += n;
		len -= n;
	}
	return 0;
}

int cr_writer_pages(struct cr_writer *w, struct cr_image *img, uint32_t space,
		    uint64_t addr, const void *data, size_t len,
		    bool zero_matters, struct cr_error *err)
{
	const uint8_t *at = data;
	size_t n, pos = 0;
	int rc;

	if (addr % CR_PAGE_SIZE || len % CR_PAGE_SIZE)
		return cr_error_set(err, -EINVAL,
				    "pages at %#llx, %zu bytes: not aligned",
				    (unsigned long long)addr, len);
	if (zero_matters)
		return store(w, img, space, addr, at, len, err);
	while (pos < len) {
		while (pos < len && cr_page_is_zero(at + pos))
			pos += CR_PAGE_SIZE;
		n = 0;
		while (pos + n < len && !cr_page_is_zero(at + pos + n))
			n += CR_PAGE_SIZE;
		rc = store(w, img, space, addr + pos, at + pos, n, err);
		if (rc)
			return rc;
		pos += n;
	}
	return 0;
}

int cr_writer_lend(struct cr_writer *w, struct cr_image *img, int *fd,
		   uint64_t *offset, uint64_t *max_len, struct cr_error *err)
{
	int rc;

	if (w->codec)
		return -ENOTSUP;
	rc = finish_run(w, img, err);
	if (!rc)
		rc = align_output(w, err);
	*max_len = RUN_MAX_PLAIN;
	return rc ? rc : cr_output_lend(w->out, fd, offset, err);
}

int cr_writer_give_back(struct cr_writer *w, struct cr_image *img,
			uint32_t space, const struct cr_written_run *runs,
			size_t n, int status, struct cr_error *err)
{
	uint64_t at = cr_output_offset(w->out), end = at;
	struct cr_run *run;
	int rc;

	for (size_t i = 0; i < n; i++)
		end += runs[i].len;
	rc = cr_output_give_back(w->out, end, status, err);
	for (size_t i = 0; i < n && !rc; i++) {
		run = cr_image_add_run(img);
		if (!run)
			return cr_error_set(err, -ENOMEM, "out of memory");
		run->space = space;
		run->codec = CR_CODEC_NONE;
		run->addr = runs[i].addr;
		run->len = run->stored = runs[i].len;
		run->offset = at;
		memcpy(run->digest, runs[i].digest, CR_DIGEST_SIZE);
		at += run->len;
	}
	return rc;
}

static int compare_runs(const void *a, const void *b)
{
	const struct cr_run *x = a, *y = b;

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

/* One section; its digest goes into the one of the whole file. */
static int write_section(struct cr_writer *w, struct cr_image *img,
			 const struct cr_section_kind *kind,
			 uint8_t digest[CR_DIGEST_SIZE], struct cr_error *err)
{
	uint8_t header[CR_SECTION_HEADER_SIZE] = { 0 };
	struct cr_pack p = { .name = kind->name, .err = err };
	int rc;

	kind->pack(&p, img);
	rc = p.status;
	if (rc)
		goto out;
	memcpy(header, kind->name, CR_SECTION_NAME_SIZE);
	put32(header + 8, CR_SECTION_REQUIRED);
	put64(header + 16, p.pos);
	cr_digest_start(w->digest);
	cr_digest_add(w->digest, header, 32);
	cr_digest_add(w->digest, p.buf, p.pos);
	cr_digest_get(w->digest, digest);
	memcpy(header + 32, digest, CR_DIGEST_SIZE);
	rc = cr_output_write(w->out, header, sizeof(header), err);
	if (!rc)
		rc = cr_output_write(w->out, p.buf, p.pos, err);
out:
	free(p.buf);
	return rc;
}

static int write_trailer(struct cr_writer *w, uint64_t sections_at,
			 uint8_t digests[][CR_DIGEST_SIZE],
			 struct cr_error *err)
{
	uint8_t trailer[CR_TRAILER_SIZE] = { 0 };

	memcpy(trailer, CR_FORMAT_END_MAGIC, CR_FORMAT_MAGIC_SIZE);
	put64(trailer + 8, cr_output_offset(w->out) + CR_TRAILER_SIZE);
	put64(trailer + 16, sections_at);
	put32(trailer + 24, CR_SECTION_KINDS);
	cr_digest_start(w->digest);
	cr_digest_add(w->digest, w->header, CR_HEADER_SIZE);
	cr_digest_add(w->digest, digests, CR_SECTION_KINDS * CR_DIGEST_SIZE);
	cr_digest_add(w->digest, trailer, 48);
	cr_digest_get(w->digest, w->root_digest);
	memcpy(trailer + 48, w->root_digest, CR_DIGEST_SIZE);
	return cr_output_write(w->out, trailer, sizeof(trailer), err);
}

int cr_writer_commit(struct cr_writer *w, struct cr_image *img,
		     struct cr_error *err)
{
	uint8_t digests[CR_SECTION_KINDS][CR_DIGEST_SIZE];
	uint64_t sections_at;
	int rc;

	rc = finish_run(w, img, err);
	if (rc)
		return rc;
	if (img->n_runs)
		qsort(img->runs, img->n_runs, sizeof(*img->runs), compare_runs);
	rc = cr_image_check(img, err);
	if (rc) {
		cr_error_prefix(err, "refusing to write a wrong context file");
		return rc;
	}
	sections_at = cr_output_offset(w->out);
	for (size_t i = 0; i < CR_SECTION_KINDS && !rc; i++)
		rc = write_section(w, img, &cr_section_kinds[i], digests[i],
				   err);
	if (!rc)
		rc = write_trailer(w, sections_at, digests, err);
	return rc ? rc : cr_output_commit(w->out, err);
}

const uint8_t *cr_writer_digest(const struct cr_writer *w)
{
	return w->root_digest;
}

uint64_t cr_writer_bytes(const struct cr_writer *w)
{
	return cr_output_offset(w->out);
}

void cr_writer_destroy(struct cr_writer *w)
{
	if (!w)
		return;
	cr_output_destroy(w->out);
	if (w->digest)
		cr_digest_destroy(w->digest);
	cr_codec_destroy(w->codec);
	free(w->plain);
	free(w->packed);
	free(w);
}
