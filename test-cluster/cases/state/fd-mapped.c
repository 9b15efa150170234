/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-mapped.c - regular files that are memory, too */
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "state.h"

/* A file without a name that is memory of two processes: all see the same. */
static char *unnamed;

static void unnamed_child(void)
{
	await_checkpoint();
	CHECK(unnamed[0] == 's');
	unnamed[1] = 'c';
}

STATE(file_deleted_mapped)
{
	int fd = new_file("f", O_RDWR), own = open("f", O_RDONLY);
	struct stat st;
	pid_t pid;
	char c;

	CHECK(fd >= 0 && own >= 0 && !ftruncate(fd, 300001));
	unnamed = mmap(NULL, 300001, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(unnamed != MAP_FAILED && !unlink("f"));
	unnamed[0] = 's';
	CHECK(pwrite(fd, "y", 1, 300000) == 1);
	CHECK(lseek(own, 7, SEEK_SET) == 7);
	pid = child(unnamed_child);
	checkpoint();
	join(pid);
	CHECK(unnamed[1] == 'c' && unnamed[300000] == 'y' && !unnamed[4096]);
	CHECK(pwrite(fd, "w", 1, 70000) == 1 && unnamed[70000] == 'w');
	unnamed[90000] = 'q';
	CHECK(pread(own, &c, 1, 90000) == 1 && c == 'q');
	CHECK(lseek(own, 0, SEEK_CUR) == 7 && !same_description(fd, own));
	CHECK(!fstat(own, &st) && st.st_size == 300001 && !st.st_nlink);
	CHECK(pwrite(own, "x", 1, 0) == -1 && errno == EBADF);
}

/*
 * Mapped shared by descriptors for reading: it cannot be made writable, what
 * else is mapped of it can.  Of a file with a name, and of one without.
 */
STATE(file_mapped_for_reading)
{
	static const char *const names[] = { "named", "gone" };
	const int both = PROT_READ | PROT_WRITE;
	char *ro[2], *rw[2], *off[2];

	for (int i = 0; i < 2; i++) {
		int fd = new_file(names[i], O_RDWR), own;

		CHECK(!ftruncate(fd, 8192));
		own = open(names[i], O_RDONLY);
		ro[i] = mmap(NULL, 8192, PROT_READ, MAP_SHARED, own, 0);
		off[i] = mmap(NULL, 4096, PROT_NONE, MAP_SHARED, own, 4096);
		rw[i] = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
		CHECK(ro[i] != MAP_FAILED && rw[i] != MAP_FAILED);
		CHECK(off[i] != MAP_FAILED && !close(own) && !close(fd));
		CHECK(!mprotect(rw[i], 8192, both));
		rw[i][0] = 'a';
		rw[i][4096] = 'b';
		CHECK(!mprotect(rw[i], 4096, PROT_READ));
	}
	CHECK(!unlink("gone"));
	checkpoint();
	for (int i = 0; i < 2; i++) {
		CHECK(ro[i][0] == 'a' && ro[i][4096] == 'b');
		CHECK(mprotect(ro[i], 8192, both) == -1 && errno == EACCES);
		CHECK(mprotect(off[i], 4096, both) == -1 && errno == EACCES);
		CHECK(!mprotect(off[i], 4096, PROT_READ) && *off[i] == 'b');
		CHECK(!mprotect(rw[i], 8192, both));
		rw[i][0] = 'c';
		CHECK(ro[i][0] == 'c');
		rw[i][0] = 'a';
	}
}

/* A program writes code there and calls it. */
STATE(file_shared_code)
{
	int fd = new_file("code", O_RDWR);
	char *p, *q;

	CHECK(!ftruncate(fd, 8192));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && q != MAP_FAILED && !close(fd));
	p[0] = (char)0xc3; /* ret */
	checkpoint();
	((void (*)(void))q)();
	p[1] = 'x';
	CHECK(q[1] == 'x');
}

/* Mapped shared only, not open: it is still the file. */
STATE(file_called_deleted_mapped)
{
	int fd = new_file("m (deleted)", O_RDWR);
	char *p, *q, c;

	CHECK(!ftruncate(fd, 4096));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && !close(fd));
	/* and one that really is, beside a file of that name */
	fd = new_file("n", O_RDWR);
	CHECK(!ftruncate(fd, 4096));
	q = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(q != MAP_FAILED && !close(fd) && !unlink("n"));
	CHECK(!close(new_file("n (deleted)", O_RDWR)));
	q[0] = 'q';
	checkpoint();
	p[0]++;
	fd = open("m (deleted)", O_RDONLY);
	CHECK(read(fd, &c, 1) == 1 && c == p[0]);
	CHECK(q[0] == 'q');
	fd = open("n (deleted)", O_RDONLY);
	CHECK(read(fd, &c, 1) == 0);
}

/* Mapped shared and only read: as a library, it must be the same. */
FAILS(file_shared_changed, "mapped file .*digest of the content was")
{
	int fd = new_file("table", O_RDWR), out;
	char *p;

	CHECK(write(fd, "content", 7) == 7 && !close(fd));
	fd = open("table", O_RDONLY);
	p = mmap(NULL, 7, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && !close(fd));
	checkpoint();
	CHECK(!memcmp(p, "content", 7));
	out = open("table", O_WRONLY);
	CHECK(out >= 0 && write(out, "CONTENT", 7) == 7);
}

/* The program's own data, which it reads there and writes otherwise. */
STATE(file_shared_written)
{
	int fd = new_file("table", O_RDWR);
	char *p;

	CHECK(write(fd, "content", 7) == 7);
	p = mmap(NULL, 7, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	checkpoint();
	CHECK(pwrite(fd, "C", 1, 0) == 1 && !memcmp(p, "Content", 7));
}

REFUSED(file_deleted_mapped_locked, "is mapped and locked")
{
	int fd = new_file("f", O_RDWR);

	CHECK(fd >= 0 && !ftruncate(fd, 10) && !flock(fd, LOCK_EX));
	CHECK(mmap(NULL, 10, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	CHECK(!unlink("f"));
	checkpoint();
}

REFUSED(file_deleted_mapped_empty, "is mapped and empty")
{
	int fd = new_file("f", O_RDWR);

	CHECK(fd >= 0);
	CHECK(mmap(NULL, 10, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	CHECK(!unlink("f"));
	checkpoint();
}
