/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pages.c - which pages of an area hold something of their own */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "capture/internal.h"
#include "capture/smaps.h"

#define PAGE 4096u

/* linux/fs.h of 6.7; headers of the distribution may be older. */
struct scan_region {
	uint64_t start, end, categories;
};
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages,
		category_inverted, category_mask, category_anyof_mask,
		return_mask;
};
#define SCAN_IOCTL _IOWR('f', 16, struct scan_arg)
#define IS_FILE (1ULL << 2)
#define IS_PRESENT (1ULL << 3)
#define IS_SWAPPED (1ULL << 4)
#define IS_GUARD (1ULL << 8) /* since 6.15; without content */
#define GUARD_BIT 58	     /* of /proc/PID/pagemap */
#define REGIONS 512
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

static int scan_ioctl(int fd, uint64_t start, uint64_t end, bool guards,
		      enum cap_which which, cap_run_fn fn, void *arg,
		      struct cr_error *err)
{
	struct scan_region *r = malloc(REGIONS * sizeof(*r));
	struct scan_arg a = {
		.size = sizeof(a),
		.vec = (uintptr_t)r,
		.vec_len = REGIONS,
		.category_anyof_mask = IS_PRESENT | IS_SWAPPED,
		.return_mask = IS_PRESENT | IS_SWAPPED,
	};
	long n, i;
	int ret = 0;

	if (!r)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (which == CAP_PAGES_OWN) /* not those of the file */
		a.category_mask = IS_FILE;
	if (guards)
		a.category_mask |= IS_GUARD;
	a.category_inverted = a.category_mask;
	while (start < end && !ret) {
		a.start = start;
		a.end = end;
		n = ioctl(fd, SCAN_IOCTL, &a);
		if (n < 0) {
			ret = -errno;
			break;
		}
		for (i = 0; i < n && !ret; i++)
			ret = fn(arg, r[i].start, r[i].end - r[i].start, err);
		start = a.walk_end;
	}
	free(r);
	return ret;
}

/* One number per page; bits: Documentation/admin-guide/mm/pagemap.rst */
static int scan_pagemap(int fd, uint64_t start, uint64_t end,
			enum cap_which which, cap_run_fn fn, void *arg,
			struct cr_error *err)
{
	uint64_t map[8192], from = 0, at = start;
	ssize_t n, i;
	bool in = false, take;
	int ret = 0;

	while (at < end && !ret) {
		size_t want = (end - at) / PAGE;

		if (want > sizeof(map) / sizeof(map[0]))
			want = sizeof(map) / sizeof(map[0]);
		n = pread(fd, map, want * 8, (off_t)(at / PAGE * 8));
		if (n <= 0)
			return cr_error_set(err, n ? -errno : -EIO,
					    "pagemap: %s",
					    n ? strerror(errno) : "short");
		for (i = 0; i < n / 8 && !ret; i++, at += PAGE) {
			take = map[i] >> 62 != 0; /* present or swapped */
			if (which == CAP_PAGES_OWN && map[i] >> 61 & 1)
				take = false;
			if (map[i] >> GUARD_BIT & 1)
				take = false;
			if (take == in)
				continue;
			if (take)
				from = at;
			else
				ret = fn(arg, from, at - from, err);
			in = take;
		}
	}
	if (in && !ret)
		ret = fn(arg, from, end - from, err);
	return ret;
}

/* Calls fn for each run of pages, ascending. */
int cap_pages(pid_t pid, uint64_t start, uint64_t end, enum cap_which which,
	      cap_run_fn fn, void *arg, struct cr_error *err)
{
	/* this kernel has no PAGEMAP_SCAN, or it does not tell of guards */
	static bool no_scan, no_guards;
	char path[64];
	int fd, ret;

	if (which == CAP_PAGES_NONE)
		return 0;
	if (which == CAP_PAGES_ALL)
		return fn(arg, start, end - start, err);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	ret = no_scan ? -ENOTTY
		      : scan_ioctl(fd, start, end, !no_guards, which, fn, arg,
				   err);
	if (ret == -EINVAL && !no_guards) {
		no_guards = true;
		ret = scan_ioctl(fd, start, end, false, which, fn, arg, err);
	}
	if (ret == -ENOTTY || ret == -EINVAL) {
		no_scan = true;
		ret = scan_pagemap(fd, start, end, which, fn, arg, err);
	}
	close(fd);
	if (ret)
		cr_error_set(err, ret, "pages of memory: %s", strerror(-ret));
	return ret;
}

int cap_outside(const struct cap_proc *p, uint64_t start, uint64_t end,
		cap_run_fn fn, void *arg, struct cr_error *err)
{
	const uint64_t lent = p->mm_of->scratch_lent ? p->mm_of->scratch : end;
	const uint64_t back = lent + CAP_SCRATCH_SIZE;
	int ret = 0;

	if (lent >= end || back <= start)
		return fn(arg, start, end - start, err);
	if (start < lent)
		ret = fn(arg, start, lent - start, err);
	if (!ret && back < end)
		ret = fn(arg, back, end - back, err);
	return ret;
}

