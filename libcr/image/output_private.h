/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output_private.h - between the files of the output */
#ifndef CR_OUTPUT_PRIVATE_H
#define CR_OUTPUT_PRIVATE_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "image/output.h"

#define CR_OUTPUT_MOST (1u << 20) /* that one write(2) gets */

/* Signals that writing may raise, while they are held back. */
struct quiet {
	sigset_t block, old;
};

struct cr_output {
	int fd;
	int direct; /* the same file past the page cache, or -1 */
	bool append;
	struct quiet lent;
	bool regular; /* a file, not a stream */
	size_t portion; /* of a stream, for one write(2); 0: as much as we like */
	bool (*cancelled)(void *arg);
	void *cancelled_arg;
	bool fsync;
	bool exclusive;
	char *path; /* the name in the end; NULL: a descriptor was given */
	char *backup;
	char *temp; /* name that exists and is to be removed, or NULL */
	int dirfd;
	uint8_t *buffer;
	size_t fill;
	uint64_t offset;  /* all bytes so far */
	uint64_t flushed; /* bytes handed to sync_file_range() */
	int status;
	bool committed;
};

/* How messages call it. */
const char *cr_output_name(const struct cr_output *o);
/* All that follows fails with this code. */
int cr_output_fail(struct cr_output *o, int code, const char *what,
		   struct cr_error *err);

/* output_name.c: a file without a name, or with a temporary one */
const char *cr_output_base(const char *path);
int cr_output_open_dir(struct cr_output *o);
int cr_output_create(struct cr_output *o);
/* The name that it is to have, in place of what has it now. */
int cr_output_give_name(struct cr_output *o, struct cr_error *err);

/* output_stream.c: bytes for somebody else, who may be slow */
void cr_output_stream(struct cr_output *o, mode_t mode);
/* Waits until a portion can be written; -ECANCELED. */
int cr_output_ready(const struct cr_output *o);
int cr_output_open_special(struct cr_output **out, const char *path,
			   mode_t mode, const struct cr_writer_options *opt,
			   struct cr_error *err);

#endif
