/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * object.h - one kind of open thing: how to save it and how to bring it back
 *
 * A new kind is one new file with one cr_object_ops, named in the table of
 * object.c, and one test.
 */
#ifndef CR_OBJECT_H
#define CR_OBJECT_H

#include <sys/stat.h>
#include <sys/types.h>

#include "common/error.h"
#include "image/model.h"
#include "remote/remote.h"

/* An open file description as capture sees it from outside. */
struct cr_object_source {
	pid_t pid; /* a process that has it, in the caller's namespace */
	int32_t vpid; /* the same as the program sees it, for messages */
	int fd;	   /* its number there */
	char link[4096];    /* /proc/PID/fd/N */
	struct stat st;	    /* of /proc/PID/fd/N */
	char fdinfo[16384]; /* /proc/PID/fdinfo/N */
	int local;	    /* a duplicate in the caller (pidfd_getfd), or -1
			       before anything is stopped */
	struct cr_task *task; /* a stopped thread of pid, or NULL before */
};

/* What capture knows of the whole tree, for objects that span processes. */
struct cr_object_tree;
/* Does some process of the tree hold another end of the same object? */
bool cr_object_tree_has_peer(const struct cr_object_tree *tree,
			     const struct cr_object_source *src);

struct cr_restore_context; /* restore.h */

struct cr_object_ops {
	enum cr_object_kind kind;
	const char *name; /* "pipe", for messages */
	/* Is this one of yours?  (Order in the table decides.) */
	bool (*claims)(const struct cr_object_source *src,
		       const struct cr_object_tree *tree);
	/*
	 * Can it be saved?  0, or the reason with what to do in err.  Called
	 * before anything is stopped.  NULL: always.
	 */
	int (*check)(const struct cr_object_source *src, struct cr_error *err);
	/* Fills file beyond what is common (flags, offset, owner, kind). */
	int (*capture)(const struct cr_object_source *src,
		       struct cr_file *file, struct cr_error *err);
	/* Before any process is created: is what it needs there? */
	int (*verify)(const struct cr_image *img, const struct cr_file *file,
		      struct cr_error *err);
	/*
	 * Opens it in the supervisor (the process that builds the tree) and
	 * returns the descriptor, or -errno.  Stubs inherit it.  Objects with
	 * several files (pipes) are made on the first call for an object_id
	 * and looked up in ctx by the next.
	 */
	int (*restore)(struct cr_restore_context *ctx,
		       const struct cr_file *file, struct cr_error *err);
};

/* The kind that claims src; NULL and a reason in err if there is none. */
const struct cr_object_ops *
cr_object_find(const struct cr_object_source *src,
	       const struct cr_object_tree *tree, struct cr_error *err);
const struct cr_object_ops *cr_object_ops_of(uint32_t kind);

#endif
