/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture.h - save one process tree: request, stop, snapshot, resume, store
 *
 * The order of calls is that of the phases; a job's agent puts its barriers
 * between them.  One capture belongs to one thread (it is the tracer), a
 * process may have many threads or children with a capture each.
 * cr_capture_destroy() at any moment undoes what is pending: the program
 * runs on untouched and no file is left.
 */
#ifndef CR_CAPTURE_H
#define CR_CAPTURE_H

#include <sys/types.h>

#include "common/error.h"
#include "engine/engine.h"
#include "image/model.h"
#include "image/writer.h"
#include "libcr.h"

struct cr_capture;

struct cr_capture_options {
	cr_scope_t scope;
	pid_t target; /* in the caller's pid namespace */
	/*
	 * Launchers: processes of the tree for which this returns true are
	 * recorded as CR_PROC_RESPAWNED and their descendants left out.
	 * exe: /proc/PID/exe, argv0: of its command line.  NULL: none.
	 */
	bool (*is_launcher)(pid_t pid, const char *exe, void *arg);
	void *is_launcher_arg;
	/* hold back from QUIESCE until cr_capture_quiesce(), see runtime;
	   and a callback's permanent failure kills nothing */
	bool coordinated;
	double timeout; /* seconds for callbacks, 0: none */
	enum { CR_SNAPSHOT_AUTO, CR_SNAPSHOT_FORK, CR_SNAPSHOT_COPY } snapshot;
	enum cr_engine_choice engine; /* who writes the snapshot's pages */
	/* CR_CHKPT_DUMP_*: the content of mapped files; CR_CHKPT_PTRACED_SKIP
	   and _PTRACER_SKIP */
	unsigned int flags;
	bool drop_connections; /* what leads out comes back as reset */
	int afterwards;	   /* signal to the processes afterwards, 0: none */
	const char *dest;  /* path of the context file, told to callbacks */
	bool (*cancelled)(void *arg); /* polled while waiting; may be NULL */
	void *cancelled_arg;
};

struct cr_capture_stats { /* for --verbose, bench and the agent */
	double callbacks_s, stop_s, snapshot_s, store_s;
	uint64_t bytes, module_bytes; /* of which the module wrote so many */
	unsigned int processes, threads;
};

int cr_capture_create(struct cr_capture **c,
		      const struct cr_capture_options *opt,
		      struct cr_error *err);
/*
 * Looks at everything without stopping anything.  Each obstacle is one line
 * handed to report (process, object, why, what to do); the result is their
 * number or -errno, and cr_capture_obstacle() the kind of the first:
 * -CR_EPTRACED, -CR_EPTRACER, or -CR_ENOSUPPORT for all others.
 */
int cr_capture_check(struct cr_capture *c,
		     void (*report)(const char *line, void *arg), void *arg,
		     struct cr_error *err);
int cr_capture_obstacle(const struct cr_capture *c);
/*
 * Runs the callbacks of every process that has libcr up to cr_checkpoint().
 * -CR_ETEMPFAIL and so on when one refuses.  Does cr_capture_check() first
 * unless that has been done and found nothing.  coordinated: up to, not
 * including, quiesce.
 */
int cr_capture_request(struct cr_capture *c, struct cr_error *err);
/* coordinated only: the libraries' quiesce handlers (MPI: drain). */
int cr_capture_quiesce(struct cr_capture *c, struct cr_error *err);
/* Stops all tasks, reads their state, makes the memory snapshot. */
int cr_capture_snapshot(struct cr_capture *c, struct cr_error *err);
/* The program runs on (or gets "afterwards"). */
int cr_capture_resume(struct cr_capture *c, struct cr_error *err);
/* Writes the image; call after resume (or before, to hold the program). */
int cr_capture_store(struct cr_capture *c, struct cr_writer *w,
		     struct cr_error *err);
/* The model, valid after cr_capture_snapshot(). */
struct cr_image *cr_capture_image(struct cr_capture *c);
const struct cr_capture_stats *cr_capture_stats(const struct cr_capture *c);
void cr_capture_destroy(struct cr_capture *c);

#endif
