/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-objects.c - each kind of open thing, saved and brought back */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "objects/object.h"
#include "objects/test/restorer.h"

static struct cr_object_tree *tree;
static char dir[] = "/tmp/test-objects-XXXXXX";

static int setup(void **state)
{
	return mkdtemp(dir) && !chdir(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return chdir("/") || rmdir(dir);
}

static struct cr_object_source *look(int fd)
{
	struct cr_object_source *src = malloc(sizeof(*src));
	struct cr_error err = { 0 };

	if (cr_object_source_read(src, getpid(), getpid(), fd, &err))
		fail_msg("%s", err.text);
	src->tree = tree;
	return src;
}

static void know(int fd)
{
	struct cr_object_source *src = look(fd);

	assert_int_equal(cr_object_tree_add(tree, src), 0);
	free(src);
}

/* Saves our own descriptor. */
static struct cr_file save(int fd, enum cr_object_kind kind)
{
	struct cr_object_source *src = look(fd);
	const struct cr_object_ops *ops;
	struct cr_error err = { 0 };
	struct cr_file f = { 0 };

	ops = cr_object_find(src, &err);
	if (!ops || (ops->check && ops->check(src, &err)))
		fail_msg("%s", err.text);
	assert_int_equal(ops->kind, kind);
	f.kind = ops->kind;
	f.flags = cr_object_flags(src) & ~(uint32_t)O_CLOEXEC;
	f.offset = cr_object_offset(src);
	if (ops->capture(src, &f, &err) ||
	    (ops->descriptor && ops->descriptor(src, &f, &err)))
		fail_msg("%s", err.text);
	free(src);
	return f;
}

static int bring_back(const struct cr_file *f)
{
	struct cr_error err = { 0 };
	int fd = cr_object_ops_of(f->kind)->restore(NULL, f, &err);

	if (fd < 0)
		fail_msg("%s", err.text);
	return fd;
}

static void refused_back(const struct cr_file *f, const char *text)
{
	struct cr_error err = { 0 };
	int fd = cr_object_ops_of(f->kind)->restore(NULL, f, &err);

	assert_true(fd < 0);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" instead of \"%s\"", err.text, text);
}

static void drop(struct cr_file *f)
{
	free(f->id.path);
	free(f->data.data);
	free(f->extra.data);
}

static void refused(int fd, const char *text)
{
	struct cr_object_source *src = look(fd);
	const struct cr_object_ops *ops;
	struct cr_error err = { 0 };

	ops = cr_object_find(src, &err);
	if (ops && ops->check)
		ops->check(src, &err);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" instead of \"%s\"", err.text, text);
	free(src);
}

static int tree_setup(void **state)
{
	tree = cr_object_tree_create();
	return tree ? 0 : -1;
}

static int tree_teardown(void **state)
{
	cr_object_tree_destroy(tree);
	restorer_forget();
	return 0;
}

static void test_regular(void **state)
{
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600), back;
	struct cr_file f;

	assert_int_equal(write(fd, "0123456789", 10), 10);
	lseek(fd, 4, SEEK_SET);
	f = save(fd, CR_OBJ_REGULAR);
	close(fd);
	assert_int_equal(f.id.size, 10);
	back = bring_back(&f);
	assert_int_equal(lseek(back, 0, SEEK_CUR), 4);
	assert_int_equal(fcntl(back, F_GETFL) & O_ACCMODE, O_RDWR);
	close(back);
	assert_int_equal(truncate("file", 9), 0);
	refused_back(&f, "shorter than at the checkpoint");
	unlink("file");
	refused_back(&f, "No such file");
	drop(&f);
}

static void start(const struct cr_file *f, int fd)
{
	struct cr_error err = { 0 };

	if (cr_object_ops_of(CR_OBJ_REGULAR)->start(NULL, f, fd, &err))
		fail_msg("%s", err.text);
}

