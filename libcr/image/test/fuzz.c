/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz.c - damaged and forged context files, tens of thousands of them
 *
 * Damage (digests not recomputed) must be noticed.  Of a forgery (digests
 * recomputed) the parser may accept what makes sense: then packing the model
 * gives the very bytes that were read, and all its pages can be asked for.
 * Reading beyond anything is what --enable-sanitizers finds.
 *
 * CR_FUZZ_SEED and CR_FUZZ_COUNT make other and longer runs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "forge.h"
#include "image/format.h"
#include "image/pack.h"
#include "image/reader.h"

static uint64_t seed = 1;
static unsigned int count = 24000;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static size_t below(size_t n)
{
	return n ? random64() % n : 0;
}

/* All that a user of the model may do with it. */
static void use(struct cr_reader *r, const struct forge *f)
{
	static uint8_t page[4096];
	struct cr_image *img = cr_reader_image(r);
	struct cr_error err = { 0 };

	assert_int_equal(cr_image_check(img, &err), 0);
	for (size_t i = 0; i < CR_SECTION_KINDS; i++) {
		struct cr_pack p = { .name = cr_section_kinds[i].name };
		struct forge_section *s =
			forge_find((struct forge *)f, p.name);

		cr_section_kinds[i].pack(&p, img);
		assert_int_equal(p.status, 0);
		assert_int_equal(p.pos, s->len);
		assert_memory_equal(p.buf, s->payload, s->len);
		free(p.buf);
	}
	cr_reader_verify(r, &err);
	for (size_t i = 0; i < img->n_runs; i++) {
		const struct cr_run *run = &img->runs[i];

		assert_ptr_equal(cr_image_find_run(img, run->space, run->addr),
				 run);
		for (uint64_t at = 0; at < run->len; at += sizeof(page))
			if (cr_reader_pages(r, run, at, page, sizeof(page),
					    &err))
				break;
	}
}

/* A reader refuses with a reason, or gives a model; rc of opening. */
static int try(int fd, const struct forge *f)
{
	struct cr_error err = { 0 };
	struct cr_reader *r = NULL;
	int rc = cr_reader_open_fd(&r, fd, &err);

	if (rc) {
		assert_true(rc < 0);
		assert_null(r);
		assert_int_equal(err.code, rc);
		assert_true(strlen(err.text) > strlen("context file: "));
		return rc;
	}
	if (f)
		use(r, f);
	cr_reader_destroy(r);
	return 0;
}

/* Cut off at every border, and one byte before and after it. */
static void truncated(void **state)
{
	int fd = forge_sample(CR_CODEC_LZ4);
	size_t borders[2 * FORGE_SECTIONS + 8], n = 0, at, len;
	struct forge f;

	forge_load(&f, fd);
	borders[n++] = 1;
	borders[n++] = CR_FORMAT_MAGIC_SIZE;
	borders[n++] = CR_HEADER_SIZE;
	borders[n++] = CR_DATA_OFFSET;
	at = f.pages_len;
	for (uint32_t i = 0; i < f.n_sections; i++) {
		borders[n++] = at;
		borders[n++] = at + CR_SECTION_HEADER_SIZE;
		at += CR_SECTION_HEADER_SIZE + f.sections[i].len;
	}
	borders[n++] = at;
	len = at + CR_TRAILER_SIZE;
	borders[n++] = len;
	for (size_t i = 0; i < n; i++)
		for (int k = -1; k <= 1; k++) {
			forge_store(&f, fd, &len);
			if (borders[i] + (size_t)k == len)
				continue;
			assert_int_equal(
				ftruncate(fd, (off_t)borders[i] + k), 0);
			assert_int_equal(try(fd, NULL), -EINVAL);
		}
	forge_free(&f);
	close(fd);
}

