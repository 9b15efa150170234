/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.h - rebuild a process tree from a context file: verify, create,
 * fill, release
 *
 * cr_restore_run() verifies everything, then forks a supervisor, which is
 * the parent of the restored root (and, in namespaces made for the purpose,
 * pid 1).  The supervisor builds every process as a stub that it holds with
 * ptrace and fills by remote system calls; none executes an instruction of
 * the program before all are complete.  If the supervisor or the caller dies
 * before the release, all are killed.
 */
#ifndef CR_RESTORE_H
#define CR_RESTORE_H

#include <signal.h>

#include "common/error.h"
#include "engine/engine.h"
#include "image/reader.h"
#include "libcr.h"

struct cr_restore_context;

#define CR_RESTORE_GROWN 4

struct cr_restore_options {
	const char *path; /* of the context file, for messages and for
			     cr_get_restart_info() */
	enum { CR_PIDS_AUTO, CR_PIDS_HOST, CR_PIDS_NAMESPACE } pids;
	enum cr_engine_choice engine;
	const struct cr_rstrt_relocate *relocate; /* NULL: none */
	/* these may have grown: what is behind stays, and is written behind */
	const char *grown[CR_RESTORE_GROWN];
	int n_grown;
	/* files opened for appending that have grown: what was added stays, is
	   moved aside, or is an obstacle */
	enum cr_restore_append {
		CR_APPEND_KEEP,
		CR_APPEND_CUT,
		CR_APPEND_FAIL
	} append;
	char **environment; /* handed to libcr in the restored processes
			       (cr_restart_environment()) and to respawned
			       launchers as overrides; NULL: environ */
	int stdio[3];	    /* what CR_OBJ_STDIO becomes; usually 0, 1, 2 */
	bool verify_only;   /* --check */
	/* with it: told each thing that stands in the way, one line; NULL:
	   the first is the error */
	void (*found)(const char *text, void *arg);
	void *found_arg;
	/* ids that lead out of the tree; else the caller's own take their
	   place */
	bool restore_pgid, restore_sid;
	/*
	 * Is the caller, with the supervisor, part of checkpoints?  MAYBE: not
	 * of those that name it, which mean the restarted tree.
	 */
	enum { CR_OMIT_MAYBE, CR_OMIT_ALWAYS, CR_OMIT_NEVER } omit;
	int signal; /* sent to every process at the release, 0: none */
};

/* Progress and result, told in the caller. */
struct cr_restore_status {
	pid_t supervisor, root; /* in the caller's pid namespace */
	int root_pidfd;
	int wait_status; /* of the root, as wait(2) */
	double verify_s, create_s, fill_s;
	bool own_namespace; /* made for this restart */

	/* restore only */
	int channel;   /* from the supervisor */
	int signals;   /* signalfd of those to be forwarded, which are blocked */
	sigset_t mask; /* the caller's own */
	pid_t *others; /* children that the caller had before */
	size_t n_others;
};

/*
 * Brings the tree back and returns once it runs; err has the reason if not.
 * After that cr_restore_wait() gives the root's wait status, forwarding
 * the signals that the caller gets meanwhile: from the release of the tree
 * until cr_restore_end() they are blocked.
 */
int cr_restore_run(struct cr_reader *r, const struct cr_restore_options *opt,
		   struct cr_restore_status *st, struct cr_error *err);
int cr_restore_wait(struct cr_restore_status *st, struct cr_error *err);
/* Forgets the restart; a tree that still runs ends. */
void cr_restore_end(struct cr_restore_status *st);

/* wait.c: blocks the signals; they are let through until the tree may run. */
int cr_restore_hold_signals(struct cr_restore_status *st, struct cr_error *err);
/* Until the supervisor says something. */
void cr_restore_listen(struct cr_restore_status *st);

/* For objects/: a place to remember what an object_id became. */
int cr_restore_lookup(struct cr_restore_context *ctx, uint32_t kind,
		      uint64_t object_id, int which, int *fd);
int cr_restore_remember(struct cr_restore_context *ctx, uint32_t kind,
			uint64_t object_id, int which, int fd);
/* Path after --relocate; the result is the context's. */
const char *cr_restore_path(struct cr_restore_context *ctx, const char *path);
/* Is path (after --relocate) one of those that may have grown? */
bool cr_restore_grown(struct cr_restore_context *ctx, const char *path);
enum cr_restore_append cr_restore_append(struct cr_restore_context *ctx);
/* Is this the context file itself? */
struct stat;
bool cr_restore_is_image(struct cr_restore_context *ctx, const struct stat *st);
int cr_restore_stdio(struct cr_restore_context *ctx, int n);
/*
 * Fills a file with shared memory of the image; what the processes map of it
 * is then this file.  It must be as long as the memory or its last page.
 */
int cr_restore_shared(struct cr_restore_context *ctx, uint32_t shm, int fd,
		      struct cr_error *err);
const struct cr_image *cr_restore_image(const struct cr_restore_context *ctx);
/* What restore() made of an open file of the image, by its index. */
int cr_restore_file(struct cr_restore_context *ctx, uint32_t file);
/* For connect(): a number by which process pid has it; -1. */
int cr_restore_fd_of(struct cr_restore_context *ctx, int32_t pid,
		     const struct cr_file *file);
/*
 * For connect(): has process pid make a system call, with a pointer to a copy
 * of data as argument number at (none if data is NULL).  Its result, or
 * -errno with err filled.
 */
int cr_restore_call(struct cr_restore_context *ctx, int32_t pid,
		    const char *what, long nr, const uint64_t args[6], int at,
		    const void *data, size_t len, struct cr_error *err);

#endif
