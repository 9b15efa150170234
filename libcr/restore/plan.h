/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.h - in which order, and by whom, the processes of a tree are created
 *
 * Pure logic over the model: no process is touched here.  A plan is a list
 * of steps that tree.c carries out one after the other.
 */
#ifndef CR_PLAN_H
#define CR_PLAN_H

#include "common/error.h"
#include "image/model.h"

enum cr_step_kind {
	CR_STEP_CREATE = 1, /* creator makes process pid */
	CR_STEP_SETSID,	    /* it becomes a session leader */
	CR_STEP_SETPGID,    /* it joins or founds the group pgid */
	CR_STEP_END,	    /* the helper is killed and reaped */
};

struct cr_step {
	enum cr_step_kind kind;
	uint32_t stub;	  /* index in cr_image.procs; helpers follow those */
	uint32_t creator; /* CREATE, END: a stub, or CR_NONE: the supervisor */
	uint64_t flags;	  /* CREATE: CLONE_* */
	int32_t pid;	  /* CREATE; 0: any that is free */
	int32_t pgid;	  /* SETPGID */
};

struct cr_plan {
	struct cr_step *steps;
	size_t n_steps;
	size_t n_stubs; /* processes and helpers */
};

struct cr_plan_options {
	/* ids that lead out of the tree: recreate them (else the restart
	   command's own group and session take their place) */
	bool restore_pgid, restore_sid;
};

/*
 * Fails with the process named if its parent, session, group or what it
 * shares cannot be arranged.
 */
int cr_plan_create(struct cr_plan **plan, const struct cr_image *img,
		   const struct cr_plan_options *opt, struct cr_error *err);
void cr_plan_destroy(struct cr_plan *plan);

/* Index of the process with this pid, or CR_NONE. */
uint32_t cr_plan_find(const struct cr_image *img, int32_t pid);

#endif
