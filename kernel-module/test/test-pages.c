// SPDX-License-Identifier: GPL-2.0
/* test-pages.c - pages of another process to a file: which, and what is in them */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "lib.h"

#define PAGE 4096UL
#define HUGE (2UL << 20)
#define AREA (16UL << 20)
#define MAX_RUNS 8192

/* The areas, at the same addresses in the target and here. */
enum { SPARSE, HOLE, NONE, THP, ZEROS, HUGETLB, FILES, SHARED, N_AREAS };
static char *area[N_AREAS];
static size_t area_len[N_AREAS];
static bool have_hugetlb;
static pid_t target;

static void fill(char *p, unsigned long seed)
{
	unsigned long *v = (unsigned long *)p;

	for (size_t i = 0; i < PAGE / sizeof(*v); i++)
		v[i] = seed * 2654435761UL + i;
}

/* Every third page is touched, one is full of zeros. */
static bool is_touched(size_t page)
{
	return page % 3 == 1;
}

/* Alternating at first, then long ones of both kinds. */
static bool is_zeros(size_t page)
{
	return page < 1024 ? page % 2 : page % 2000 < 500;
}

static void make_areas(void)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	int fd;

	for (int i = 0; i < N_AREAS; i++)
		area_len[i] = AREA;
	area_len[HOLE] = 1UL << 40;
	for (int i = SPARSE; i <= ZEROS; i++)
		area[i] = mmap(NULL, area_len[i], PROT_READ | PROT_WRITE, anon,
			       -1, 0);
	madvise(area[SPARSE], AREA, MADV_NOHUGEPAGE);
	madvise(area[NONE], AREA, MADV_NOHUGEPAGE);
	madvise(area[HOLE], area_len[HOLE], MADV_NOHUGEPAGE);
	madvise(area[THP], AREA, MADV_HUGEPAGE);
	madvise(area[ZEROS], AREA, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < AREA / PAGE; i++) {
		if (is_touched(i)) {
			fill(area[SPARSE] + i * PAGE, i);
			fill(area[NONE] + i * PAGE, i + 1);
		}
		fill(area[THP] + i * PAGE, i + 2);
	}
	/* Some pages of zeros, some that differ from one in the last byte. */
	memset(area[ZEROS], 1, AREA);
	memset(area[ZEROS], 0, AREA);
	for (size_t i = 0; i < AREA / PAGE; i++)
		if (!is_zeros(i))
			area[ZEROS][(i + 1) * PAGE - 1] = 1;
	fill(area[HOLE], 7);
	fill(area[HOLE] + area_len[HOLE] - PAGE, 8);
	mprotect(area[NONE], AREA, PROT_NONE);
	area_len[HUGETLB] = 2 * HUGE;
	area[HUGETLB] = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	have_hugetlb = area[HUGETLB] != MAP_FAILED;
	if (have_hugetlb)
		for (size_t i = 0; i < HUGE / PAGE; i++)
			fill(area[HUGETLB] + HUGE + i * PAGE, i + 3);
	area_len[FILES] = area_len[SHARED] = 4 * PAGE;
	fd = memfd_create("file", 0);
	if (ftruncate(fd, 2 * PAGE))
		expect(false, "memfd");
	area[FILES] = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			   fd, 0);
	fill(area[FILES], 9);
	close(fd);
	area[SHARED] = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(area[SHARED] + PAGE, 10);
}

