/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c - a context file appears whole or not at all */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/reader.h"
#include "sample.h"

struct dir {
	char *dir, *path; /* path: a name in it */
};

static int setup(void **state)
{
	struct dir *d = calloc(1, sizeof(*d));

	d->dir = sample_mkdtemp();
	*state = d;
	return asprintf(&d->path, "%s/context", d->dir) < 0;
}

static int teardown(void **state)
{
	struct dir *d = *state;

	sample_rmdir(d->dir);
	free(d->path);
	free(d);
	return 0;
}

/* Writes the sample; the result of the first call that fails. */
static int write_to(const char *path, int fd,
		    const struct cr_writer_options *opt, bool commit,
		    struct cr_error *err)
{
	struct cr_image *img = sample_image();
	struct cr_writer *w = NULL;
	int rc;

	memset(err, 0, sizeof(*err));
	rc = path ? cr_writer_create(&w, path, opt, err)
		  : cr_writer_create_fd(&w, fd, opt, err);
	if (!rc)
		rc = sample_pages(w, img, err);
	if (!rc && commit)
		rc = cr_writer_commit(w, img, err);
	cr_writer_destroy(w);
	cr_image_destroy(img);
	assert_int_equal(err->code, rc);
	assert_int_equal(rc != 0, err->text[0] != '\0');
	return rc;
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void assert_file(const char *path, const char *text)
{
	char buf[64] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_true(fread(buf, 1, sizeof(buf) - 1, f) > 0);
	fclose(f);
	assert_string_equal(buf, text);
}

static void assert_image(const char *path)
{
	struct cr_error err = { 0 };
	struct cr_reader *r;

	if (cr_reader_open(&r, path, &err) || cr_reader_verify(r, &err))
		fail_msg("%s", err.text);
	cr_reader_destroy(r);
}

static void abandoned(void **state)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_NONE };
	struct dir *d = *state;
	struct cr_error err;

	assert_int_equal(write_to(d->path, -1, &opt, false, &err), 0);
	assert_int_equal(sample_dir_entries(d->dir), 0);
	put_file(d->path, "old");
	assert_int_equal(write_to(d->path, -1, &opt, false, &err), 0);
	assert_int_equal(sample_dir_entries(d->dir), 1);
	assert_file(d->path, "old");
}

static void replaced(void **state)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_LZ4, .fsync = true };
	struct dir *d = *state;
	char link[200], backup[200];
	struct cr_error err;
	struct stat st;

	put_file(d->path, "old");
	assert_int_equal(write_to(d->path, -1, &opt, true, &err), 0);
	assert_image(d->path);
	assert_int_equal(stat(d->path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);

	/* The file behind a link, the link stays. */
	put_file(d->path, "older");
	snprintf(link, sizeof(link), "%s/link", d->dir);
	assert_int_equal(symlink("context", link), 0);
	snprintf(backup, sizeof(backup), "%s/backup", d->dir);
	put_file(backup, "a backup before that");
	opt.backup = backup;
	assert_int_equal(write_to(link, -1, &opt, true, &err), 0);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_image(d->path);
	assert_file(backup, "older");
	assert_int_equal(sample_dir_entries(d->dir), 3);

	opt.backup = NULL;
	opt.exclusive = true;
	assert_int_equal(write_to(d->path, -1, &opt, true, &err), -EEXIST);
	assert_int_equal(sample_dir_entries(d->dir), 3);
}

/* Somebody else was faster. */
static void exclusive_race(void **state)
{
	struct cr_writer_options opt = { .exclusive = true };
	struct cr_image *img = sample_image();
	struct cr_error err = { 0 };
	struct dir *d = *state;
	struct cr_writer *w;

	assert_int_equal(cr_writer_create(&w, d->path, &opt, &err), 0);
	put_file(d->path, "theirs");
	assert_int_equal(cr_writer_commit(w, img, &err), -EEXIST);
	assert_non_null(strstr(err.text, d->path));
	cr_writer_destroy(w);
	cr_image_destroy(img);
	assert_file(d->path, "theirs");
	assert_int_equal(sample_dir_entries(d->dir), 1);
}

