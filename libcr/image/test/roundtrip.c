/* SPDX-License-Identifier: GPL-2.0-or-later */
/* roundtrip.c - what the writer stores is what the reader gives */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/format.h"
#include "image/pack.h"
#include "image/reader.h"
#include "sample.h"

#define assert_ok(rc, err)                                                     \
	do {                                                                   \
		if (rc)                                                        \
			fail_msg("%d: %s", (int)(rc), (err)->text);            \
	} while (0)

static char *write_sample(const char *dir, enum cr_codec codec,
			  uint8_t digest[16])
{
	struct cr_writer_options opt = { .codec = codec, .fsync = true };
	struct cr_image *img = sample_image();
	struct cr_error err = { 0 };
	struct cr_writer *w;
	char *path;

	assert_true(asprintf(&path, "%s/context", dir) > 0);
	assert_ok(cr_writer_create(&w, path, &opt, &err), &err);
	assert_ok(sample_pages(w, img, &err), &err);
	assert_ok(cr_writer_commit(w, img, &err), &err);
	memcpy(digest, cr_writer_digest(w), 16);
	cr_writer_destroy(w);
	cr_image_destroy(img);
	return path;
}

/* Two models are the same if all their sections are the same bytes. */
static void assert_same_model(struct cr_image *a, struct cr_image *b)
{
	for (size_t i = 0; i < CR_SECTION_KINDS; i++) {
		struct cr_pack x = { .name = "a" }, y = { .name = "b" };

		if (!strcmp(cr_section_kinds[i].name, "RUNS"))
			continue;
		cr_section_kinds[i].pack(&x, a);
		cr_section_kinds[i].pack(&y, b);
		assert_int_equal(x.status, 0);
		assert_int_equal(y.status, 0);
		assert_int_equal(x.pos, y.pos);
		assert_memory_equal(x.buf, y.buf, x.pos);
		free(x.buf);
		free(y.buf);
	}
}

/* Every page of the space, found the way restore finds it. */
static void check_space(struct cr_reader *r, uint32_t space, uint64_t start,
			size_t pages)
{
	struct cr_image *img = cr_reader_image(r);
	struct cr_error err = { 0 };
	uint8_t page[4096];

	for (size_t i = 0; i < pages; i++) {
		uint64_t addr = start + i * 4096;
		const struct cr_run *run = cr_image_find_run(img, space, addr);
		bool stored = run && run->addr <= addr;

		assert_int_equal(stored, sample_byte(space, addr) != 0);
		if (!stored)
			continue;
		assert_ok(cr_reader_pages(r, run, addr - run->addr, page, 4096,
					  &err),
			  &err);
		for (size_t k = 0; k < 4096; k++)
			assert_int_equal(page[k], sample_byte(space, addr + k));
	}
}

/* Memory by address: with what is not stored, and not page by page. */
static void check_memory(struct cr_reader *r)
{
	uint64_t from = SAMPLE_HEAP - 5000, len = 600 * 4096 + 10000;
	struct cr_error err = { 0 };
	uint8_t *buf = malloc(len);

	for (uint64_t at = 0; at < len; at += 10007)
		assert_ok(cr_reader_memory(r, 0, from + at, buf + at,
					   len - at < 10007 ? len - at : 10007,
					   &err),
			  &err);
	for (uint64_t i = 0; i < len; i++) {
		uint64_t addr = from + i;
		bool inside = addr >= SAMPLE_HEAP &&
			      addr < SAMPLE_HEAP + SAMPLE_HEAP_PAGES * 4096;

		assert_int_equal(buf[i], inside ? sample_byte(0, addr) : 0);
	}
	free(buf);
}

static void check_all(struct cr_reader *r, const uint8_t digest[16])
{
	struct cr_image *sample = sample_image(), *img = cr_reader_image(r);
	struct cr_error err = { 0 };
	const struct cr_run *runs;
	size_t n;

	assert_same_model(sample, img);
	assert_memory_equal(cr_reader_digest(r), digest, 16);
	assert_ok(cr_reader_verify(r, &err), &err);
	check_space(r, 0, SAMPLE_HEAP, SAMPLE_HEAP_PAGES);
	check_space(r, 1, SAMPLE_HEAP, SAMPLE_HEAP_PAGES);
	check_space(r, 2, 0, SAMPLE_SHM_PAGES);
	check_memory(r);
	runs = cr_image_runs_of(img, 1, &n);
	assert_true(n > 10 && runs[0].space == 1 && runs[n - 1].space == 1);
	assert_null(cr_image_runs_of(img, 3, &n));
	cr_image_destroy(sample);
}

static void file_roundtrip(enum cr_codec codec)
{
	char *dir = sample_mkdtemp(), *path;
	struct cr_error err = { 0 };
	struct cr_reader *r;
	uint8_t digest[16];

	path = write_sample(dir, codec, digest);
	assert_int_equal(sample_dir_entries(dir), 1);
	assert_ok(cr_reader_open(&r, path, &err), &err);
	check_all(r, digest);
	cr_reader_destroy(r);
	free(path);
	sample_rmdir(dir);
}

static void roundtrip_none(void **state)
{
	file_roundtrip(CR_CODEC_NONE);
}

static void roundtrip_lz4(void **state)
{
	file_roundtrip(CR_CODEC_LZ4);
}

static void roundtrip_zstd(void **state)
{
	file_roundtrip(CR_CODEC_ZSTD);
}