static void sleeper(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

/* Pages of the target that are present or swapped, by /proc/PID/pagemap. */
static size_t count_present(int which)
{
	static uint64_t map[AREA / PAGE];
	size_t n = 0, pages = AREA / PAGE;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", target);
	fd = open(path, O_RDONLY);
	if (pread(fd, map, sizeof(map), (uintptr_t)area[which] / PAGE * 8) !=
	    sizeof(map))
		expect(false, "%s", path);
	close(fd);
	for (size_t i = 0; i < pages; i++)
		n += map[i] >> 62 != 0;
	return n;
}

/* What is asked for besides the pages, and what came. */
struct wish {
	const char *what;
	int open_flags;
	uint32_t room; /* for runs, in each call */
	uint32_t flags;
	uint64_t max_len;
	struct cr_range_digest *digests; /* MAX_RUNS, or NULL */
};
static struct cr_range_digest digests[MAX_RUNS];

/* Asks until all is done, as a program would. */
static int get_pages(int dev, int fd, const struct cr_range *range,
		     const struct wish *w, struct cr_range *runs,
		     size_t *n_runs)
{
	struct cr_ioc_pages p = { .pid = target,
				  .fd = fd,
				  .ranges = (uintptr_t)range,
				  .n_ranges = 1,
				  .max_runs = w->room,
				  .flags = w->flags,
				  .max_len = w->max_len };
	int ret;

	*n_runs = 0;
	do {
		p.runs = (uintptr_t)(runs + *n_runs);
		if (w->digests)
			p.digests = (uintptr_t)(w->digests + *n_runs);
		ret = call(dev, CR_IOC_PAGES, &p);
		*n_runs += p.n_runs;
		if (*n_runs + w->room > MAX_RUNS)
			return -E2BIG;
	} while (!ret && !p.next_range);
	return ret;
}

/* What came must be what is in our own copy of the area. */
static void compare(int fd, const struct cr_range *runs, size_t n, int which,
		    size_t *pages)
{
	static char buf[PAGE];
	off_t at = 0;

	*pages = 0;
	for (size_t i = 0; i < n; i++)
		for (uint64_t a = runs[i].addr; a < runs[i].addr + runs[i].len;
		     a += PAGE, at += PAGE, ++*pages) {
			char *mine = (char *)(uintptr_t)a;

			if (pread(fd, buf, PAGE, at) != PAGE ||
			    mine < area[which] ||
			    mine >= area[which] + area_len[which] ||
			    memcmp(buf, mine, PAGE)) {
				expect(false, "area %d, page at 0x%lx", which,
				       (unsigned long)a);
				return;
			}
		}
	expect(lseek(fd, 0, SEEK_END) == at, "area %d: size %ld, not %ld",
	       which, (long)lseek(fd, 0, SEEK_END), (long)at);
}

/* A digest is of what lies in the file; our area has the same. */
static void check_digests(const struct wish *w, const struct cr_range *runs,
			  size_t n)
{
	XXH128_canonical_t own;

	for (size_t i = 0; i < n; i++) {
		XXH128_canonicalFromHash(
			&own, XXH3_128bits((void *)(uintptr_t)runs[i].addr,
					   runs[i].len));
		if (memcmp(&own, &w->digests[i], sizeof(own))) {
			expect(false, "%s: digest of run %zu, %lu bytes",
			       w->what, i, (unsigned long)runs[i].len);
			return;
		}
	}
}

static void check_wish(int dev, int which, size_t want, const struct wish *w)
{
	static struct cr_range runs[MAX_RUNS];
	struct cr_range range = { (uintptr_t)area[which], area_len[which] };
	int fd = open("/var/tmp/disk/pages",
		      O_RDWR | O_CREAT | O_TRUNC | w->open_flags, 0600);
	size_t n, pages;
	int ret;

	expect(fd >= 0, "%s: %s", w->what, strerror(errno));
	ret = get_pages(dev, fd, &range, w, runs, &n);
	expect(!ret, "%s: %d", w->what, ret);
	close(fd);
	fd = open("/var/tmp/disk/pages", O_RDONLY);
	if (which == NONE)
		mprotect(area[NONE], AREA, PROT_READ);
	compare(fd, runs, n, which, &pages);
	expect(pages == want, "%s: %zu pages, not %zu", w->what, pages, want);
	for (size_t i = 0; i < n && w->max_len; i++)
		expect(runs[i].len <= w->max_len, "%s: run %zu has %lu bytes",
		       w->what, i, (unsigned long)runs[i].len);
	if (w->digests)
		check_digests(w, runs, n);
	close(fd);
}

static void check_area(int dev, int which, size_t want, int flags,
		       uint32_t room, const char *what)
{
	const struct wish w = { .what = what,
				.open_flags = flags,
				.room = room };

	check_wish(dev, which, want, &w);
}

static void test_areas(void *arg)
{
	size_t touched = (AREA / PAGE + 1) / 3;
	int dev = dev_open(), ret = attach(dev, target);

	(void)arg;
	expect(!ret, "attach: %d", ret);
	check_area(dev, SPARSE, touched, 0, 4096, "every third page");
	check_area(dev, SPARSE, touched, O_DIRECT, 7,
		   "every third page, O_DIRECT, few runs at a time");
	expect(count_present(SPARSE) == touched, "pages were brought in");
	check_area(dev, HOLE, 2, 0, 16, "a terabyte with two pages");
	check_area(dev, NONE, touched, 0, 4096, "PROT_NONE");
	expect(count_present(NONE) == touched, "pages were brought in");
	check_area(dev, THP, AREA / PAGE, 0, 16, "huge pages");
	check_area(dev, THP, AREA / PAGE, O_DIRECT, 16, "huge, O_DIRECT");
	if (have_hugetlb)
		check_area(dev, HUGETLB, HUGE / PAGE, 0, 16, "hugetlb");
	else
		printf("no hugetlb pages: not tested\n");
	check_area(dev, FILES, 2, 0, 16, "a file shorter than its area");
	check_area(dev, SHARED, 4, 0, 16, "shared memory");
	close(dev);
}

/* What a context file wants: digests, short runs, no pages of zeros. */
static void test_digests(void *arg)
{
	struct wish w = { .what = "digests", .room = 16, .digests = digests };
	int dev = dev_open(), ret = attach(dev, target);
	size_t zeros = 0;

	(void)arg;
	expect(!ret, "attach: %d", ret);
	for (size_t i = 0; i < AREA / PAGE; i++)
		zeros += is_zeros(i);
	check_wish(dev, THP, AREA / PAGE, &w);
	check_wish(dev, ZEROS, AREA / PAGE, &w);
	if (have_hugetlb)
		check_wish(dev, HUGETLB, HUGE / PAGE, &w);
	w.what = "digests of single pages";
	w.room = 4096;
	check_wish(dev, SPARSE, (AREA / PAGE + 1) / 3, &w);
	w.what = "short runs";
	w.room = 5;
	w.max_len = 300 * PAGE;
	check_wish(dev, THP, AREA / PAGE, &w);
	w.what = "no zeros";
	w.flags = CR_PAGES_NO_ZEROS;
	check_wish(dev, ZEROS, AREA / PAGE - zeros, &w);
	w.open_flags = O_DIRECT;
	w.room = 700;
	w.max_len = 4UL << 20;
	check_wish(dev, ZEROS, AREA / PAGE - zeros, &w);
	if (have_hugetlb)
		check_wish(dev, HUGETLB, HUGE / PAGE, &w);
	w.digests = NULL;
	check_wish(dev, ZEROS, AREA / PAGE - zeros, &w);
	close(dev);
}

/* It writes to its pages, which are its own then and can be swapped. */
static void swapper(void *arg)
{
	int *fds = arg;

	for (size_t i = 0; i < AREA / PAGE; i++)
		if (is_touched(i))
			fill(area[SPARSE] + i * PAGE, i);
	madvise(area[SPARSE], AREA, MADV_PAGEOUT);
	if (write(fds[1], "", 1) != 1)
		_exit(98);
	for (;;)
		pause();
}

static void test_swapped(void *arg)
{
	size_t touched = (AREA / PAGE + 1) / 3;
	int dev = dev_open(), ret = attach(dev, target);

	(void)arg;
	expect(!ret, "attach: %d", ret);
	wait_swapped(target, 1000 * 1024);
	expect(count_present(SPARSE) == touched, "swapped pages");
	check_area(dev, SPARSE, touched, 0, 4096, "swapped pages");
	expect(count_present(SPARSE) == touched, "pages were brought in");
	close(dev);
}

/* The ways in which a call ends without all pages. */
static void test_ends(void *arg)
{
	struct cr_range range = { (uintptr_t)area[THP], AREA }, run;
	struct cr_ioc_pages p = { .pid = target, .ranges = (uintptr_t)&range,
				  .runs = (uintptr_t)&run, .n_ranges = 1,
				  .max_runs = 1 };
	int dev = dev_open(), ret, fds[2];

	(void)arg;
	attach(dev, target);
	p.fd = dev;
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -EINVAL, "into the device itself: %d", ret);
	p.fd = open("/dev/null", O_RDONLY);
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -EBADF, "into what is open for reading: %d", ret);
	close(p.fd);
	p.fd = open("/proc/self/oom_score_adj", O_RDWR);
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -EINVAL, "into a file of /proc: %d", ret);
	close(p.fd);
	p.fd = 999;
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -EBADF, "into nothing: %d", ret);
	p.fd = memfd_create("small", MFD_ALLOW_SEALING);
	if (ftruncate(p.fd, 8 * PAGE) ||
	    fcntl(p.fd, F_ADD_SEALS, F_SEAL_GROW))
		expect(false, "seal: %s", strerror(errno));
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -EPERM, "into a file that may not grow: %d", ret);
	close(p.fd);
	p.fd = memfd_create("pages", 0);
	range.addr++;
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -EINVAL, "not aligned: %d", ret);
	range.addr = -PAGE;
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -EINVAL, "behind the end of memory: %d", ret);
	range = (struct cr_range){ (uintptr_t)area[THP], AREA };
	p.runs = 8;
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -EFAULT, "runs to nowhere: %d", ret);
	p.runs = (uintptr_t)&run;
	p.next_range = p.next_addr = p.offset = 0;
	p.digests = 8;
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -EFAULT, "digests to nowhere: %d", ret);
	p.next_range = p.next_addr = p.offset = p.digests = 0;
	p.max_len = PAGE + 1;
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -EINVAL, "runs of no whole pages: %d", ret);
	p.max_len = 0;
	p.flags = CR_PAGES_NO_ZEROS << 1;
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -EINVAL, "an unknown flag: %d", ret);
	p.flags = 0;
	if (pipe(fds) || fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) < 0)
		expect(false, "pipe");
	range.len = 16 * PAGE;
	p.next_range = p.next_addr = p.offset = 0;
	p.fd = fds[1];
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(!ret && p.next_range == 1 && run.len == range.len,
	       "into a pipe: %d", ret);
	close(fds[0]);
	close(fds[1]);
	close(p.fd);
	kill(target, SIGKILL);
	wait_state(target, "Z");
	p.fd = memfd_create("pages", 0);
	p.next_range = p.next_addr = p.offset = 0;
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -ESRCH, "of a process that has ended: %d", ret);
	close(dev);
}

