/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gens.h - generations on the disk: find, read, commit, remove */
#ifndef CR_GENS_H
#define CR_GENS_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"
#include "plugins/slurm/agent/json.h"

#define CR_GENS_MANIFEST "manifest.json"
#define CR_GENS_DAMAGED "damaged" /* there: not usable, because of its text */

struct cr_gens { /* numbers, ascending */
	int *number;
	size_t n;
};

/* mkdir -p; the last directory gets mode.  0 or -errno. */
int cr_gens_mkdir(const char *path, mode_t mode, struct cr_error *err);
/* All gen-N below the job's directory; committed: only those with manifest. */
int cr_gens_list(struct cr_gens *g, const char *jobdir, bool committed);
void cr_gens_free(struct cr_gens *g);
void cr_gens_path(char *path, size_t size, const char *jobdir, int number);
/*
 * The manifest of a generation's directory if it is usable: of our format,
 * every file there with its size, and nobody has found it damaged.  NULL and
 * err otherwise.
 */
struct json_object *cr_gens_read(const char *dir, struct cr_error *err);
/* The newest usable generation: its number, 0 if there is none. */
int cr_gens_newest(const char *jobdir, struct json_object **manifest);
/* Makes dir's files durable under their names, then writes the manifest. */
int cr_gens_commit(const char *dir, struct json_object *manifest,
		   struct cr_error *err);
int cr_gens_remove(const char *dir, struct cr_error *err);
/*
 * Removes those without manifest, and what is older than the newest keep
 * usable ones.  What could not be removed is in the log.
 */
void cr_gens_prune(const char *jobdir, int keep);

/* verify.c: reads all of it; -EBADMSG: a file is not what it was. */
int cr_gens_verify(const char *dir, struct json_object *manifest,
		   struct cr_error *err);
/* From now on it is not usable. */
int cr_gens_mark_damaged(const char *dir, const char *why,
			 struct cr_error *err);

#endif
