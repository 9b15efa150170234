/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * regular.c - regular files
 *
 * A file with a name is opened by it again; its content is not in the image.
 * The content of a file without a name is.  Locks come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "objects/huge.h"
#include "objects/kinds.h"
#include "objects/lock.h"
#include "restore/restore.h"

#define CONTENT_MAX (1u << 30) /* of a file without a name, bytes */

static bool claims(const struct cr_object_source *src)
{
	return S_ISREG(src->st.st_mode) && src->link[0] == '/' &&
	       strncmp(src->link, "/memfd:", 7) != 0;
}

/* It may be called so: then it is found by that. */
static bool is_there(const struct cr_object_source *src)
{
	char path[sizeof(src->link) + 32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/root%s", src->pid, src->link);
	return !stat(path, &st) && st.st_dev == src->st.st_dev &&
	       st.st_ino == src->st.st_ino;
}

static bool name_removed(const struct cr_object_source *src)
{
	static const char mark[] = " (deleted)";
	size_t n = strlen(src->link), k = sizeof(mark) - 1;

	return src->st.st_nlink == 0 ||
	       (n > k && !strcmp(src->link + n - k, mark) && !is_there(src));
}

static bool is_huge(const struct cr_object_source *src)
{
	int fd = cr_object_dup(src, NULL);
	bool huge = fd >= 0 && cr_huge_file(fd);

	cr_object_undup(src, fd);
	return huge;
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	if (name_removed(src) && is_huge(src))
		return cr_error_set(err, -ENOTSUP,
				    "%s is a file of huge pages without a "
				    "name, which no write brings back; map it, "
				    "or give it a name",
				    cr_object_label(src));
	if (name_removed(src) && src->st.st_nlink)
		return cr_error_set(err, -ENOTSUP,
				    "%s lost this name but has another one, "
				    "which cannot be found out; give it back "
				    "its name",
				    cr_object_label(src));
	if (name_removed(src) && src->st.st_size > CONTENT_MAX)
		return cr_error_set(err, -EFBIG,
				    "%s has no name any more, and its content "
				    "(%lld bytes) is too large for the image; "
				    "give it a name",
				    cr_object_label(src),
				    (long long)src->st.st_size);
	return cr_locks_check(src, err);
}

static int read_content(const struct cr_object_source *src,
			struct cr_file *file, struct cr_error *err)
{
	size_t size = (size_t)src->st.st_size, done = 0;
	int dup, fd, ret = 0;
	char path[64], *buf;
	ssize_t n = 0;

	if (!size)
		return 0;
	dup = cr_object_dup(src, err);
	if (dup < 0)
		return dup;
	/* its own descriptor may be for writing only */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dup);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	buf = fd < 0 ? NULL : malloc(size);
	while (buf && done < size) {
		n = pread(fd, buf + done, size - done, (off_t)done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (!buf || n < 0)
		ret = cr_error_set(err, -errno, "%s: content: %s",
				   cr_object_label(src), strerror(errno));
	if (fd >= 0)
		close(fd);
	cr_object_undup(src, dup);
	if (ret) {
		free(buf);
		return ret;
	}
	file->data.data = buf;
	file->data.len = done;
	return 0;
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	static const char mark[] = " (deleted)";
	struct cr_file_id *id = &file->id;
	size_t n, k = sizeof(mark) - 1;
	int ret;

	ret = check(src, err);
	if (ret)
		return ret;
	file->object_id = cr_object_id(&src->st);
	id->path = strdup(src->link);
	if (!id->path)
		return cr_error_set(err, -ENOMEM, "out of memory");
	n = strlen(id->path);
	id->deleted = name_removed(src);
	if (id->deleted && n > k && !strcmp(id->path + n - k, mark))
		id->path[n - k] = 0;
	id->mode = src->st.st_mode;
	id->dev = src->st.st_dev;
	id->ino = src->st.st_ino;
	id->size = (uint64_t)src->st.st_size;
	id->mtime_sec = src->st.st_mtim.tv_sec;
	id->mtime_nsec = (uint32_t)src->st.st_mtim.tv_nsec;
	ret = cr_locks_hint(src, file, err);
	return !ret && id->deleted ? read_content(src, file, err) : ret;
}

/*
 * The program will write again what it wrote after the checkpoint: that part
 * is moved out of the way, so that nothing is lost and nothing is there twice.
 */
static int keep_tail(int fd, const struct cr_file *file, const char *path,
		     struct stat *st, struct cr_error *err)
{
	char name[PATH_MAX], buf[65536];
	off_t from = (off_t)file->id.size;
	ssize_t n = 0;
	int out, in;

	snprintf(name, sizeof(name), "%s.after-checkpoint-XXXXXX", path);
	in = open(path, O_RDONLY | O_CLOEXEC);
	out = in < 0 ? -1 : mkostemp(name, O_CLOEXEC);
	if (out < 0) {
		if (in >= 0)
			close(in);
		goto failed;
	}
	while ((n = pread(in, buf, sizeof(buf), from)) > 0) {
		if (write(out, buf, (size_t)n) != n) {
			n = -1;
			break;
		}
		from += n;
	}
	close(in);
	if (n < 0 || fchmod(out, st->st_mode & 07777) || close(out)) {
		unlink(name);
		goto failed;
	}
	if (ftruncate(fd, (off_t)file->id.size))
		goto failed;
	fprintf(stderr,
		"%s has grown since the checkpoint; what was added is kept "
		"in %s\n",
		path, name);
	return 0;
failed:
	return cr_error_set(err, -errno,
			    "%s has grown since the checkpoint, and what was "
			    "added cannot be kept: %s",
			    path, strerror(errno));
}

/* Is the file what it must be for the program to go on with it? */
static int check_named(const struct cr_file *file, const char *path,
		       const struct stat *st, struct cr_error *err)
{
	if (!S_ISREG(st->st_mode))
		return cr_error_set(err, -EINVAL,
				    "%s is no regular file any more", path);
	if ((uint64_t)st->st_size < file->id.size)
		return cr_error_set(err, -ESTALE,
				    "%s is shorter than at the checkpoint "
				    "(%lld bytes now, %llu then); put it back "
				    "or use --relocate",
				    path, (long long)st->st_size,
				    (unsigned long long)file->id.size);
	return 0;
}

static int verify(const struct cr_image *img, const struct cr_file *file,
		  struct cr_error *err)
{
	const char *path = file->id.path;
	int ret = cr_locks_verify(file, err);
	struct stat st;

	if (ret || file->id.deleted || !path)
		return ret;
	if (stat(path, &st))
		return cr_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	return check_named(file, path, &st, err);
}

/* A file that the program writes, and that is longer than it was. */
static bool has_more(struct cr_restore_context *ctx, const struct cr_file *file,
		     const char *path, const struct stat *st)
{
	return (file->flags & O_ACCMODE) != O_RDONLY &&
	       !(file->flags & O_PATH) && !cr_restore_grown(ctx, path) &&
	       (uint64_t)st->st_size > file->id.size &&
	       /* a tree may have its own image open, in which it now is */
	       !cr_restore_is_image(ctx, st);
}

/* What it got is an obstacle, if that is wanted. */
static int check_append(struct cr_restore_context *ctx,
			const struct cr_file *file, const char *path,
			const struct stat *st, struct cr_error *err)
{
	if (!(file->flags & O_APPEND) ||
	    cr_restore_append(ctx) != CR_APPEND_FAIL ||
	    !has_more(ctx, file, path, st))
		return 0;
	return cr_error_set(err, -ESTALE,
			    "%s has grown since the checkpoint (%lld bytes "
			    "now, %llu then); put it back, or use --append=cut",
			    path, (long long)st->st_size,
			    (unsigned long long)file->id.size);
}

int cr_regular_verify_append(struct cr_restore_context *ctx,
			     const struct cr_file *file, struct cr_error *err)
{
	struct stat st;

	if (file->kind != CR_OBJ_REGULAR || file->id.deleted ||
	    !file->id.path || stat(file->id.path, &st))
		return 0;
	return check_append(ctx, file, file->id.path, &st, err);
}

static int open_named(struct cr_restore_context *ctx,
		      const struct cr_file *file, struct cr_error *err)
{
	const char *path = cr_restore_path(ctx, file->id.path);
	struct stat st;
	int fd, ret;

	if (!path)
		return cr_error_set(err, -ENOMEM, "out of memory");
	fd = open(path, cr_object_open_flags(file) & ~O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st)) {
		ret = cr_error_set(err, -errno, "%s: %s", path,
				   strerror(errno));
		if (fd >= 0)
			close(fd);
		return ret;
	}
	ret = check_named(file, path, &st, err);
	if (!ret)
		ret = check_append(ctx, file, path, &st, err);
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

/* What was added: it stays, or is moved aside. */
static int settle(struct cr_restore_context *ctx, const struct cr_file *file,
		  int fd, struct cr_error *err)
{
	const char *path = cr_restore_path(ctx, file->id.path);
	struct stat st;

	if (file->id.deleted || !path)
		return 0;
	if (fstat(fd, &st))
		return cr_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	if (!has_more(ctx, file, path, &st))
		return 0;
	if (file->flags & O_APPEND &&
	    cr_restore_append(ctx) == CR_APPEND_KEEP) {
		fprintf(stderr,
			"%s has grown since the checkpoint; what was added "
			"stays, and the program appends to it\n",
			path);
		return 0;
	}
	return keep_tail(fd, file, path, &st, err);
}

/*
 * Only now is it certain that the program goes on.  A lease comes last: opening
 * the file breaks it.
 */
static int start(struct cr_restore_context *ctx, const struct cr_file *file,
		 int fd, struct cr_error *err)
{
	int ret = settle(ctx, file, fd, err);

	return ret ? ret : cr_locks_lease(ctx, file, fd, err);
}

static int open_unnamed(struct cr_restore_context *ctx,
			const struct cr_file *file, struct cr_error *err)
{
	char dir[PATH_MAX], name[PATH_MAX + 32], self[64];
	int master, fd;
	size_t done = 0;
	ssize_t n;

	if (cr_restore_lookup(ctx, CR_OBJ_REGULAR, file->object_id, 0,
			      &master)) {
		snprintf(dir, sizeof(dir), "%s",
			 cr_restore_path(ctx, file->id.path));
		dirname(dir);
		snprintf(name, sizeof(name), "%s/.stillpoint-XXXXXX", dir);
		master = mkostemp(name, O_CLOEXEC);
		if (master < 0)
			return cr_error_set(err, -errno,
					    "%s (a file without a name): %s",
					    name, strerror(errno));
		unlink(name);
		while (done < file->data.len) {
			n = write(master, (char *)file->data.data + done,
				  file->data.len - done);
			if (n < 0)
				goto failed;
			done += (size_t)n;
		}
		if (ftruncate(master, (off_t)file->id.size) ||
		    fchmod(master, file->id.mode & 07777))
			goto failed;
		if (cr_restore_remember(ctx, CR_OBJ_REGULAR, file->object_id, 0,
					master)) {
			errno = ENOMEM;
			goto failed;
		}
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", master);
	fd = open(self, cr_object_open_flags(file));
	if (fd < 0)
		return cr_error_set(err, -errno, "%s: reopen: %s",
				    file->id.path, strerror(errno));
	return fd;
failed:
	cr_error_set(err, -errno, "%s: content of the file without a name: %s",
		     name, strerror(errno));
	close(master);
	return err ? err->code : -EIO;
}

/* What was written at the end goes on at the end. */
static off_t seek(struct cr_restore_context *ctx, const struct cr_file *file,
		  int fd)
{
	const char *path = cr_restore_path(ctx, file->id.path);

	if (!file->id.deleted && (uint64_t)file->offset == file->id.size &&
	    path && cr_restore_grown(ctx, path))
		return lseek(fd, 0, SEEK_END);
	return lseek(fd, file->offset, SEEK_SET);
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	int fd, ret;

	fd = file->id.deleted ? open_unnamed(ctx, file, err)
			      : open_named(ctx, file, err);
	if (fd < 0 || file->flags & O_PATH)
		return fd;
	if (seek(ctx, file, fd) < 0) {
		cr_error_set(err, -errno, "%s: seek to %lld: %s", file->id.path,
			     (long long)file->offset, strerror(errno));
		goto failed;
	}
	if (file->flags & O_NONBLOCK && cr_object_set_flags(fd, file)) {
		cr_error_set(err, -errno, "%s: flags: %s", file->id.path,
			     strerror(errno));
		goto failed;
	}
	ret = cr_locks_take(fd, file, err);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
failed:
	close(fd);
	return err ? err->code : -EIO;
}

const struct cr_object_ops cr_object_regular = {
	.kind = CR_OBJ_REGULAR,
	.name = "regular file",
	.claims = claims,
	.check = check,
	.capture = capture,
	.descriptor = cr_locks_capture,
	.verify = verify,
	.restore = restore,
	.connect = cr_locks_connect,
	.start = start,
};