static void no_such_place(void **state)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_NONE };
	struct dir *d = *state;
	struct cr_error err;
	char path[200];

	assert_int_equal(write_to(d->dir, -1, &opt, true, &err), -EISDIR);
	snprintf(path, sizeof(path), "%s/", d->dir);
	assert_int_equal(write_to(path, -1, &opt, true, &err), -EISDIR);
	snprintf(path, sizeof(path), "%s/none/context", d->dir);
	assert_int_equal(write_to(path, -1, &opt, true, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(write_to("/dev/full", -1, &opt, true, &err), -ENOSPC);
	assert_int_equal(write_to("/dev/null", -1, &opt, true, &err), 0);
	assert_int_equal(sample_dir_entries(d->dir), 0);
}

static void descriptors(void **state)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_NONE };
	struct dir *d = *state;
	struct cr_error err;
	struct stat st;
	int fd;

	put_file(d->path, "old");
	fd = open(d->path, O_RDONLY);
	assert_int_equal(write_to(NULL, fd, &opt, true, &err), -EBADF);
	close(fd);
	assert_int_equal(write_to(NULL, fd, &opt, true, &err), -EBADF);
	fd = open(d->path, O_RDWR);
	lseek(fd, 1, SEEK_SET);
	assert_int_equal(write_to(NULL, fd, &opt, true, &err), -EINVAL);
	close(fd);
	fd = open(d->path, O_WRONLY | O_APPEND);
	assert_int_equal(write_to(NULL, fd, &opt, true, &err), -EINVAL);
	close(fd);
	assert_file(d->path, "old");

	/* What was longer does not show behind the image. */
	assert_int_equal(truncate(d->path, 100 << 20), 0);
	fd = open(d->path, O_RDWR);
	assert_int_equal(write_to(NULL, fd, &opt, true, &err), 0);
	assert_image(d->path);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(write_to(NULL, fd, &opt, false, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
}

static void limits(void **state)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_NONE };
	struct rlimit old, low = { 100000, RLIM_INFINITY };
	struct dir *d = *state;
	struct cr_error err;
	int ends[2];

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(write_to(d->path, -1, &opt, true, &err), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(sample_dir_entries(d->dir), 0);

	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(write_to(NULL, ends[1], &opt, true, &err), -EPIPE);
	close(ends[1]);
}

/* What the writer knows to be wrong never gets a name. */
static void wrong_model(void **state)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_NONE };
	struct cr_image *img = sample_image();
	struct cr_error err = { 0 };
	struct dir *d = *state;
	struct cr_writer *w;

	img->procs[0].mm = 17;
	assert_int_equal(cr_writer_create(&w, d->path, &opt, &err), 0);
	assert_int_equal(cr_writer_commit(w, img, &err), -EINVAL);
	assert_non_null(strstr(err.text, "pid 100"));
	cr_writer_destroy(w);
	cr_image_destroy(img);
	assert_int_equal(sample_dir_entries(d->dir), 0);
}

/* kill -9 of the writer leaves nothing, where files without a name exist. */
static void killed(void **state)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_NONE };
	struct dir *d = *state;
	int fd = open(d->dir, O_RDWR | O_TMPFILE, 0600), status;
	pid_t pid;

	if (fd < 0)
		skip();
	close(fd);
	pid = fork();
	if (!pid) {
		struct cr_image *img = sample_image();
		struct cr_writer *w;

		if (!cr_writer_create(&w, d->path, &opt, NULL) &&
		    !sample_pages(w, img, NULL))
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(sample_dir_entries(d->dir), 0);
}

/* Exit status: 0, 77 if we may not mount, else a line number. */
#define CHECK(x)                                                               \
	do {                                                                   \
		if (!(x))                                                      \
			_exit(__LINE__ % 76 + 1);                              \
	} while (0)

/* A mount namespace of our own, by root or in a user namespace. */
static bool own_mounts(void)
{
	unsigned int uid = getuid(), gid = getgid();
	char map[32];

	if (!unshare(CLONE_NEWNS))
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	put_file("/proc/self/uid_map", map);
	put_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", gid);
	put_file("/proc/self/gid_map", map);
	return true;
}

static void in_small_filesystem(struct dir *d, bool without_proc)
{
	struct cr_writer_options opt = { .codec = CR_CODEC_NONE };
	struct cr_error err;

	if (!own_mounts())
		_exit(77);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", d->dir, "tmpfs", 0, "size=1m") ||
	    (without_proc && mount("none", "/proc", "tmpfs", 0, NULL)))
		_exit(77);
	CHECK(write_to(d->path, -1, &opt, true, &err) == -ENOSPC);
	CHECK(strstr(err.text, d->path) && strstr(err.text, "No space left"));
	CHECK(sample_dir_entries(d->dir) == 0);
	opt.codec = CR_CODEC_ZSTD;
	CHECK(!write_to(d->path, -1, &opt, true, &err));
	CHECK(sample_dir_entries(d->dir) == 1);
	assert_image(d->path);
	_exit(0);
}

static void full_disk(void **state)
{
	for (int without_proc = 0; without_proc < 2; without_proc++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			in_small_filesystem(*state, without_proc);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(status, 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(abandoned),     TEST(replaced),	TEST(exclusive_race),
		TEST(no_such_place), TEST(descriptors), TEST(limits),
		TEST(wrong_model),   TEST(killed),	TEST(full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
