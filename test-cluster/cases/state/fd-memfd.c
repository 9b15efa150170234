/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-memfd.c - memory files */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "state.h"

#define MIB (1 << 20)

static int64_t size_of(int fd)
{
	struct stat st;

	CHECK(!fstat(fd, &st));
	return st.st_size;
}

/* Content, odd size, position, name. */
STATE(memfd_content)
{
	int fd = memfd_create("some name", MFD_CLOEXEC);
	char buf[32] = { 0 }, link[64];

	CHECK(write(fd, "0123456789", 10) == 10);
	CHECK(!ftruncate(fd, 5000) && lseek(fd, 4, SEEK_SET) == 4);
	checkpoint();
	CHECK(size_of(fd) == 5000);
	CHECK(read(fd, buf, 6) == 6 && !strcmp(buf, "456789"));
	CHECK(pread(fd, buf, 1, 4999) == 1 && !buf[0]);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK(readlink(link, buf, sizeof(buf) - 1) > 0);
	CHECK(!strncmp(buf, "/memfd:some name", 16));
}

STATE(memfd_empty)
{
	int fd = memfd_create("e", 0);

	checkpoint();
	CHECK(size_of(fd) == 0 && write(fd, "x", 1) == 1 && size_of(fd) == 1);
}

/* What is written to the file is seen in the memory, and the reverse. */
STATE(memfd_mapped)
{
	int fd = memfd_create("m", 0);
	char *p, c;

	CHECK(!ftruncate(fd, MIB));
	p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	p[5] = 'a';
	p[MIB - 1] = 'z';
	checkpoint();
	CHECK(p[5] == 'a' && p[MIB - 1] == 'z' && !p[4096]);
	CHECK(pread(fd, &c, 1, 5) == 1 && c == 'a');
	CHECK(pwrite(fd, "w", 1, 70000) == 1 && p[70000] == 'w');
	p[90000] = 'q';
	CHECK(pread(fd, &c, 1, 90000) == 1 && c == 'q');
	CHECK(size_of(fd) == MIB);
	p[90000] = p[70000] = 0;
}

/* Two mappings of parts, in two processes. */
static char *part;

static void mapped_child(void)
{
	await_checkpoint();
	CHECK(part[0] == 's');
	part[1] = 'c';
}

STATE(memfd_mapped_twice)
{
	int fd = memfd_create("m", 0);
	char *p;
	pid_t pid;

	CHECK(!ftruncate(fd, 3 * 4096));
	p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	part = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
	p[4096] = 's';
	pid = child(mapped_child);
	checkpoint();
	join(pid);
	CHECK(p[4097] == 'c' && part[1] == 'c');
}

/* All seals, with what they forbid. */
STATE(memfd_sealed)
{
	int fd = memfd_create("s", MFD_ALLOW_SEALING);
	int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	char *p, buf[4] = { 0 };

	CHECK(write(fd, "abc", 3) == 3);
	CHECK(!fcntl(fd, F_ADD_SEALS, seals));
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	checkpoint();
	CHECK(fcntl(fd, F_GET_SEALS) == seals);
	CHECK(pread(fd, buf, 3, 0) == 3 && !strcmp(buf, "abc"));
	CHECK(write(fd, "x", 1) == -1 && errno == EPERM);
	CHECK(ftruncate(fd, 10) == -1 && errno == EPERM);
	CHECK(!memcmp(p, "abc", 3));
}

/* Only future writes are sealed: the mapping that there is stays. */
STATE(memfd_sealed_future)
{
	int fd = memfd_create("s", MFD_ALLOW_SEALING);
	char *p;

	CHECK(!ftruncate(fd, 4096));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p[0] = '1';
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	checkpoint();
	CHECK(p[0] == '1');
	p[1] = '2';
	CHECK(write(fd, "x", 1) == -1 && errno == EPERM);
	CHECK(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_FUTURE_WRITE);
	p[1] = 0;
}

/* Given to somebody who may only read it: mprotect(2) cannot change that. */
STATE(memfd_mapped_for_reading)
{
	int fd = memfd_create("r", MFD_ALLOW_SEALING), own;
	const int both = PROT_READ | PROT_WRITE;
	char path[32], *rw, *ro, *sealed;

	CHECK(!ftruncate(fd, 4096));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_RDONLY);
	rw = mmap(NULL, 4096, both, MAP_SHARED, fd, 0);
	ro = mmap(NULL, 4096, PROT_READ, MAP_SHARED, own, 0);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	sealed = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(rw != MAP_FAILED && ro != MAP_FAILED && sealed != MAP_FAILED);
	checkpoint();
	CHECK(mprotect(ro, 4096, both) == -1 && errno == EACCES);
	CHECK(mprotect(sealed, 4096, both) == -1 && errno == EACCES);
	CHECK(!mprotect(rw, 4096, PROT_READ) && !mprotect(rw, 4096, both));
	rw[7] = 7;
	CHECK(ro[7] == 7 && sealed[7] == 7);
}

/* One that cannot be sealed, and its mode. */
STATE(memfd_unsealable)
{
	int fd = memfd_create("u", 0);
	struct stat st;

	CHECK(!fchmod(fd, 0640));
	checkpoint();
	CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_SEAL);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == -1 && errno == EPERM);
	CHECK(!fstat(fd, &st) && (st.st_mode & 0777) == 0640);
}

/* Opened again for reading: a description of its own. */
STATE(memfd_reopened)
{
	int fd = memfd_create("r", 0), ro;
	char path[32], buf[4] = { 0 };

	CHECK(write(fd, "xyz", 3) == 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY);
	CHECK(ro >= 0 && read(ro, buf, 1) == 1);
	checkpoint();
	CHECK(!same_description(fd, ro));
	CHECK(write(ro, "x", 1) == -1 && errno == EBADF);
	CHECK(read(ro, buf, 3) == 2 && !memcmp(buf, "yz", 2));
	CHECK(pwrite(fd, "Z", 1, 2) == 1 && pread(ro, buf, 1, 2) == 1);
	CHECK(buf[0] == 'Z' && pwrite(fd, "z", 1, 2) == 1);
}

/* Large and with holes: only what is there is stored. */
STATE(memfd_sparse)
{
	int fd = memfd_create("h", 0);
	const off_t far = 20LL << 30;
	struct stat st;
	char c = 0;

	CHECK(!ftruncate(fd, 64LL << 30) && pwrite(fd, "!", 1, far) == 1);
	checkpoint();
	CHECK(size_of(fd) == 64LL << 30);
	CHECK(pread(fd, &c, 1, far) == 1 && c == '!');
	CHECK(!fstat(fd, &st) && st.st_blocks < 10000);
}

/* Of huge pages, without one: 0607 has some. */
STATE(memfd_huge)
{
	int fd = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
	struct statfs before, fs;

	CHECK(fd >= 0 && !fstatfs(fd, &before));
	checkpoint();
	CHECK(!fstatfs(fd, &fs) && fs.f_type == before.f_type);
	CHECK(fs.f_bsize == before.f_bsize && size_of(fd) == 0);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
}