static void *stream_writer(void *arg)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_NONE,
					 .fsync = true };
	struct cr_image *img = sample_image();
	struct cr_error err = { 0 };
	struct cr_writer *w;
	int fd = *(int *)arg;

	if (cr_writer_create_fd(&w, fd, &opt, &err) ||
	    sample_pages(w, img, &err) || cr_writer_commit(w, img, &err))
		fprintf(stderr, "writer: %s\n", err.text);
	else
		memcpy(arg, cr_writer_digest(w), 16);
	cr_writer_destroy(w);
	cr_image_destroy(img);
	close(fd);
	return NULL;
}

/* Through a pipe, which neither side can seek in. */
static void roundtrip_stream(void **state)
{
	union {
		int fd;
		uint8_t digest[16];
	} arg;
	struct cr_error err = { 0 };
	struct cr_reader *r;
	pthread_t thread;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	arg.fd = ends[1];
	assert_int_equal(pthread_create(&thread, NULL, stream_writer, &arg), 0);
	assert_ok(cr_reader_open_fd(&r, ends[0], &err), &err);
	pthread_join(thread, NULL);
	check_all(r, arg.digest);
	cr_reader_destroy(r);
	close(ends[0]);
}

#define LARGE (200u << 20)

/* One area of noise, without a hole. */
static int write_large(enum cr_codec codec)
{
	struct cr_writer_options opt = { .codec = codec };
	int fd = memfd_create("large", MFD_CLOEXEC);
	uint64_t *noise = malloc(3 << 20), x = 1;
	struct cr_image *img = sample_image();
	struct cr_error err = { 0 };
	struct cr_writer *w;

	/* Half of each page, so that it can be compressed. */
	for (size_t i = 0; i < (3 << 20) / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		noise[i] = i % 512 < 256 ? x : i;
	}
	img->mms[1].areas[2].end += LARGE;
	assert_ok(cr_writer_create_fd(&w, fd, &opt, &err), &err);
	for (uint64_t at = 0; at < LARGE; at += 2 << 20)
		assert_ok(cr_writer_pages(w, img, 1, SAMPLE_HEAP + at,
					  (char *)noise + (at >> 10) % 4096 * 8,
					  2 << 20, false, &err),
			  &err);
	assert_ok(cr_writer_commit(w, img, &err), &err);
	cr_writer_destroy(w);
	cr_image_destroy(img);
	free(noise);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void flip(int fd, uint64_t at)
{
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
}

/* What lies together is stored together; of two faults the first is told. */
static void large_image(void **state)
{
	static const struct {
		enum cr_codec codec;
		uint64_t longest;
	} cases[] = { { CR_CODEC_NONE, 4 << 20 }, { CR_CODEC_LZ4, 1 << 20 } };

	for (size_t i = 0; i < 2; i++) {
		int fd = write_large(cases[i].codec);
		struct cr_error err = { 0 };
		struct cr_image *img;
		struct cr_reader *r;
		char place[64];

		assert_ok(cr_reader_open_fd(&r, fd, &err), &err);
		img = cr_reader_image(r);
		assert_int_equal(img->n_runs, LARGE / cases[i].longest);
		assert_int_equal(img->runs[0].codec, cases[i].codec);
		assert_int_equal(img->runs[0].len, cases[i].longest);
		assert_ok(cr_reader_verify(r, &err), &err);
		for (size_t k = 5; k < img->n_runs; k += 3)
			flip(fd, img->runs[k].offset + 5);
		snprintf(place, sizeof(place), "at %llu of the file",
			 (unsigned long long)img->runs[4].offset);
		flip(fd, img->runs[4].offset + img->runs[4].stored - 1);
		assert_int_equal(cr_reader_verify(r, &err), -EBADMSG);
		if (!strstr(err.text, place))
			fail_msg("\"%s\" is not in \"%s\"", place, err.text);
		cr_reader_destroy(r);
		close(fd);
	}
}

/* The numbers that bound what a reader allocates are the true sizes. */
static void least_sizes(void **state)
{
	struct cr_image *img = cr_image_create();
	size_t last = 0;

	static const size_t least[] = { 70, 8, 126, 117, 2528, 56, 24 };

	cr_image_add_mapped(img);
	cr_image_add_shm(img);
	cr_image_add_file(img);
	cr_image_add_mm(img);
	cr_image_add_process(img);
	cr_image_add_run(img);
	cr_image_add_setting(img);
	for (size_t i = 1; i < CR_SECTION_KINDS; i++) {
		struct cr_pack p = { .name = cr_section_kinds[i].name };

		cr_section_kinds[i].pack(&p, img);
		assert_int_equal(p.pos, 4 + least[i - 1]);
		free(p.buf);
	}
	for (int i = 0; i < 2; i++) {
		struct cr_pack p = { .name = "PROCESS" };

		cr_section_kinds[5].pack(&p, img);
		if (last)
			assert_int_equal(p.pos - last, 160 + 9 + 48);
		last = p.pos;
		cr_process_add_thread(img->procs);
		cr_process_add_fd(img->procs);
		cr_process_add_timer(img->procs);
		free(p.buf);
	}
	cr_image_destroy(img);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roundtrip_none),
		cmocka_unit_test(roundtrip_lz4),
		cmocka_unit_test(roundtrip_zstd),
		cmocka_unit_test(roundtrip_stream),
		cmocka_unit_test(large_image),
		cmocka_unit_test(least_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
