/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mapped.c - the files behind memory areas and executables */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "capture/internal.h"
#include "capture/smaps.h"
#include "common/build_id.h"
#include "image/codec.h"

#define OVERLAYFS_MAGIC 0x794c7630
/* Bytes of one file and of all that are read for digests: a moment's work. */
#define DIGEST_MAX (16u << 20)
#define DIGEST_ALL (64u << 20)
#define DIGEST_STEP (256u << 10)

static uint32_t known(const struct cr_image *img, const char *path,
		      uint64_t ino, bool deleted)
{
	size_t i;

	for (i = 0; i < img->n_mapped; i++)
		if (img->mapped[i].ino == ino &&
		    img->mapped[i].deleted == deleted &&
		    !strcmp(img->mapped[i].path, path))
			return (uint32_t)i;
	return CR_NONE;
}

/*
 * Opens the file that the area shows, which may be another one by now.
 * maps shows the inode of the file below an overlay.
 */
static int open_same(pid_t pid, const char *path, uint64_t ino, struct stat *st)
{
	const char *prefix[] = { "", NULL };
	char root[64], full[PATH_MAX + 64];
	struct statfs fs;
	int i, fd;

	snprintf(root, sizeof(root), "/proc/%d/root", pid);
	prefix[1] = root;
	for (i = 0; i < 2; i++) {
		snprintf(full, sizeof(full), "%s%s", prefix[i], path);
		fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 && !stat(full, st) && st->st_ino == ino)
			return -EACCES; /* there, only not readable */
		if (fd < 0)
			continue;
		if (!fstat(fd, st) &&
		    (st->st_ino == ino ||
		     (!fstatfs(fd, &fs) && fs.f_type == OVERLAYFS_MAGIC)))
			return fd;
		close(fd);
	}
	return -ENOENT;
}

bool cap_mapped_there(pid_t pid, const char *path, uint64_t ino)
{
	char full[PATH_MAX + 64];
	struct stat st;

	snprintf(full, sizeof(full), "/proc/%d/root%s", pid, path);
	return (!stat(path, &st) && st.st_ino == ino) ||
	       (!stat(full, &st) && st.st_ino == ino);
}

/*
 * The index in cr_image.mapped of a file that process pid has mapped.  A file
 * that cannot be found by its path any more, or whose content is saved, is
 * recorded as deleted.
 */
int cap_mapped_file(struct cr_capture *c, pid_t pid, const char *path,
		    bool exec, uint64_t ino, bool saved, uint32_t *index,
		    struct cr_error *err)
{
	static const char mark[] = " (deleted)";
	size_t n = strlen(path), k = sizeof(mark) - 1;
	struct cr_file_id *id;
	struct stat st = { 0 };
	char *name = strdup(path);
	bool deleted = saved;
	int fd, ret = 0;

	if (!name)
		goto no_memory;
	fd = open_same(pid, name, ino, &st);
	if (fd == -ENOENT) {
		deleted = true;
		if (n > k && !strcmp(name + n - k, mark))
			name[n - k] = 0;
	}
	*index = known(c->img, name, ino, deleted);
	if (*index != CR_NONE) {
		free(name);
		id = &c->img->mapped[*index];
		if (exec && fd >= 0 && !id->build_id.data)
			ret = cr_build_id_read(fd, &id->build_id.data,
					       &id->build_id.len);
		goto out;
	}
	id = cr_image_add_mapped(c->img);
	if (!id) {
		free(name);
		if (fd >= 0)
			close(fd);
		goto no_memory;
	}
	*index = (uint32_t)(c->img->n_mapped - 1);
	id->path = name;
	id->deleted = deleted;
	id->ino = ino;
	id->mode = st.st_mode;
	id->dev = st.st_dev;
	id->size = (uint64_t)st.st_size;
	id->mtime_sec = st.st_mtim.tv_sec;
	id->mtime_nsec = (uint32_t)st.st_mtim.tv_nsec;
	if (exec && fd >= 0)
		ret = cr_build_id_read(fd, &id->build_id.data,
				       &id->build_id.len);
out:
	if (fd >= 0)
		close(fd);
	if (!ret)
		return 0;
no_memory:
	return cr_error_set(err, -ENOMEM, "out of memory");
}

static bool unchanged(const struct cr_file_id *id, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (uint64_t)st.st_size == id->size &&
	       st.st_mtim.tv_sec == id->mtime_sec &&
	       st.st_mtim.tv_nsec == (long)id->mtime_nsec;
}

/*
 * Another copy of a file without a build id has another time; its digest
 * tells that it is the same.  Without one the time must be.
 */
static void digest_file(struct cr_file_id *id, struct cr_digest *d, char *buf)
{
	int fd = open(id->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = 0;

	if (fd < 0)
		return;
	cr_digest_start(d);
	if (unchanged(id, fd))
		while ((n = read(fd, buf, DIGEST_STEP)) > 0)
			cr_digest_add(d, buf, (size_t)n);
	if (!n && unchanged(id, fd)) {
		cr_digest_get(d, id->digest);
		id->has_digest = true;
	}
	close(fd);
}

void cap_digest_mapped(struct cr_capture *c)
{
	struct cr_digest *d = cr_digest_create();
	char *buf = malloc(DIGEST_STEP);
	struct cr_file_id *id;
	uint64_t left = DIGEST_ALL;
	size_t i;

	for (i = 0; d && buf && i < c->img->n_mapped; i++) {
		id = &c->img->mapped[i];
		if (!id->deleted && !id->build_id.len && S_ISREG(id->mode) &&
		    id->size <= DIGEST_MAX && id->size <= left) {
			digest_file(id, d, buf);
			left -= id->size;
		}
	}
	cr_digest_destroy(d);
	free(buf);
}