int cap_guards(pid_t pid, cap_run_fn fn, void *arg, struct cr_error *err)
{
	static const uint64_t ends[] = { (1ULL << 56) - PAGE,
					 (1ULL << 47) - PAGE };
	struct scan_region r[64];
	struct scan_arg a = {
		.size = sizeof(a),
		.vec = (uintptr_t)r,
		.vec_len = sizeof(r) / sizeof(r[0]),
		.category_mask = IS_GUARD,
		.return_mask = IS_GUARD,
	};
	size_t wide = 0;
	char path[64];
	int fd, ret = 0;
	long n;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	while (!ret && wide < 2 && a.start < ends[wide]) {
		a.end = ends[wide];
		n = ioctl(fd, SCAN_IOCTL, &a);
		if (n < 0 && errno == EFAULT) {
			wide++; /* addresses of 47 bits */
			continue;
		}
		if (n < 0)
			break; /* this kernel tells nothing */
		for (long i = 0; i < n && !ret; i++)
			ret = fn(arg, r[i].start, r[i].end - r[i].start, err);
		a.start = a.walk_end;
	}
	close(fd);
	return ret;
}

static bool swap_in_use(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long total = 1, unused = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "SwapTotal: %lu", &total) != 1)
			sscanf(line, "SwapFree: %lu", &unused);
	if (f)
		fclose(f);
	return total != unused;
}

bool cap_is_swapped(pid_t pid, uint64_t addr)
{
	char *smaps = swap_in_use() ? cr_procfs_read(pid, NULL, "smaps") : NULL;
	struct cap_map *m = malloc(sizeof(*m));
	const char *text = smaps;
	bool is = false;

	while (smaps && m && !is && cap_map_next(&text, m))
		is = addr >= m->start && addr < m->end && m->swapped;
	free(m);
	free(smaps);
	return is;
}

static uint64_t map_dev(const struct stat *st)
{
	return (uint64_t)major(st->st_dev) << 32 | minor(st->st_dev);
}

/*
 * Memory without a file but in memory: what is not there, nor swapped, has
 * never been written.
 */
bool cap_tells_pages(const struct cap_proc *p, const struct cap_map *m)
{
	static uint64_t anonymous;
	struct statfs fs;
	struct stat st;
	char path[64];
	int fd;

	if (m->huge)
		return false;
	if (!anonymous) {
		fd = memfd_create("cr", MFD_CLOEXEC);
		if (fd >= 0 && !fstat(fd, &st))
			anonymous = map_dev(&st);
		if (fd >= 0)
			close(fd);
	}
	if (anonymous && (m->dev & ~CAP_SYSV_DEV) == anonymous)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/root/dev/shm", p->tid);
	return !statfs(path, &fs) && fs.f_type == TMPFS_MAGIC &&
	       !stat(path, &st) && map_dev(&st) == m->dev;
}

bool cap_hidden_guard(int code, bool installs, uint64_t entry)
{
	return (code == -EFAULT || code == -EIO) && installs &&
	       !(entry >> GUARD_BIT & 1);
}

/* Asks this kernel with a page of our own; bits as of its pagemap. */
static bool makes_guards(uint64_t *entry)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool made = p != MAP_FAILED && !madvise(p, PAGE, MADV_GUARD_INSTALL);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	*entry = 0;
	if (fd < 0 || pread(fd, entry, sizeof(*entry),
			    (off_t)((uintptr_t)p / PAGE * 8)) !=
			      sizeof(*entry))
		*entry = 0;
	if (fd >= 0)
		close(fd);
	if (p != MAP_FAILED)
		munmap(p, PAGE);
	return made;
}

int cap_unreadable(uint64_t addr, int code, struct cr_error *err)
{
	uint64_t entry = 0;
	bool made = makes_guards(&entry);

	if (cap_hidden_guard(code, made, entry))
		return cr_error_set(err, -ENOTSUP,
				    "its memory at 0x%" PRIx64 " is a guard "
				    "(madvise(2), MADV_GUARD_INSTALL), as it "
				    "seems, which this kernel, before Linux "
				    "6.15, does not show; use a newer kernel, "
				    "or a program that makes them by "
				    "mprotect(2)",
				    addr);
	return cr_error_set(err, code,
			    "its memory at 0x%" PRIx64 " cannot be read: %s",
			    addr, strerror(-code));
}

/* Which pages of an area are in the image. */
enum cap_which cap_which_pages(const struct cr_image *img,
			       const struct cr_area *a)
{
	/* the state of vgetrandom(): no two programs are to have the same */
	if (a->vm_flags & CR_VM_DROPPABLE)
		return CAP_PAGES_NONE;
	switch (a->kind) {
	case CR_AREA_ANON: /* looking for pages takes long in large ones */
		return a->untouched ? CAP_PAGES_NONE : CAP_PAGES_PRESENT;
	case CR_AREA_FILE_PRIVATE:
		return img->mapped[a->file].deleted ? CAP_PAGES_ALL
		       : a->untouched		    ? CAP_PAGES_NONE
						    : CAP_PAGES_OWN;
	case CR_AREA_CONTROL:
	case CR_AREA_VDSO:
		return CAP_PAGES_ALL;
	default: /* shared memory is in the pieces; the rest has none */
		return CAP_PAGES_NONE;
	}
}
