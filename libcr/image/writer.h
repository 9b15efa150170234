/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* writer.h - writes a context file (doc/context-file.md) */
#ifndef CR_WRITER_H
#define CR_WRITER_H

#include "common/error.h"
#include "image/model.h"

struct cr_writer;

struct cr_writer_options {
	enum cr_codec codec;
	bool fsync;	/* durable before the name appears (the default of the
			   commands) */
	bool direct;	/* pages go past the page cache (O_DIRECT) */
	bool exclusive; /* -EEXIST instead of replacing a file */
	const char *backup; /* name that a file replaced gets, or NULL */
	/* a stream that nobody reads is waited for until this; may be NULL */
	bool (*cancelled)(void *arg);
	void *cancelled_arg;
};

/*
 * Starts a context file that will be called path.  The bytes go to a
 * temporary name beside it (an unlinked file where the file system can);
 * only cr_writer_commit() makes path appear, by rename.  A fifo or a device
 * of that name gets the bytes as they come.
 */
int cr_writer_create(struct cr_writer **w, const char *path,
		     const struct cr_writer_options *opt, struct cr_error *err);
/*
 * The same into an open descriptor, which stays the caller's: a stream, or a
 * file from its beginning on, which is emptied.
 */
int cr_writer_create_fd(struct cr_writer **w, int fd,
			const struct cr_writer_options *opt,
			struct cr_error *err);
/*
 * Stores pages of one address space; a run is appended to img->runs.  Pages
 * that are all zero are left out by the writer (a reader fills them with
 * zeros), adjacent calls are merged into longer runs.  addr and len are
 * multiples of the page size; calls may come in any order, but never twice
 * for one page.  zero_matters: write zero pages too (private file mappings,
 * where "absent" means the file's content).
 */
int cr_writer_pages(struct cr_writer *w, struct cr_image *img, uint32_t space,
		    uint64_t addr, const void *data, size_t len,
		    bool zero_matters, struct cr_error *err);
/*
 * Pages that somebody else writes, as cr_writer_pages() would have done: at
 * *offset of *fd, without anything in between, no run longer than *max_len.
 * The runs are then told by cr_writer_give_back(), with status 0 or the -errno
 * that writing failed with (the image is lost then).
 * -ENOTSUP, without a message: this image takes bytes only.
 */
struct cr_written_run {
	uint64_t addr, len;
	uint8_t digest[16]; /* of the bytes written */
};
int cr_writer_lend(struct cr_writer *w, struct cr_image *img, int *fd,
		   uint64_t *offset, uint64_t *max_len, struct cr_error *err);
int cr_writer_give_back(struct cr_writer *w, struct cr_image *img,
			uint32_t space, const struct cr_written_run *runs,
			size_t n, int status, struct cr_error *err);
/*
 * Sorts img->runs, checks and stores the model, makes everything durable,
 * gives the file its name.
 */
int cr_writer_commit(struct cr_writer *w, struct cr_image *img,
		     struct cr_error *err);
/* After the commit: 16 bytes that stand for the whole content. */
const uint8_t *cr_writer_digest(const struct cr_writer *w);
/* Bytes written so far. */
uint64_t cr_writer_bytes(const struct cr_writer *w);
/* Frees; without a commit before, no trace of the file is left. */
void cr_writer_destroy(struct cr_writer *w);

#endif
