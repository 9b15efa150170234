/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lent.c - pages that somebody else writes, and pages past the page cache */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/codec.h"
#include "image/reader.h"
#include "sample.h"

#define PAGE 4096
#define PAGES 100
#define MORE (SAMPLE_HEAP + 2 * PAGES * PAGE)

static uint8_t *make_pages(uint64_t addr)
{
	uint8_t *p = aligned_alloc(PAGE, PAGES * PAGE);

	for (size_t i = 0; i < PAGES * PAGE; i++)
		p[i] = sample_byte(0, addr + i) | 1; /* no page of zeros */
	return p;
}

/* Two runs in two places, as whoever has the descriptor would. */
static int write_lent(struct cr_writer *w, struct cr_image *img,
		      const uint8_t *pages, int status, struct cr_error *err)
{
	struct cr_written_run runs[2] = {
		{ .addr = SAMPLE_HEAP, .len = 30 * PAGE },
		{ .addr = MORE, .len = 70 * PAGE },
	};
	uint64_t offset, max_len;
	int fd, rc;

	rc = cr_writer_lend(w, img, &fd, &offset, &max_len, err);
	if (rc)
		return rc;
	assert_int_equal(offset % PAGE, 0);
	assert_true(max_len >= 70 * PAGE);
	cr_digest(runs[0].digest, pages, runs[0].len);
	cr_digest(runs[1].digest, pages + 30 * PAGE, runs[1].len);
	assert_int_equal(pwrite(fd, pages, PAGES * PAGE, (off_t)offset),
			 PAGES * PAGE);
	return cr_writer_give_back(w, img, 0, runs, status ? 0 : 2, status,
				   err);
}

static int write_own(struct cr_writer *w, struct cr_image *img,
		     const uint8_t *pages, struct cr_error *err)
{
	int rc = cr_writer_pages(w, img, 0, SAMPLE_HEAP, pages, 30 * PAGE,
				 false, err);

	return rc ? rc
		  : cr_writer_pages(w, img, 0, MORE, pages + 30 * PAGE,
				    70 * PAGE, false, err);
}

/* Own pages around those that are lent or not. */
static int write_image(int fd, const struct cr_writer_options *opt, bool lent,
		       uint8_t digest[16], struct cr_error *err)
{
	struct cr_image *img = sample_image();
	uint8_t *pages = make_pages(SAMPLE_HEAP);
	struct cr_writer *w = NULL;
	int rc;

	memset(err, 0, sizeof(*err));
	rc = cr_writer_create_fd(&w, fd, opt, err);
	if (!rc)
		rc = cr_writer_pages(w, img, 2, 0, pages, PAGE, false, err);
	if (!rc)
		rc = lent ? write_lent(w, img, pages, 0, err)
			  : write_own(w, img, pages, err);
	if (!rc)
		rc = cr_writer_pages(w, img, 2, 2 * PAGE, pages, 2 * PAGE,
				     false, err);
	if (!rc)
		rc = cr_writer_commit(w, img, err);
	if (!rc)
		memcpy(digest, cr_writer_digest(w), 16);
	cr_writer_destroy(w);
	cr_image_destroy(img);
	free(pages);
	return rc;
}

static void assert_image(int fd)
{
	struct cr_error err = { 0 };
	uint8_t *pages = make_pages(SAMPLE_HEAP), *got = malloc(PAGES * PAGE);
	struct cr_reader *r;

	lseek(fd, 0, SEEK_SET);
	if (cr_reader_open_fd(&r, fd, &err) || cr_reader_verify(r, &err))
		fail_msg("%s", err.text);
	assert_int_equal(cr_reader_memory(r, 0, SAMPLE_HEAP, got, 30 * PAGE,
					  &err),
			 0);
	assert_int_equal(cr_reader_memory(r, 0, MORE, got + 30 * PAGE,
					  70 * PAGE, &err),
			 0);
	assert_memory_equal(got, pages, PAGES * PAGE);
	cr_reader_destroy(r);
	free(pages);
	free(got);
}

static int new_file(int flags)
{
	char name[] = "lent.XXXXXX";
	int fd = mkostemp(name, flags);

	assert_true(fd >= 0);
	unlink(name);
	return fd;
}

/* It makes no difference who wrote them. */
static void same_image(void **state)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_NONE,
					 .fsync = true };
	uint8_t own[16], lent[16];
	struct cr_error err;
	int fd = new_file(0);

	assert_int_equal(write_image(fd, &opt, false, own, &err), 0);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(write_image(fd, &opt, true, lent, &err), 0);
	assert_memory_equal(own, lent, 16);
	assert_image(fd);
	close(fd);
}

static void past_the_cache(void **state)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_NONE,
					 .direct = true };
	uint8_t cached[16], direct[16];
	struct cr_error err;
	int fd = new_file(0), fds[2];
	int rc = write_image(fd, &opt, false, direct, &err);

	if (rc == -EINVAL && strstr(err.text, "past the page cache"))
		skip(); /* this file system cannot */
	assert_int_equal(rc, 0);
	assert_image(fd);
	opt.direct = false;
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(write_image(fd, &opt, false, cached, &err), 0);
	assert_memory_equal(cached, direct, 16);
	opt.direct = true;
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(write_image(fd, &opt, true, direct, &err), 0);
	assert_memory_equal(cached, direct, 16);
	assert_image(fd);
	close(fd);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write_image(fds[1], &opt, false, direct, &err),
			 -EINVAL);
	close(fds[0]);
	close(fds[1]);
}

/* A stream, a codec, and what can only be appended to. */
static void not_lent(void **state)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_LZ4 };
	uint8_t digest[16];
	struct cr_error err;
	int fd = new_file(0), fds[2];

	assert_int_equal(write_image(fd, &opt, true, digest, &err), -ENOTSUP);
	assert_int_equal(err.code, 0);
	close(fd);
	opt.codec = CR_CODEC_NONE;
	fd = new_file(O_APPEND);
	assert_int_equal(write_image(fd, &opt, true, digest, &err), -ENOTSUP);
	close(fd);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write_image(fds[1], &opt, true, digest, &err),
			 -ENOTSUP);
	close(fds[0]);
	close(fds[1]);
}

/* What could not be written is not in the image, and nothing after it. */
static void failed(void **state)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_NONE };
	struct cr_image *img = sample_image();
	uint8_t *pages = make_pages(SAMPLE_HEAP);
	struct cr_error err = { 0 };
	struct cr_writer *w;
	int fd = new_file(0);
	sigset_t after;

	assert_int_equal(cr_writer_create_fd(&w, fd, &opt, &err), 0);
	assert_int_equal(write_lent(w, img, pages, -ENOSPC, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "No space left"));
	sigprocmask(SIG_BLOCK, NULL, &after);
	assert_false(sigismember(&after, SIGXFSZ));
	assert_false(sigismember(&after, SIGPIPE));
	assert_int_equal(cr_writer_commit(w, img, &err), -ENOSPC);
	cr_writer_destroy(w);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	cr_image_destroy(img);
	free(pages);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_image),
		cmocka_unit_test(past_the_cache),
		cmocka_unit_test(not_lent),
		cmocka_unit_test(failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