/* One flipped bit is noticed, wherever it is. */
static void damaged(void **state)
{
	int fd = forge_sample(CR_CODEC_NONE);
	struct cr_error err = { 0 };
	struct cr_reader *r;
	struct forge f;
	size_t len;

	forge_load(&f, fd);
	forge_store(&f, fd, &len);
	for (unsigned int i = 0; i < count / 4; i++) {
		/* The page data is long: look there less often. */
		size_t at = i % 8 ? f.pages_len + below(len - f.pages_len) :
				    CR_DATA_OFFSET +
					    below(f.pages_len - CR_DATA_OFFSET);
		uint8_t byte, wrong;
		int rc;

		if (i % 16 == 1)
			at = below(CR_HEADER_SIZE);
		assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
		wrong = byte ^ (uint8_t)(1 << below(8));
		assert_int_equal(pwrite(fd, &wrong, 1, (off_t)at), 1);
		rc = cr_reader_open_fd(&r, fd, &err);
		if (!rc) {
			rc = cr_reader_verify(r, &err);
			cr_reader_destroy(r);
			assert_int_equal(rc, -EBADMSG);
		}
		assert_true(rc < 0);
		cr_error_clear(&err);
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	}
	assert_int_equal(try(fd, &f), 0);
	forge_free(&f);
	close(fd);
}

static const uint64_t special[] = {
	0,	    1,		2,	    3,		0x7f,
	0x80,	    0xff,	0xfff,	    0x1000,	0xffff,
	0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000,
	0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffff000,
	0xffffffffffffffff,
};

/* Changes a few bytes; places near the ends, where the counts are, twice. */
static void change_bytes(uint8_t *data, size_t len)
{
	size_t at = below(len), size = (size_t)1 << below(4);
	uint64_t v;

	if (!len)
		return;
	if (below(2))
		at = below(2) ? below(len < 128 ? len : 128) :
				len - 1 - below(len < 128 ? len : 128);
	if (size > len - at)
		size = len - at;
	memcpy(&v, data + at, size);
	switch (below(4)) {
	case 0:
		v ^= UINT64_C(1) << below(64);
		break;
	case 1:
		v = special[below(sizeof(special) / sizeof(special[0]))];
		break;
	case 2:
		v += below(2) ? 1 + below(8) : (uint64_t)-1 - below(8);
		break;
	default:
		v = random64();
	}
	memcpy(data + at, &v, size);
}

/* Takes bytes away from a payload, or repeats some. */
static void change_length(struct forge_section *s)
{
	size_t at = below(s->len), n = 1 + below(100);

	if (below(2)) {
		if (n > s->len - at)
			n = s->len - at;
		memmove(s->payload + at, s->payload + at + n,
			s->len - at - n);
		s->len -= n;
	} else {
		s->payload = realloc(s->payload, s->len + n);
		memmove(s->payload + at + n, s->payload + at, s->len - at);
		memset(s->payload + at, (int)below(256), n);
		s->len += n;
	}
}

static void forge_once(int fd, const struct forge *original, size_t *accepted)
{
	struct forge f;
	size_t len;

	forge_copy(&f, original);
	for (size_t k = 1 + below(3); k; k--) {
		struct forge_section *s = &f.sections[below(f.n_sections)];

		switch (below(16)) {
		case 0:
			change_length(s);
			break;
		case 1:
		case 2:
			change_bytes(f.pages + CR_DATA_OFFSET,
				     f.pages_len - CR_DATA_OFFSET);
			break;
		case 3:
		case 4:
			s = forge_find(&f, "RUNS");
			/* fall through */
		default:
			change_bytes(s->payload, s->len);
		}
	}
	forge_seal_runs(&f);
	forge_store(&f, fd, &len);
	*accepted += !try(fd, &f);
	forge_free(&f);
}

static void forged(void **state)
{
	for (enum cr_codec codec = CR_CODEC_NONE; codec <= CR_CODEC_ZSTD;
	     codec++) {
		int fd = forge_sample(codec);
		size_t accepted = 0;
		struct forge f;

		forge_load(&f, fd);
		for (unsigned int i = 0; i < count / 4; i++)
			forge_once(fd, &f, &accepted);
		/* Both outcomes are exercised. */
		assert_in_range(accepted, count / 100, count / 4);
		forge_free(&f);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truncated),
		cmocka_unit_test(damaged),
		cmocka_unit_test(forged),
	};
	const char *s = getenv("CR_FUZZ_SEED"), *c = getenv("CR_FUZZ_COUNT");

	if (s)
		seed = strtoull(s, NULL, 0) | 1;
	if (c)
		count = (unsigned int)strtoul(c, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