/*
 * What was added since must be neither lost nor there twice, and stays where
 * it is as long as the restart may fail.
 */
static void test_grown(void **state)
{
	int fd = open("file", O_WRONLY | O_CREAT | O_TRUNC, 0600), back;
	char name[64] = "", buf[16] = "";
	struct cr_file f;
	FILE *ls;

	assert_int_equal(write(fd, "before", 6), 6);
	f = save(fd, CR_OBJ_REGULAR);
	assert_int_equal(write(fd, "after", 5), 5);
	close(fd);
	back = bring_back(&f);
	assert_int_equal(lseek(back, 0, SEEK_END), 11);
	restorer_is_image = true;
	start(&f, back);
	assert_int_equal(lseek(back, 0, SEEK_END), 11);
	restorer_is_image = false;
	start(&f, back);
	assert_int_equal(lseek(back, 0, SEEK_END), 6);
	close(back);
	ls = popen("ls file.after-checkpoint-*", "re");
	assert_non_null(fgets(name, sizeof(name), ls));
	pclose(ls);
	name[strcspn(name, "\n")] = 0;
	fd = open(name, O_RDONLY);
	assert_int_equal(read(fd, buf, sizeof(buf)), 5);
	assert_string_equal(buf, "after");
	close(fd);
	unlink(name);
	unlink("file");
	drop(&f);
}

static void test_append(void **state)
{
	int fd = open("file", O_WRONLY | O_CREAT | O_APPEND, 0600), back;
	struct cr_file f;

	assert_int_equal(write(fd, "before", 6), 6);
	f = save(fd, CR_OBJ_REGULAR);
	assert_int_equal(write(fd, "after", 5), 5);
	close(fd);
	back = bring_back(&f);
	assert_true(fcntl(back, F_GETFL) & O_APPEND);
	assert_int_equal(lseek(back, 0, SEEK_END), 11);
	close(back);
	unlink("file");
	drop(&f);
}

static void test_unnamed(void **state)
{
	int fd = open("gone", O_RDWR | O_CREAT, 0640), ro, b1, b2;
	struct cr_file f, g;
	char buf[8] = "";

	ro = open("gone", O_RDONLY);
	unlink("gone");
	assert_int_equal(write(fd, "content", 7), 7);
	f = save(fd, CR_OBJ_REGULAR);
	g = save(ro, CR_OBJ_REGULAR);
	close(fd);
	close(ro);
	assert_true(f.id.deleted);
	b2 = bring_back(&g);
	b1 = bring_back(&f);
	assert_int_equal(read(b2, buf, 7), 7);
	assert_string_equal(buf, "content");
	/* it is one file, and has no name */
	assert_int_equal(pwrite(b1, "X", 1, 0), 1);
	assert_int_equal(pread(b2, buf, 7, 0), 7);
	assert_string_equal(buf, "Xontent");
	assert_int_equal(lseek(b1, 0, SEEK_CUR), 7);
	close(b1);
	close(b2);
	drop(&f);
	drop(&g);
}

static void test_flock(void **state)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600), back, other;
	struct cr_file f;

	assert_int_equal(flock(fd, LOCK_EX), 0);
	f = save(fd, CR_OBJ_REGULAR);
	close(fd);
	back = bring_back(&f);
	other = open("file", O_RDWR);
	assert_int_equal(flock(other, LOCK_SH | LOCK_NB), -1);
	close(back);
	assert_int_equal(flock(other, LOCK_SH | LOCK_NB), 0);
	refused_back(&f, "lock cannot be taken");
	close(other);
	unlink("file");
	drop(&f);
}

static void test_directory(void **state)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY), back;
	struct stat a, b;
	struct cr_file f = save(fd, CR_OBJ_DIRECTORY);

	back = bring_back(&f);
	fstat(fd, &a);
	fstat(back, &b);
	assert_int_equal(a.st_ino, b.st_ino);
	close(fd);
	close(back);
	drop(&f);
}

