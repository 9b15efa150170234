/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* internal.h - between the files of libremote */
#ifndef CR_REMOTE_INTERNAL_H
#define CR_REMOTE_INTERNAL_H

#include "remote/remote.h"

/* What the kernel keeps to itself: results that ask for a restart. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

/* PTRACE_SETOPTIONS of a task outside cr_remote_clone3(). */
long cr_remote_options(const struct cr_task *t);

/*
 * Blocks every signal but one (0: none), so that a call of ours is never
 * turned away by one.
 */
int cr_remote_block_signals(struct cr_task *t, int but);
/* Reads the program's mask, which a call of ours changes. */
int cr_remote_note_sigmask(struct cr_task *t);
/* The task ran: its next stop, as wait(2) gives it; -ESRCH: it has ended. */
int cr_remote_next_stop(struct cr_task *t, int *status);
/* A signal on its way to the program is kept for the release. */
void cr_remote_keep_signal(struct cr_task *t, int status);

/* seccomp.c: has the held task, whose filters are suspended, any? */
bool cr_remote_is_filtered(const struct cr_task *t);

/* rest.c */
#define CR_REST_SIZE 32768
#define CR_REST_EXTRA (4096 + 128) /* from here on: memory for arguments */
struct cr_rest {
	long nr;
	uint64_t arg[6];
	uint64_t done; /* is added to the result, and replaces an error */
	/*
	 * It is a ppoll() with the result of the program's call if that finds
	 * nothing; else the program's call is made.
	 */
	bool poll_first;
	int64_t deadline; /* as struct cr_task has it */
};
/* Finds or makes a place; the gadget and the guard must be there. */
int cr_rest_place(struct cr_task *t, struct cr_places *places, uint64_t *at,
		  struct cr_error *err);
/* The piece that the task is in, having made its call again; 0: none. */
uint64_t cr_rest_inside(const struct cr_task *t);
/* Is the task in a call with a deadline?  That, and the call's number. */
int64_t cr_rest_deadline(const struct cr_task *t, long *nr);
/*
 * The held task is now in this call, and goes back from it to where it was,
 * as far as its memory and t->regs are concerned; cr_rest_settle() has the
 * kernel know.
 */
int cr_rest_enter(struct cr_task *t, uint64_t at, const struct cr_rest *rest,
		  struct cr_error *err);
int cr_rest_settle(struct cr_task *t, struct cr_error *err);

/* sleep.c */
/* The content of a "sched" file; false: it does not tell. */
bool cr_sleep_parse(const char *sched, struct cr_sleep *s);

/* guard.c */
/* The task is the one that the guard is made for; after its mask is known. */
int cr_guard_take(struct cr_task *t);
/* Where a call begins; spawn: clone3. */
uint64_t cr_guard_entry(const struct cr_task *t, bool spawn);
bool cr_guard_has_loop(const struct cr_task *t);
uint64_t cr_guard_loop(const struct cr_task *t);
/* Behind the call in the loop. */
uint64_t cr_guard_looped(const struct cr_task *t);

#endif
