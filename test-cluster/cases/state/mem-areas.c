/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem-areas.c - memory areas: flags, protections, sharing */
#include <inttypes.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "state.h"

#define PAGE 4096UL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static char *map(size_t pages, int prot, int flags)
{
	char *p = mmap(NULL, pages * PAGE, prot, flags, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void fill(char *p, size_t pages, int seed)
{
	size_t i;

	for (i = 0; i < pages; i++)
		memset(p + i * PAGE, (int)(seed + i) % 251 + 1, PAGE);
}

static bool holds(const char *p, size_t pages, int seed)
{
	size_t i, k;

	for (i = 0; i < pages; i++)
		for (k = 0; k < PAGE; k += 511)
			if ((unsigned char)p[i * PAGE + k] !=
			    (seed + i) % 251 + 1)
				return false;
	return true;
}

/* Is "flag" among the VmFlags of the area at p? */
static bool has_flag(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	uintptr_t start, end;
	char line[512];
	bool in = false, yes = false;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) == 2)
			in = (uintptr_t)p >= start && (uintptr_t)p < end;
		if (in && !strncmp(line, "VmFlags:", 8))
			yes = strstr(line + 8, flag) != NULL;
	}
	fclose(f);
	return yes;
}

STATE(madvise_flags)
{
	static const struct {
		int advice;
		const char *flag;
	} a[] = {
		{ MADV_DONTFORK, " dc" },   { MADV_WIPEONFORK, " wf" },
		{ MADV_DONTDUMP, " dd" },   { MADV_HUGEPAGE, " hg" },
		{ MADV_NOHUGEPAGE, " nh" }, { MADV_SEQUENTIAL, " sr" },
		{ MADV_RANDOM, " rr" },     { MADV_MERGEABLE, " mg" },
	};
	char *p[8];
	bool set[8];
	size_t i;

	for (i = 0; i < 8; i++) {
		/* apart, so that they are not one area */
		p[i] = map(5, PROT_READ | PROT_WRITE, ANON);
		CHECK(!munmap(p[i] + 4 * PAGE, PAGE));
		fill(p[i], 4, (int)i * 7);
		set[i] = !madvise(p[i], 4 * PAGE, a[i].advice) &&
			 has_flag(p[i], a[i].flag);
	}
	checkpoint();
	for (i = 0; i < 8; i++) {
		CHECK(holds(p[i], 4, (int)i * 7));
		CHECK(has_flag(p[i], a[i].flag) == set[i]);
	}
}

STATE(mlocked)
{
	char *p = map(8, PROT_READ | PROT_WRITE, ANON);

	fill(p, 8, 3);
	if (mlock(p + PAGE, 2 * PAGE)) { /* RLIMIT_MEMLOCK */
		checkpoint();
		return;
	}
	checkpoint();
	CHECK(holds(p, 8, 3));
	CHECK(has_flag(p + PAGE, " lo") && !has_flag(p + 4 * PAGE, " lo"));
}

/* What no one may touch keeps its content. */
STATE(prot_none)
{
	char *p = map(6, PROT_READ | PROT_WRITE, ANON);

	fill(p, 6, 9);
	CHECK(!mprotect(p, 2 * PAGE, PROT_NONE));
	CHECK(!mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ));
	CHECK(!mprotect(p + 4 * PAGE, 2 * PAGE, PROT_READ | PROT_EXEC));
	checkpoint();
	CHECK(write(-1, p, 1) == -1);
	CHECK(!has_flag(p, " rd") && !has_flag(p, " wr"));
	CHECK(has_flag(p + 2 * PAGE, " rd") && !has_flag(p + 2 * PAGE, " wr"));
	CHECK(has_flag(p + 4 * PAGE, " ex"));
	CHECK(!mprotect(p, 6 * PAGE, PROT_READ));
	CHECK(holds(p, 6, 9));
}

/* A reservation of 64 GiB with a few pages in it. */
STATE(sparse)
{
	size_t pages = 64UL << 30 >> 12;
	char *p = map(pages, PROT_NONE, ANON | MAP_NORESERVE);
	size_t at[] = { 0, 1, 1000, 77777, pages / 2, pages - 1 }, i;

	for (i = 0; i < 6; i++) {
		CHECK(!mprotect(p + at[i] * PAGE, PAGE,
				PROT_READ | PROT_WRITE));
		fill(p + at[i] * PAGE, 1, (int)i);
	}
	checkpoint();
	for (i = 0; i < 6; i++)
		CHECK(holds(p + at[i] * PAGE, 1, (int)i));
	CHECK(has_flag(p + 500 * PAGE, " nr"));
	CHECK(!mprotect(p + 500 * PAGE, PAGE, PROT_READ | PROT_WRITE));
	CHECK(p[500 * PAGE] == 0);
}

/* Thousands of areas side by side. */
STATE(many_areas)
{
	size_t n = 5000, i;
	char *p = map(n, PROT_READ | PROT_WRITE, ANON);

	for (i = 0; i < n; i++)
		p[i * PAGE] = (char)(i % 100 + 1);
	for (i = 0; i < n; i += 2)
		CHECK(!mprotect(p + i * PAGE, PAGE, PROT_READ));
	checkpoint();
	for (i = 0; i < n; i++)
		CHECK(p[i * PAGE] == (char)(i % 100 + 1));
	for (i = 1; i < n; i += 2)
		p[i * PAGE]++;
}

