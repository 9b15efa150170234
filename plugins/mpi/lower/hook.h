/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook.h - the lower half's system calls as they pass through us
 *
 * Sites in the lower half's text are rewritten (rewrite.c) to come to
 * cr_hook_enter (cross.S), which calls cr_hook_call().  Memory goes into the
 * arena (arena.c), descriptors are recorded (fds.c).
 */
#ifndef CR_LOWER_HOOK_H
#define CR_LOWER_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpi/lower/lower.h"

#define CR_ARENA_TEXT CR_LOWER_START		   /* libraries: 1 GiB */
#define CR_ARENA_THUNKS (CR_LOWER_START + (1UL << 30)) /* above all text */
#define CR_ARENA_THUNKS_SIZE (256UL << 10)
#define CR_ARENA_DATA (CR_LOWER_START + (4UL << 30))
#define CR_ARENA_END (CR_LOWER_START + CR_LOWER_SIZE)

/* A system call: arguments in order, then its number.  Layout: cross.S. */
struct cr_hook_args {
	long a, b, c, d, e, f, nr;
};

/* What the hook knows and counts; zeroed at each boot. */
struct cr_hook {
	int pid;	    /* vfork()'s children only pass through */
	int booting_tid;    /* the thread in ld.so and lh_main; 0: none */
	unsigned long next_data, next_text; /* free addresses of the arena */
	unsigned char *thunk, *thunk_end;
	/* things that keep the process from being checkpointable */
	unsigned int outside;	  /* memory put outside of the arena */
	unsigned int fds_lost;	  /* descriptors above the records */
	unsigned int unpatched;	  /* sites that could not be rewritten */
	unsigned long unpatched_at; /* address of the first one */
	unsigned int no_exec;	  /* text that could not be made writable */
	unsigned int patched;
	/* GS as thread pointer of the lower half (pointer.c) */
	bool two_pointers;
	unsigned int rewritten, left; /* pieces of text: done, not possible */
};
extern struct cr_hook cr_hook CR_LOWER_HIDDEN;

/* Is nr a call that the hook must see? */
bool cr_hook_wants(unsigned int nr) CR_LOWER_HIDDEN;
long cr_hook_call(struct cr_hook_args *r) CR_LOWER_HIDDEN;
/* Entered by the thunks; not a C function. */
void cr_hook_enter(void) CR_LOWER_HIDDEN;

/* ---- memory ---- */

/* The kernel's mmap into a free piece of the arena. */
long cr_arena_map(const struct cr_hook_args *r) CR_LOWER_HIDDEN;
long cr_arena_hook(struct cr_hook_args *r) CR_LOWER_HIDDEN;

/* ---- text ---- */

/* Rewrites the sites in len bytes at text. */
void cr_rewrite(unsigned char *text, size_t len) CR_LOWER_HIDDEN;

/* ---- thread pointer ---- */

/*
 * Makes text, mapped from offset of fd's file, use GS.  False: this library
 * must not be loaded.
 */
bool cr_pointer_rewrite(unsigned char *text, size_t len, int fd,
			size_t offset) CR_LOWER_HIDDEN;
/* The calling thread's control block of the lower half, if GS is in use. */
void cr_pointer_set(unsigned long block) CR_LOWER_HIDDEN;
unsigned long cr_pointer_get(void) CR_LOWER_HIDDEN;
/* Does the program not use GS itself, in this thread? */
bool cr_pointer_is_free(void) CR_LOWER_HIDDEN;

/* ---- processor ---- */

long cr_yield_hook(void) CR_LOWER_HIDDEN;

/* ---- descriptors ---- */

/* Words with a bit for each descriptor that is not saved; may be NULL. */
void cr_fds_init(uint64_t *omitted, size_t words) CR_LOWER_HIDDEN;
bool cr_fds_wants(long nr) CR_LOWER_HIDDEN;
long cr_fds_hook(struct cr_hook_args *r) CR_LOWER_HIDDEN;
/* Is it the lower half's? */
bool cr_fds_has(int fd) CR_LOWER_HIDDEN;
/* And closed when the program executes something? */
bool cr_fds_kept_back(int fd) CR_LOWER_HIDDEN;
/* Left out of checkpoints, by us or by libcr for its own. */
bool cr_fds_omitted(int fd) CR_LOWER_HIDDEN;
/* Highest number that can be recorded, plus one. */
int cr_fds_limit(void) CR_LOWER_HIDDEN;
/*
 * Is what is open as fd the thing that was recorded?  If not the record is
 * dropped.
 */
bool cr_fds_verify(int fd) CR_LOWER_HIDDEN;
/* Drops all records; close_them: closes the descriptors, verified. */
void cr_fds_clear(bool close_them) CR_LOWER_HIDDEN;
/*
 * Around a fork() of the program: whatever the lower half has opened by then
 * is on record.
 */
void cr_fds_fork_begins(void) CR_LOWER_HIDDEN;
void cr_fds_fork_ends(bool in_child) CR_LOWER_HIDDEN;
/*
 * Makes r a call whose descriptors close at execve(2); had its caller asked
 * for that?
 */
bool cr_exec_closes(struct cr_hook_args *r) CR_LOWER_HIDDEN;

#endif
