/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan_steps.c - the steps of a plan */
#include <errno.h>
#include <stdlib.h>

#include "restore/planner.h"

static struct cr_step *add_step(struct planner *pl, enum cr_step_kind kind,
				uint32_t stub)
{
	struct cr_plan *plan = pl->plan;
	struct cr_step *s;

	if (!(plan->n_steps & (plan->n_steps - 1))) {
		size_t room = plan->n_steps ? plan->n_steps * 2 : 1;

		s = realloc(plan->steps, room * sizeof(*s));
		if (!s) {
			cr_error_set(pl->err, -ENOMEM, "out of memory");
			return NULL;
		}
		plan->steps = s;
	}
	s = &plan->steps[plan->n_steps++];
	*s = (struct cr_step){ .kind = kind, .stub = stub, .creator = CR_NONE };
	return s;
}

int cr_plan_add_create(struct planner *pl, uint32_t stub, int32_t pid,
		      uint32_t creator, uint64_t flags)
{
	struct cr_step *s = add_step(pl, CR_STEP_CREATE, stub);

	if (!s)
		return -ENOMEM;
	s->pid = pid;
	s->creator = creator;
	s->flags = flags;
	pl->nodes[stub].created = true;
	pl->nodes[stub].session =
		creator == CR_NONE ? OUTER : pl->nodes[creator].session;
	pl->nodes[stub].group =
		creator == CR_NONE ? OUTER : pl->nodes[creator].group;
	return 0;
}

int cr_plan_add_setsid(struct planner *pl, uint32_t stub, int32_t pid)
{
	if (!add_step(pl, CR_STEP_SETSID, stub))
		return -ENOMEM;
	pl->nodes[stub].session = pid;
	pl->nodes[stub].group = pid;
	return 0;
}

int cr_plan_add_setpgid(struct planner *pl, uint32_t stub, int32_t pgid)
{
	struct cr_step *s = add_step(pl, CR_STEP_SETPGID, stub);

	if (!s)
		return -ENOMEM;
	s->pgid = pgid;
	pl->nodes[stub].group = pgid;
	return 0;
}

int cr_plan_add_end(struct planner *pl, uint32_t stub, uint32_t creator)
{
	struct cr_step *s = add_step(pl, CR_STEP_END, stub);

	if (!s)
		return -ENOMEM;
	s->creator = creator;
	return 0;
}

int cr_plan_add_helper(struct planner *pl, uint32_t *stub)
{
	if (pl->plan->n_stubs == pl->room) {
		size_t room = pl->room * 2;
		struct node *n = realloc(pl->nodes, room * sizeof(*n));

		if (!n)
			return cr_error_set(pl->err, -ENOMEM, "out of memory");
		pl->nodes = n;
		pl->room = room;
	}
	*stub = (uint32_t)pl->plan->n_stubs++;
	pl->nodes[*stub] = (struct node){ 0 };
	return 0;
}
