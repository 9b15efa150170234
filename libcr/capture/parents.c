/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parents.c - which thread of its parent a process is the child of
 *
 * It matters for __WNOTHREAD, and for the signal at the parent's death, which
 * comes when that thread ends.
 */
#include <errno.h>
#include <stdlib.h>

#include "capture/internal.h"

/* Of the model: none that is only recorded in part. */
static bool is_child(struct cr_capture *c, const struct cap_proc *p,
		     const struct cap_proc *parent)
{
	return cap_live(p) && p->ppid == parent->pid &&
	       cap_model(c, p)->n_threads;
}

/* Children of this thread; *left is the number of those not found yet. */
static int look_at(struct cr_capture *c, const struct cap_proc *parent,
		   const struct cap_thread *t, size_t *left,
		   struct cr_error *err)
{
	char *list = cr_procfs_read(parent->pid, NULL, "task/%d/children",
				    t->task.tid);
	char *next = list, *end;
	struct cap_proc *p;
	pid_t pid;
	int ret = 0;

	while (next && *left && !ret) {
		pid = (pid_t)strtol(next, &end, 10);
		if (end == next)
			break;
		next = end;
		p = cap_scope_find(c, pid);
		if (!p || !is_child(c, p, parent))
			continue;
		--*left;
		if (t->task.tid != parent->pid && !t->omitted)
			ret = cap_add_setting(c, CR_SETTING_PARENT_THREAD,
					      (uint32_t)p->vpid,
					      (uint64_t)t->vtid, err);
	}
	free(list);
	return ret;
}

/* As a rule the main thread has them all. */
static int read_children(struct cr_capture *c, const struct cap_proc *parent,
			 struct cr_error *err)
{
	struct cap_thread main = { .task.tid = parent->pid };
	size_t i, left = 0;
	int ret;

	for (i = 0; i < c->n_procs; i++)
		left += is_child(c, c->procs[i], parent);
	ret = left ? look_at(c, parent, &main, &left, err) : 0;
	for (i = 0; i < parent->n_threads && left && !ret; i++)
		if (parent->threads[i]->task.tid != parent->pid)
			ret = look_at(c, parent, parent->threads[i], &left,
				      err);
	return ret;
}

int cap_read_parents(struct cr_capture *c, struct cr_error *err)
{
	struct cap_proc *p;
	size_t i;
	int ret = 0;

	for (i = 0; i < c->n_procs && !ret; i++) {
		p = c->procs[i];
		if (cap_live(p) && cap_model(c, p)->n_threads > 1)
			ret = read_children(c, p, err);
	}
	return ret;
}
