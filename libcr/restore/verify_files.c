/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify_files.c - are the files that memory shows still the same? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/build_id.h"
#include "image/codec.h"
#include "restore/build.h"

#define STEP (256u << 10)

/* How the program uses a file, which decides what must be the same. */
struct use {
	bool any;	 /* at all */
	bool code;	 /* executable or library */
	bool private;	 /* its content stands for pages not in the image */
	bool reading;	 /* mapped shared, and nobody in the tree writes it */
	uint64_t extent; /* bytes that some mapping reaches */
};

/* The program's own data: it may have written it after the checkpoint. */
static bool is_written(const struct cr_image *img, const struct cr_file_id *id)
{
	for (size_t i = 0; i < img->n_files; i++) {
		const struct cr_file *f = &img->files[i];

		if (f->kind == CR_OBJ_REGULAR && !(f->flags & O_PATH) &&
		    (f->flags & O_ACCMODE) != O_RDONLY &&
		    f->id.ino == id->ino && f->id.dev == id->dev)
			return true;
	}
	return false;
}

static struct use use_of(const struct cr_image *img, uint32_t file)
{
	bool shared = false, shared_code = false, written = false;
	struct use u = { 0 };

	for (size_t i = 0; i < img->n_mms; i++) {
		const struct cr_mm *mm = &img->mms[i];

		if (mm->exe == file)
			u.any = u.code = true;
		for (size_t k = 0; k < mm->n_areas; k++) {
			const struct cr_area *a = &mm->areas[k];

			if (a->file != file)
				continue;
			u.any = true;
			u.private |= a->kind == CR_AREA_FILE_PRIVATE;
			u.code |= a->kind == CR_AREA_FILE_PRIVATE &&
				  a->prot & 4;
			shared |= a->kind == CR_AREA_FILE_SHARED;
			shared_code |= a->kind == CR_AREA_FILE_SHARED &&
				       a->prot & 4;
			written |= a->kind == CR_AREA_FILE_SHARED &&
				   a->prot & 2;
			if (a->offset + (a->end - a->start) > u.extent)
				u.extent = a->offset + (a->end - a->start);
		}
	}
	u.reading = shared && !written && !is_written(img, &img->mapped[file]);
	/* what the program itself writes there may be code as well */
	u.code |= shared_code && u.reading;
	return u;
}

static void hex(char *to, size_t size, const void *id, size_t len)
{
	const uint8_t *p = id;

	if (!len)
		snprintf(to, size, "none");
	for (size_t i = 0; i < len && 2 * i + 2 < size; i++)
		snprintf(to + 2 * i, 3, "%02x", p[i]);
}

static int changed(const struct use *u, const char *path, const char *what,
		   const char *was, const char *is, struct cr_error *err)
{
	return cr_error_set(err, -ESTALE,
			    "%s %s is another one than at the checkpoint: %s "
			    "was %s and is %s%s",
			    u->code ? "executable or library" : "mapped file",
			    path, what, was, is,
			    u->code ? " (recompiled or upgraded?)" : "");
}

