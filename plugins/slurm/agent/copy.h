/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy.h - whole files: copy durably, digest, put back */
#ifndef CR_COPY_H
#define CR_COPY_H

#include <stdint.h>

#include "common/error.h"

/* XXH3-128 in hex and length of a file. */
int cr_copy_digest(const char *path, uint64_t *bytes, char hex[33],
		   struct cr_error *err);
/* The first size bytes of from become the new, durable file to. */
int cr_copy_file(const char *from, const char *to, uint64_t size,
		 struct cr_error *err);
/* Writes text, as lines, into path: temporary file, fsync, rename. */
int cr_copy_text(const char *path, const char *text, unsigned int mode,
		 struct cr_error *err);
/* fsync of a directory, so that names in it last. */
int cr_copy_sync_dir(const char *path, struct cr_error *err);

#endif