static void test_device(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_NONBLOCK), back;
	struct cr_file f = save(fd, CR_OBJ_DEVICE);

	back = bring_back(&f);
	assert_int_equal(write(back, "x", 1), -1);
	assert_int_equal(errno, ENOSPC);
	assert_true(fcntl(back, F_GETFL) & O_NONBLOCK);
	close(back);
	free(f.id.path);
	f.id.path = strdup("/dev/null");
	refused_back(&f, "is not the device");
	close(fd);
	drop(&f);
}

static void test_pipe(void **state)
{
	char big[20000], buf[20000];
	struct cr_file r, w;
	int p[2], b[2], n = 0;

	memset(big, 'p', sizeof(big));
	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
	assert_int_equal(write(p[1], big, sizeof(big)), sizeof(big));
	know(p[0]);
	know(p[1]);
	r = save(p[0], CR_OBJ_PIPE);
	w = save(p[1], CR_OBJ_PIPE);
	assert_int_equal(r.object_id, w.object_id);
	/* it is all still there */
	assert_int_equal(ioctl(p[0], FIONREAD, &n), 0);
	assert_int_equal(n, sizeof(big));
	assert_int_equal(read(p[0], buf, sizeof(buf)), sizeof(big));
	b[1] = bring_back(&w);
	b[0] = bring_back(&r);
	assert_int_equal(fcntl(b[0], F_GETPIPE_SZ), 1 << 20);
	assert_true(fcntl(b[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(read(b[0], buf, sizeof(buf)), sizeof(big));
	assert_memory_equal(buf, big, sizeof(big));
	assert_int_equal(write(b[1], "more", 4), 4);
	assert_int_equal(read(b[0], buf, 4), 4);
	restorer_forget();
	close(b[1]);
	assert_int_equal(read(b[0], buf, 4), 0); /* the end is seen */
	close(b[0]);
	close(p[0]);
	close(p[1]);
	drop(&r);
	drop(&w);
}

static void test_pipe_without_writer(void **state)
{
	int p[2], back;
	struct cr_file r;
	char buf[8];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "rest", 4), 4);
	close(p[1]);
	know(p[0]);
	r = save(p[0], CR_OBJ_PIPE);
	close(p[0]);
	back = bring_back(&r);
	restorer_forget();
	assert_int_equal(read(back, buf, 8), 4);
	assert_int_equal(read(back, buf, 8), 0);
	close(back);
	drop(&r);
}

static void test_stdio(void **state)
{
	int p[2], saved = dup(2), copy, back;
	struct cr_file f;

	assert_int_equal(pipe(p), 0);
	dup2(p[1], 2);
	close(p[1]);
	know(2); /* the reader is not in the tree */
	copy = dup(2);
	know(copy);
	f = save(copy, CR_OBJ_STDIO);
	assert_int_equal(f.stdio_fd, 2);
	dup2(saved, 2);
	close(copy);
	restorer_stdio[2] = p[0];
	back = bring_back(&f);
	assert_true(back > 2 && back != p[0]);
	restorer_stdio[2] = -1;
	refused_back(&f, "does not have");
	close(back);
	close(p[0]);
	close(saved);
	drop(&f);
}

static void test_refused(void **state)
{
	int s = socket(AF_NETLINK, SOCK_RAW, 0), p[2];

	know(s);
	refused(s, "is a socket");
	assert_int_equal(pipe(p), 0);
	know(p[1]); /* its reader lives elsewhere */
	refused(p[1], "leads out of the processes");
	close(s);
	close(p[0]);
	close(p[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_regular),
		TEST(test_grown),
		TEST(test_append),
		TEST(test_unnamed),
		TEST(test_flock),
		TEST(test_directory),
		TEST(test_device),
		TEST(test_pipe),
		TEST(test_pipe_without_writer),
		TEST(test_stdio),
		TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
