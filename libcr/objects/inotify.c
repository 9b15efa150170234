/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inotify.c - inotify instances with their watches
 *
 * The kernel tells of a watch only which inode it is about.  Its path is that
 * of something the tree has open or works in, or is found by the file handle,
 * which takes a privilege.  The watches are set last, so that the restart
 * itself is not reported.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"
#include "restore/restore.h"

#define MOST_TRIES (1 << 20) /* numbers of watches are counted up */

struct watch {
	int32_t wd;
	uint32_t mask;
	char *path;
	/* capture only */
	uint64_t ino;
	uint32_t dev;	    /* as the kernel has it */
	const char *handle; /* "fhandle-bytes:..." */
};

struct watches {
	struct watch *watch;
	size_t n;
};

static void record(struct cr_pack *p, void *state)
{
	struct watches *s = state;

	CR_PACK_ARRAY(p, s->watch, s->n, 12);
	for (size_t i = 0; i < s->n && !p->status; i++) {
		cr_pack_s32(p, &s->watch[i].wd);
		cr_pack_u32(p, &s->watch[i].mask);
		cr_pack_string(p, &s->watch[i].path);
	}
}

static void drop(struct watches *s)
{
	for (size_t i = 0; s->watch && i < s->n; i++)
		free(s->watch[i].path);
	free(s->watch);
}

static bool claims(const struct cr_object_source *src)
{
	return !strcmp(src->link, "anon_inode:inotify");
}

static int parse(const struct cr_object_source *src, struct watches *s,
		 struct cr_error *err)
{
	const char *p = src->fdinfo;
	struct watch w, *more;
	unsigned long long ino;

	if (strlen(p) == sizeof(src->fdinfo) - 1)
		return cr_error_set(err, -ENOTSUP,
				    "%s has too many watches to be saved; "
				    "close it before the checkpoint",
				    cr_object_label(src));
	while ((p = strstr(p, "inotify wd:"))) {
		memset(&w, 0, sizeof(w));
		if (sscanf(p, "inotify wd:%x ino:%llx sdev:%x mask:%x",
			   (unsigned int *)&w.wd, &ino, &w.dev, &w.mask) != 4)
			return cr_error_set(err, -ENOTSUP,
					    "%s: its watches cannot be "
					    "understood",
					    cr_object_label(src));
		w.ino = ino;
		w.handle = strstr(p, "fhandle-bytes:");
		more = realloc(s->watch, (s->n + 1) * sizeof(*more));
		if (!more)
			return cr_error_set(err, -ENOMEM, "out of memory");
		s->watch = more;
		s->watch[s->n++] = w;
		p += 11;
	}
	return 0;
}

/* The link's text, if it leads to what is watched; malloc'ed. */
static char *if_same(const struct watch *w, const char *link)
{
	char path[PATH_MAX];
	struct stat st;
	ssize_t n = readlink(link, path, sizeof(path) - 1);

	if (n <= 0 || path[0] != '/')
		return NULL;
	path[n] = 0;
	if (stat(path, &st) || st.st_ino != w->ino ||
	    (major(st.st_dev) << 20 | minor(st.st_dev)) != w->dev)
		return NULL;
	return strdup(path);
}

/* By what the processes of the tree have open, and where they work. */
static char *find_in_tree(const struct cr_object_source *src,
			  const struct watch *w)
{
	static const mode_t types[] = { S_IFREG, S_IFDIR };
	char link[64], *path = NULL;
	pid_t pid;
	int fd;

	for (size_t t = 0; t < 2; t++)
		for (size_t i = 0;
		     !path &&
		     cr_object_tree_place(src->tree, types[t], i, &pid, &fd);
		     i++) {
			snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, fd);
			path = if_same(w, link);
		}
	snprintf(link, sizeof(link), "/proc/%d/cwd", src->pid);
	return path ? path : if_same(w, link);
}

