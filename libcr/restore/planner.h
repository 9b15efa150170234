/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* planner.h - a plan in the making, between plan.c and plan_steps.c */
#ifndef CR_PLANNER_H
#define CR_PLANNER_H

#include "restore/plan.h"

/* Session or group of the restart command itself. */
#define OUTER 0
#define ANY (-1)

/* What is known of a stub while the steps are laid out. */
struct node {
	bool created;
	bool sibling; /* created before its turn, for one that it leads */
	int32_t session, group; /* at this point of the plan */
};

struct planner {
	const struct cr_image *img;
	const struct cr_plan_options *opt;
	struct cr_plan *plan;
	struct node *nodes; /* one per process, then helpers */
	size_t room;	    /* for nodes */
	struct cr_error *err;
};

/* Steps at the end of the plan, with what they change of the nodes. */
int cr_plan_add_create(struct planner *pl, uint32_t stub, int32_t pid,
		       uint32_t creator, uint64_t flags);
int cr_plan_add_setsid(struct planner *pl, uint32_t stub, int32_t pid);
int cr_plan_add_setpgid(struct planner *pl, uint32_t stub, int32_t pgid);
int cr_plan_add_end(struct planner *pl, uint32_t stub, uint32_t creator);
int cr_plan_add_helper(struct planner *pl, uint32_t *stub);

#endif
