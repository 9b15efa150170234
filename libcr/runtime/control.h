/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.h - what libcr inside a program tells the checkpointer outside
 *
 * A process with libcr has one private mapping of a memory file called
 * "libcr-control" (so that it can be found in /proc/PID/maps without
 * stopping anything), whose beginning is this structure.  The program's side
 * writes it, capture reads it, restore writes the fields marked so.  After
 * fork() the copy is the child's; "pid" tells a stale one.
 *
 * Fixed layout, version in front: a checkpointer refuses a version that it
 * does not know.
 */
#ifndef CR_CONTROL_H
#define CR_CONTROL_H

#include <stdint.h>

#include "libcr_ext.h" /* struct cr_rollback */

#define CR_CONTROL_NAME "libcr-control"
#define CR_CONTROL_MAGIC 0x6c72746e6f437263ULL /* "crContrl" */
#define CR_CONTROL_VERSION 1
#define CR_CONTROL_SIZE (256u << 10) /* bytes mapped */

#define CR_CONTROL_OMIT_RANGES 128
#define CR_CONTROL_OMIT_THREADS 512
#define CR_CONTROL_OMIT_FDS 8192 /* bits */
#define CR_CONTROL_ROLLBACKS CR_ROLLBACK_SLOTS

#define CR_CONTROL_OMIT 1 /* always: libcr_omit is linked */
/*
 * From requests that name the process, which mean its descendants; and then
 * those of its descendants that say the same.  The restart command.
 */
#define CR_CONTROL_OMIT_ROOT 2

struct cr_control {
	uint64_t magic;
	uint32_t version, size;
	int32_t pid;	    /* whose control block this is */
	int32_t helper_tid; /* libcr's thread: gets CR_SIGNUM; 0: none */
	uint32_t omit_process; /* CR_CONTROL_OMIT*; 0: not */
	uint32_t not_checkpointable; /* count of reasons; text below */
	char reason[256];	     /* the first reason, for the refusal */

	/* not to be saved */
	uint32_t n_omit_ranges, n_omit_threads;
	struct {
		uint64_t start, len; /* len 0: slot free */
	} omit_range[CR_CONTROL_OMIT_RANGES];
	int32_t omit_thread[CR_CONTROL_OMIT_THREADS]; /* tid, 0: free */
	uint64_t omit_fd[CR_CONTROL_OMIT_FDS / 64];
	uint64_t omit_thread_fs_start, omit_thread_fs_len;
		/* threads whose FS base lies here are omitted unless they
		   have an active rollback */

	struct cr_rollback rollback[CR_CONTROL_ROLLBACKS];

	/* written by restore */
	uint64_t restarts;	  /* how often this process was restored */
	uint64_t restart_env;	  /* address of a mapping made by restore: */
	uint64_t restart_env_len; /* NUL-terminated NAME=VALUE, one after
				     the other; libcr unmaps it.  Restore
				     also empties the omit lists above */
	int32_t restart_requester; /* pid of the restart command */
	char restart_src[4096];	   /* path of the context file */

	/* signals on top of calls that are rolled back: see libcr_ext.h */
	uint64_t delivery_code, delivery_code_len;
	uint64_t delivered[CR_CONTROL_ROLLBACKS]; /* of the slot of the same
						     number; restore empties
						     them */
};

#endif
