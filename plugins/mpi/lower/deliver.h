/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deliver.h - how a signal gets to the program's handler */
#ifndef CR_LOWER_DELIVER_H
#define CR_LOWER_DELIVER_H

/* Addresses and layouts for trampoline.S; deliver.c compares them. */
#define CR_DELIVER_ARENA 0x200000000000
#define CR_DELIVER_ARENA_SHIFT 40	/* its size is 1 TiB */
#define CR_DELIVER_UPPER_OFFSET 8	/* in struct cr_lower */
#define CR_DELIVER_TLS_UPPER 8		/* in struct cr_lower_tls */
#define CR_DELIVER_SLOT 24		/* in struct cr_lower_thread */
#define CR_DELIVER_LIST 32

#ifndef __ASSEMBLER__
#include <signal.h>

#include "mpi/lower/lower.h"

typedef void (*cr_action_fn)(int, siginfo_t *, void *);

/* What the program has set for a signal. */
struct cr_action {
	cr_action_fn run;
	int flags;
	uint64_t mask;
};

/* What the kernel begins, with all signals blocked; not a C function. */
void cr_deliver(int sig, siginfo_t *info, void *context) CR_LOWER_HIDDEN;
extern const char cr_deliver_code[], cr_deliver_code_end[] CR_LOWER_HIDDEN;

/* Called by it, on any FS base. */
void cr_deliver_on_top(struct cr_delivery *d, int sig,
		       struct cr_lower_thread *self) CR_LOWER_HIDDEN;
void cr_deliver_plain(int sig, siginfo_t *info, void *context) CR_LOWER_HIDDEN;

/*
 * What handlers are to be run for sig from now on; what was there before.
 * Async-signal-safe.  -ENOSPC: more different ones than can be remembered.
 */
int cr_action_set(int sig, const struct cr_action *action) CR_LOWER_HIDDEN;
struct cr_action cr_action_get(int sig) CR_LOWER_HIDDEN;
#endif

#endif