/* By its handle, below the root directory's file system or a mount. */
static char *find_by_handle(const struct watch *w)
{
	struct {
		struct file_handle h;
		unsigned char bytes[MAX_HANDLE_SZ];
	} a;
	char line[PATH_MAX], at[PATH_MAX], link[64], *path = NULL;
	unsigned int len, type, ma, mi, byte;
	int n, mount, fd;
	FILE *f;

	if (!w->handle ||
	    sscanf(w->handle, "fhandle-bytes:%x fhandle-type:%x f_handle:%n",
		   &len, &type, &n) != 2 ||
	    len > MAX_HANDLE_SZ)
		return NULL;
	a.h.handle_bytes = len;
	a.h.handle_type = (int)type;
	for (unsigned int i = 0; i < len; i++) {
		if (sscanf(w->handle + n + 2 * i, "%2x", &byte) != 1)
			return NULL;
		a.bytes[i] = (unsigned char)byte;
	}
	f = fopen("/proc/self/mountinfo", "re");
	while (f && !path && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d %*d %u:%u %*s %s", &ma, &mi, at) != 3 ||
		    (ma << 20 | mi) != w->dev)
			continue;
		mount = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd = mount < 0 ? -1
			       : open_by_handle_at(mount, &a.h,
						   O_PATH | O_CLOEXEC);
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (fd >= 0) {
			path = if_same(w, link);
			close(fd);
		}
		if (mount >= 0)
			close(mount);
	}
	if (f)
		fclose(f);
	return path;
}

static int read_all(const struct cr_object_source *src, struct watches *s,
		    struct cr_error *err)
{
	int avail = 0, fd, ret;

	ret = parse(src, s, err);
	for (size_t i = 0; i < s->n && !ret; i++) {
		struct watch *w = &s->watch[i];

		w->path = find_in_tree(src, w);
		if (!w->path)
			w->path = find_by_handle(w);
		if (!w->path)
			ret = cr_error_set(err, -ENOTSUP,
					   "%s is an inotify instance that "
					   "watches something (inode %llu) "
					   "whose path cannot be found out; "
					   "have the program keep it open",
					   cr_object_label(src),
					   (unsigned long long)w->ino);
	}
	if (ret)
		return ret;
	fd = cr_object_dup(src, err);
	if (fd < 0)
		return fd;
	ret = ioctl(fd, FIONREAD, &avail);
	cr_object_undup(src, fd);
	if (!ret && !avail)
		return 0;
	return cr_error_set(err, -ENOTSUP,
			    "%s is an inotify instance with events to be read, "
			    "which cannot be saved; try again later",
			    cr_object_label(src));
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	struct watches s = { 0 };
	int ret = read_all(src, &s, err);

	drop(&s);
	return ret;
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	struct watches s = { 0 };
	int ret = read_all(src, &s, err);

	if (!ret)
		ret = cr_object_record(file, record, &s, err);
	drop(&s);
	return ret;
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	int fd = inotify_init1(IN_CLOEXEC), ret;

	if (fd < 0)
		return cr_error_set(err, -errno, "%s", strerror(errno));
	if (cr_object_set_flags(fd, file)) {
		ret = cr_error_set(err, -errno, "flags: %s", strerror(errno));
		close(fd);
		return ret;
	}
	return fd;
}

static int add(int fd, const struct watch *w, const char *path)
{
	int wd = -1, i;

	for (i = 0; i < MOST_TRIES && wd < w->wd; i++) {
		if (wd >= 0)
			inotify_rm_watch(fd, wd);
		wd = inotify_add_watch(fd, path, w->mask);
		if (wd < 0)
			return -errno;
	}
	return wd == w->wd ? 0 : -EEXIST;
}

static int by_number(const void *a, const void *b)
{
	const struct watch *x = a, *y = b;

	return (x->wd > y->wd) - (x->wd < y->wd);
}

/* What was added and removed to count up is not for the program. */
static int empty(int fd)
{
	char buf[4096] __attribute__((aligned(8)));
	int avail = 0;

	while (!ioctl(fd, FIONREAD, &avail) && avail)
		if (read(fd, buf, sizeof(buf)) < 0)
			return -errno;
	return 0;
}

static int start(struct cr_restore_context *ctx, const struct cr_file *file,
		 int fd, struct cr_error *err)
{
	struct watches s = { 0 };
	const char *path;
	int ret;

	ret = cr_object_unrecord(file, record, &s, err);
	if (!ret && s.n)
		qsort(s.watch, s.n, sizeof(*s.watch), by_number);
	for (size_t i = 0; i < s.n && !ret; i++) {
		path = cr_restore_path(ctx, s.watch[i].path);
		ret = path ? add(fd, &s.watch[i], path) : -EINVAL;
		if (ret)
			cr_error_set(err, ret, "watching %s again: %s",
				     path ? path : "nothing", strerror(-ret));
	}
	if (!ret)
		ret = empty(fd);
	drop(&s);
	return ret;
}

const struct cr_object_ops cr_object_inotify = {
	.kind = CR_OBJ_INOTIFY,
	.name = "inotify instance",
	.claims = claims,
	.check = check,
	.capture = capture,
	.restore = restore,
	.start = start,
};
