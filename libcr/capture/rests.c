/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rests.c - transfers that the stop cut short go on, see remote/short.c */
#include "capture/internal.h"

static bool any_short(const struct cap_proc *p)
{
	size_t i;

	for (i = 0; i < p->n_threads; i++)
		if (cr_remote_is_short(&p->threads[i]->task))
			return true;
	return false;
}

static int make_rests(struct cr_capture *c, struct cap_proc *p,
		      struct cr_error *err)
{
	struct cr_task *leader = &p->mm_of->threads[0]->task, *t;
	size_t i;
	int ret;

	ret = cr_remote_find_gadget(leader, err);
	if (!ret)
		ret = cap_guard(c, p->mm_of, err);
	for (i = 0; i < p->n_threads && !ret; i++) {
		t = &p->threads[i]->task;
		t->gadget = leader->gadget;
		t->guard = &p->mm_of->guard;
		ret = cr_remote_make_rest(t, err);
	}
	/* the others of this memory know nothing of the guard */
	return ret ? ret : cr_remote_unguard(leader, err);
}

/* Of all that are held; before the first of them runs or is looked at. */
int cap_make_rests(struct cr_capture *c, struct cr_error *err)
{
	bool shared = false;
	struct cap_proc *p;
	size_t i;
	int ret = 0;

	for (i = 0; i < c->n_procs && !ret; i++) {
		p = c->procs[i];
		if (!cap_live(p) || !any_short(p))
			continue;
		ret = shared ? 0 : cap_share(c, err);
		shared = true;
		if (!ret)
			ret = make_rests(c, p, err);
		if (ret)
			cr_error_prefix(err, "process %d", p->vpid);
	}
	return ret;
}