STATE(huge_pages)
{
	size_t len = 8UL << 20;
	char *p = map(len / PAGE, PROT_READ | PROT_WRITE, ANON);

	madvise(p, len, MADV_HUGEPAGE);
	fill(p, len / PAGE, 5);
	checkpoint();
	CHECK(holds(p, len / PAGE, 5));
}

STATE(thp_disabled)
{
	CHECK(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	checkpoint();
	CHECK(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
}

/* Shared between processes: what one writes the other sees. */
static volatile char *shared;

static void shares(void)
{
	await_checkpoint();
	CHECK(shared[0] == 1);
	shared[PAGE] = 2;
	while (shared[2 * PAGE] != 3)
		usleep(1000);
}

STATE(shared_anonymous)
{
	pid_t pid;

	shared = map(4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	shared[0] = 1;
	pid = child(shares);
	checkpoint();
	while (shared[PAGE] != 2)
		usleep(1000);
	shared[2 * PAGE] = 3;
	join(pid);
}

/* The same memory at two places, one of them read-only. */
STATE(shared_twice)
{
	char *p = map(4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	char *q;

	q = mremap(p, 0, 4 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	CHECK(!mprotect(q, 4 * PAGE, PROT_READ));
	fill(p, 4, 1);
	checkpoint();
	CHECK(holds(q, 4, 1));
	p[5] = 99;
	CHECK(q[5] == 99);
}

/* POSIX shared memory, its name gone. */
STATE(shm_unlinked)
{
	char name[64], *p;
	int fd;

	snprintf(name, sizeof(name), "/cr-state-%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, 4 * PAGE));
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	close(fd);
	shm_unlink(name);
	fill(p, 4, 40);
	checkpoint();
	CHECK(holds(p, 4, 40));
}

/* A private page of a file, changed, and its neighbours, not. */
STATE(private_file)
{
	char *p;
	int fd = open("private_file.data", O_RDWR | O_CREAT | O_TRUNC, 0666), i;
	char page[PAGE];

	for (i = 0; i < 4; i++) {
		memset(page, 'a' + i, PAGE);
		CHECK(write(fd, page, PAGE) == (ssize_t)PAGE);
	}
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	close(fd);
	p[PAGE + 7] = 'X';
	checkpoint();
	CHECK(p[0] == 'a' && p[PAGE] == 'b' && p[PAGE + 7] == 'X' &&
	      p[2 * PAGE] == 'c' && p[4 * PAGE - 1] == 'd');
}

/* The heap grows on from where it was. */
STATE(heap)
{
	char *p = sbrk(100 * PAGE), *end = sbrk(0);

	fill(p, 100, 1);
	checkpoint();
	CHECK(sbrk(0) == end && holds(p, 100, 1));
	CHECK(sbrk(10 * PAGE) == end);
	fill(end, 10, 2);
	CHECK(holds(p, 100, 1));
}

/* A stack that grows on demand. */
static int deep(int n)
{
	volatile char page[PAGE];

	page[0] = (char)n;
	return n ? deep(n - 1) + page[0] - (char)n : 0;
}

STATE(stack_grows)
{
	checkpoint();
	CHECK(deep(500) == 0);
}

STATE(growsdown)
{
	char *p = map(64, PROT_READ | PROT_WRITE, ANON);
	char *g;

	CHECK(!munmap(p, 60 * PAGE));
	g = mmap(p + 50 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		 ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	CHECK(g == p + 50 * PAGE);
	fill(g, 1, 8);
	checkpoint();
	CHECK(holds(g, 1, 8) && has_flag(g, " gd"));
	g[-5] = 1; /* a fault just below makes it grow */
}

/* Arguments and environment are where they were. */
STATE(proc_cmdline)
{
	char before[512], after[512];
	int fd = open("/proc/self/cmdline", O_RDONLY);
	ssize_t n = read(fd, before, sizeof(before));

	close(fd);
	checkpoint();
	fd = open("/proc/self/cmdline", O_RDONLY);
	CHECK(read(fd, after, sizeof(after)) == n && !memcmp(before, after, n));
	close(fd);
}

STATE(proc_exe)
{
	char before[512] = "", after[512] = "";

	CHECK(readlink("/proc/self/exe", before, 500) > 0);
	checkpoint();
	CHECK(readlink("/proc/self/exe", after, 500) > 0);
	CHECK(!strcmp(before, after));
}

STATE(proc_auxv)
{
	char before[1024], after[1024];
	int fd = open("/proc/self/auxv", O_RDONLY);
	ssize_t n = read(fd, before, sizeof(before));

	close(fd);
	checkpoint();
	fd = open("/proc/self/auxv", O_RDONLY);
	CHECK(read(fd, after, sizeof(after)) == n && !memcmp(before, after, n));
	close(fd);
}

/* Our own exe, gone: what /proc/self/exe shows could not come back. */
REFUSED(exe_removed, "its executable .* was removed")
{
	char self[512] = "", copy[] = "./exe_removed.copy", cmd[1200];
	extern char **environ;
	char *argv[] = { "state", "exe_removed", NULL };

	CHECK(readlink("/proc/self/exe", self, 500) > 0);
	if (!strstr(self, copy + 2)) {
		snprintf(cmd, sizeof(cmd), "cp %s %s", self, copy);
		CHECK(!system(cmd));
		execve(copy, argv, environ);
	}
	CHECK(!unlink(copy));
	prctl(PR_SET_NAME, "state");
	checkpoint();
}
