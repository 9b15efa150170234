/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pages.c - which pages of an area hold something of their own */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "capture/internal.h"

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