static void time_text(char *to, size_t size, int64_t sec, uint32_t nsec)
{
	time_t t = (time_t)sec;
	struct tm tm;
	size_t n;

	localtime_r(&t, &tm);
	n = strftime(to, size, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(to + n, size - n, ".%09u", nsec);
}

static int compare_build_id(const struct cr_file_id *id, const struct use *u,
			    const char *path, int fd, struct cr_error *err)
{
	char was[129], is[129];
	void *now;
	size_t len;
	int ret = cr_build_id_read(fd, &now, &len);

	if (ret < 0)
		return cr_error_set(err, ret, "out of memory");
	if (len != id->build_id.len || memcmp(now, id->build_id.data, len)) {
		hex(was, sizeof(was), id->build_id.data, id->build_id.len);
		hex(is, sizeof(is), now, len);
		ret = changed(u, path, "build id", was, is, err);
	}
	free(now);
	return ret;
}

static bool same_time(const struct cr_file_id *id, const struct stat *st)
{
	return st->st_mtim.tv_sec == id->mtime_sec &&
	       st->st_mtim.tv_nsec == (long)id->mtime_nsec;
}

/* Another copy has another time; its content decides, where it is known. */
static bool same_content(const struct cr_file_id *id, int fd)
{
	uint8_t now[CR_DIGEST_SIZE];
	struct cr_digest *d = cr_digest_create();
	char *buf = malloc(STEP);
	off_t at = 0;
	ssize_t n = -1;

	if (d && buf) {
		cr_digest_start(d);
		while ((n = pread(fd, buf, STEP, at)) > 0) {
			cr_digest_add(d, buf, (size_t)n);
			at += n;
		}
		cr_digest_get(d, now);
	}
	cr_digest_destroy(d);
	free(buf);
	return !n && !memcmp(now, id->digest, sizeof(now));
}

bool cr_verify_same(const struct cr_file_id *id, int fd)
{
	struct stat st;
	void *now = NULL;
	size_t len = 0;
	bool same;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != id->size)
		return false;
	if (!id->build_id.len)
		return same_time(id, &st);
	same = !cr_build_id_read(fd, &now, &len) && len == id->build_id.len &&
	       !memcmp(now, id->build_id.data, len);
	free(now);
	return same;
}

static bool must_be_same(const struct use *u)
{
	return u->code || u->private || u->reading;
}

static int compare(const struct cr_file_id *id, const struct use *u,
		   const char *path, int fd, const struct stat *st,
		   struct cr_error *err)
{
	char was[64], is[64];

	/* The build id first: its message says more. */
	if (id->build_id.len && must_be_same(u)) {
		int ret = compare_build_id(id, u, path, fd, err);

		if (ret < 0)
			return ret;
	}
	snprintf(was, sizeof(was), "%" PRIu64 " bytes", id->size);
	snprintf(is, sizeof(is), "%lld bytes", (long long)st->st_size);
	if (must_be_same(u)) {
		if ((uint64_t)st->st_size != id->size)
			return changed(u, path, "size", was, is, err);
	} else if ((uint64_t)st->st_size < id->size &&
		   (uint64_t)st->st_size < u->extent) {
		return changed(u, path, "size", was, is, err);
	}
	if (id->build_id.len || !must_be_same(u) || same_time(id, st))
		return 0;
	if (id->has_digest) {
		if (same_content(id, fd))
			return 0;
		hex(was, sizeof(was), id->digest, sizeof(id->digest));
		return changed(u, path, "digest of the content", was,
			       "another", err);
	}
	time_text(was, sizeof(was), id->mtime_sec, id->mtime_nsec);
	time_text(is, sizeof(is), st->st_mtim.tv_sec,
		  (uint32_t)st->st_mtim.tv_nsec);
	return changed(u, path, "time of modification", was, is, err);
}

static int verify_mapped(struct cr_restore_context *ctx, uint32_t i,
			 struct cr_error *err)
{
	const struct cr_file_id *id = &ctx->img->mapped[i];
	struct use u = use_of(ctx->img, i);
	const char *path;
	struct stat st;
	int fd, ret;

	if (!u.any || id->deleted)
		return 0;
	path = cr_restore_path(ctx, id->path);
	fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	if (fd < 0)
		return cr_error_set(err, -errno,
				    "%s %s, which the program has in its "
				    "memory: %s",
				    u.code ? "executable or library" : "file",
				    path ? path : id->path, strerror(errno));
	if (fstat(fd, &st) < 0)
		ret = cr_error_set(err, -errno, "%s: %s", path,
				   strerror(errno));
	else
		ret = compare(id, &u, path, fd, &st, err);
	close(fd);
	return ret;
}

int cr_verify_mapped(struct cr_restore_context *ctx, struct cr_error *err)
{
	int ret = 0;

	for (uint32_t i = 0; !ret && i < ctx->img->n_mapped; i++)
		ret = cr_verify_found(ctx, verify_mapped(ctx, i, err), err);
	return ret;
}
