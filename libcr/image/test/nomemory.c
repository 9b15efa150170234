/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nomemory.c - every allocation of writing and of reading fails once
 *
 * The linker gives us the allocations of the library (--wrap).  Each failure
 * must be reported as such, and nothing may be leaked or left behind.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/reader.h"
#include "sample.h"

static long countdown = -1; /* allocations until one fails; -1: never */

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(old, n, size);
}

void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(align, size);
}

static int write_image(const char *path, struct cr_image *img, long fail_at,
		       struct cr_error *err)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_LZ4 };
	struct cr_writer *w = NULL;
	static uint8_t page[4096] = { 1 };
	int rc;

	img->n_runs = 0;
	countdown = fail_at;
	rc = cr_writer_create(&w, path, &opt, err);
	if (!rc)
		rc = cr_writer_pages(w, img, 0, SAMPLE_HEAP, page, 4096, false,
				     err);
	if (!rc)
		rc = cr_writer_commit(w, img, err);
	cr_writer_destroy(w);
	countdown = -1;
	return rc;
}

static int read_image(const char *path, long fail_at, struct cr_error *err)
{
	struct cr_reader *r = NULL;
	uint8_t page[4096];
	int rc;

	countdown = fail_at;
	rc = cr_reader_open(&r, path, err);
	if (!rc)
		rc = cr_reader_verify(r, err);
	if (!rc)
		rc = cr_reader_memory(r, 0, SAMPLE_HEAP, page, 4096, err);
	cr_reader_destroy(r);
	countdown = -1;
	if (!rc)
		assert_int_equal(page[0], 1);
	return rc;
}

static void each_fails(void **state)
{
	char *dir = sample_mkdtemp(), path[100];
	struct cr_image *img = sample_image();
	struct cr_error err = { 0 };
	long n = 0;

	snprintf(path, sizeof(path), "%s/context", dir);
	for (; write_image(path, img, n, &err); n++) {
		assert_int_equal(err.code, -ENOMEM);
		assert_non_null(strstr(err.text, "memory"));
		assert_int_equal(sample_dir_entries(dir), 0);
		cr_error_clear(&err);
	}
	assert_in_range(n, 10, 100);
	assert_int_equal(sample_dir_entries(dir), 1);
	for (n = 0; read_image(path, n, &err); n++) {
		assert_int_equal(err.code, -ENOMEM);
		assert_non_null(strstr(err.text, "memory"));
		cr_error_clear(&err);
	}
	assert_in_range(n, 50, 500);
	cr_image_destroy(img);
	sample_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
