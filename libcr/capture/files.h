/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files.h - between the files of libcapture about open files */
#ifndef CR_CAPTURE_FILES_H
#define CR_CAPTURE_FILES_H

#include "capture/internal.h"

struct cap_queued;
struct cap_files {
	struct cr_capture *c;
	struct cr_object_source *src; /* what is looked at */
	struct cr_object_tree *tree;
	struct cr_object_place *first; /* parallel to cr_image.files */
	uint32_t *order;	       /* their indices, sorted */
	size_t n_order, place; /* place: of what was looked for last */
	size_t room;
	bool held; /* everything stands still */
	struct cr_object_links links;
	struct cap_queued *queued; /* on their way; we have them open, too */
	size_t n_queued;
};

typedef int (*cap_file_fn)(struct cap_files *w, struct cap_proc *p,
			   struct cr_error *err);

/* files_walk.c */
/*
 * Calls fn for every descriptor of every table, with w->src filled, when all
 * of them are in w->tree; then the second one, if there is one, once.
 */
int cap_files_walk(struct cr_capture *c, bool held, cap_file_fn fn,
		   int (*then)(struct cap_files *w, struct cr_error *err),
		   struct cr_error *err);
/* What of src the capture knows. */
void cap_files_source(struct cap_files *w, struct cr_object_source *src);
/*
 * Fills to with fd of ours, which is on its way to src, and will be closed in
 * the end, whatever comes of it.
 */
int cap_files_queued(struct cap_files *w, const struct cr_object_source *src,
		     int fd, struct cr_object_source *to, struct cr_error *err);
/* The same for the i-th that was found in messages; -ENOENT: no more. */
int cap_files_queued_at(struct cap_files *w, size_t i,
			struct cr_object_source *to);
/* The program's own number for who gets the signals of a file, or 0. */
int32_t cap_files_owner(struct cr_capture *c, int type, pid_t id);

/* files.c: who gets the signals of what is looked at */
int cap_file_owner(struct cap_files *w, struct cr_file *f,
		   struct cr_error *err);

#endif
