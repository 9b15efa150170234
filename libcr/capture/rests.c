/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rests.c - transfers that the stop cut short go on, see remote/short.c, and
 * who waits for a limited time waits for what is left, see remote/timeout.c
 */
#include <errno.h>

#include "capture/internal.h"

/*
 * A thread that a restart leaves out, or puts where it was earlier, never
 * leaves its piece of memory, which the program would have for ever: where
 * the kernel does not go on with its time-out it begins anew.
 */
static int drop_unsaved(struct cr_capture *c, struct cap_proc *p,
			struct cr_error *err)
{
	struct cap_thread *t;
	size_t i;
	int ret;

	if (!p->has_control)
		return 0;
	p->tid = p->threads[0]->task.tid;
	ret = cap_read_control(c, p, err);
	for (i = 0; i < p->n_threads && !ret; i++) {
		t = p->threads[i];
		if (!t->timed)
			continue;
		cap_judge_thread(p, t);
		t->timed = !t->omitted && !t->rollback;
		p->n_timed -= !t->timed;
	}
	return ret;
}

/* Is there anything to do?  Before any thread makes a call for us. */
static bool any(struct cap_proc *p)
{
	struct cap_thread *t;
	bool some = false;
	size_t i;

	p->n_timed = 0;
	for (i = 0; i < p->n_threads; i++) {
		t = p->threads[i];
		t->timed = cr_remote_note_timeout(&t->task,
						  t->slept ? &t->sleep : NULL);
		p->n_timed += t->timed;
		some |= t->timed || cr_remote_is_short(&t->task);
	}
	return some;
}

/* Where there is no room the call begins anew, as it did before. */
static int keep_timeouts(struct cap_proc *p, struct cr_places *places,
			 struct cr_error *err)
{
	size_t i;
	int ret = 0;

	if (p->n_timed)
		cr_remote_make_places(&p->threads[0]->task, places, p->n_timed,
				      NULL);
	for (i = 0; i < p->n_threads && !ret; i++)
		if (p->threads[i]->timed)
			ret = cr_remote_keep_timeout(&p->threads[i]->task,
						     places, err);
	return ret;
}

static int make_rests(struct cr_capture *c, struct cap_proc *p,
		      struct cr_error *err)
{
	struct cr_task *leader = &p->mm_of->threads[0]->task, *t;
	struct cr_places places = { 0 };
	size_t i;
	int ret;

	ret = cr_remote_find_gadget(leader, err);
	if (!ret)
		ret = cap_guard(c, p->mm_of, err);
	if (!ret)
		ret = drop_unsaved(c, p, err);
	for (i = 0; i < p->n_threads && !ret; i++) {
		t = &p->threads[i]->task;
		t->gadget = leader->gadget;
		t->guard = &p->mm_of->guard;
		ret = cr_remote_make_rest(t, &places, err);
	}
	if (!ret)
		ret = keep_timeouts(p, &places, err);
	cr_remote_forget_places(&places);
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
		if (!cap_live(p))
			continue;
		ret = cap_refuse_filters(p, err);
		if (ret || !any(p))
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