/* A file system on a disk, where O_DIRECT works, and something to swap to. */
static bool prepare(void)
{
	return !system("modprobe brd rd_nr=2 rd_size=98304 && "
		       "mkfs.ext2 -q /dev/ram0 && mkdir -p /var/tmp/disk && "
		       "modprobe ext4 && mount -t ext2 /dev/ram0 /var/tmp/disk && "
		       "chmod 777 /var/tmp/disk && mkswap -q /dev/ram1 && "
		       "swapon /dev/ram1");
}

int main(void)
{
	int fds[2];
	char c;

	if (!prepare()) {
		printf("no disk to write to\n");
		return 1;
	}
	write_text("/proc/sys/vm/nr_hugepages", "4");
	write_text("/sys/kernel/mm/transparent_hugepage/enabled", "always");
	make_areas();
	target = start_as(USER, sleeper, NULL);
	wait_state(target, "S");
	run_as(USER, test_areas, NULL);
	run_as(USER, test_digests, NULL);
	run_as(USER, test_ends, NULL);
	waitpid(target, NULL, 0);
	if (pipe(fds))
		return 99;
	target = start_as(USER, swapper, fds);
	if (read(fds[0], &c, 1) != 1)
		return 99;
	run_as(USER, test_swapped, NULL);
	finish(target);
	return test_end();
}
