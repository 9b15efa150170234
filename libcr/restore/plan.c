/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.c - in which order, and by whom, the processes of a tree are created */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "restore/planner.h"

uint32_t cr_plan_find(const struct cr_image *img, int32_t pid)
{
	for (size_t i = 0; i < img->n_procs; i++)
		if (img->procs[i].pid == pid)
			return (uint32_t)i;
	return CR_NONE;
}

static const struct cr_process *root_of(const struct cr_image *img)
{
	uint32_t i = cr_plan_find(img, img->root_pid);

	return &img->procs[i == CR_NONE ? 0 : i];
}

/* The session a process is in, OUTER if it leads out of the tree. */
static int32_t session_of(const struct planner *pl, const struct cr_process *p)
{
	if (p->sid <= 0)
		return OUTER;
	if (!pl->opt->restore_sid && p->sid == root_of(pl->img)->sid &&
	    cr_plan_find(pl->img, p->sid) == CR_NONE)
		return OUTER;
	return p->sid;
}

static int32_t group_of(const struct planner *pl, const struct cr_process *p)
{
	if (p->pgid <= 0)
		return OUTER;
	if (!pl->opt->restore_pgid && p->pgid == root_of(pl->img)->pgid &&
	    session_of(pl, p) == OUTER &&
	    cr_plan_find(pl->img, p->pgid) == CR_NONE)
		return OUTER;
	return p->pgid;
}

/*
 * The leader of its session, where both have the same parent in the tree: an
 * orphan of the session that its leader's parent has adopted.
 */
static uint32_t leading_sibling(const struct planner *pl, uint32_t i)
{
	const struct cr_image *img = pl->img;
	const struct cr_process *p = &img->procs[i];
	uint32_t leader = cr_plan_find(img, session_of(pl, p));

	if (leader == CR_NONE || leader == i ||
	    img->procs[leader].ppid != p->ppid ||
	    img->procs[leader].exit_signal != p->exit_signal ||
	    cr_plan_find(img, p->ppid) == CR_NONE)
		return CR_NONE;
	return leader;
}

/*
 * The session a process must be born in.  A leader may be born anywhere,
 * unless it has children from the time before it became one.
 */
static int32_t birth_session(const struct planner *pl, uint32_t i)
{
	const struct cr_process *p = &pl->img->procs[i];

	if (leading_sibling(pl, i) != CR_NONE)
		return ANY; /* it makes it */
	if (session_of(pl, p) != p->pid)
		return session_of(pl, p);
	for (size_t c = i + 1; c < pl->img->n_procs; c++) {
		int32_t s;

		if (pl->img->procs[c].ppid != p->pid)
			continue;
		s = birth_session(pl, (uint32_t)c);
		if (s != ANY && s != p->pid)
			return s;
	}
	return ANY;
}

/* CLONE_* for what process i shares with creator. */
static uint64_t shared_flags(const struct cr_image *img, uint32_t i,
			     uint32_t creator)
{
	const struct cr_process *p = &img->procs[i];
	const struct cr_process *q = &img->procs[creator];
	uint64_t flags = 0;

	if (p->kind != CR_PROC_NORMAL || q->kind != CR_PROC_NORMAL)
		return 0;
	if (p->mm == q->mm)
		flags |= CLONE_VM;
	if (p->fds_of == q->fds_of)
		flags |= CLONE_FILES;
	if (p->fs_of == q->fs_of)
		flags |= CLONE_FS;
	if (p->sighand_of == q->sighand_of)
		flags |= CLONE_SIGHAND;
	return flags;
}

/* Everything that process i shares with a process created before it. */
static uint64_t needed_flags(const struct planner *pl, uint32_t i)
{
	uint64_t flags = 0;

	for (uint32_t k = 0; k < pl->img->n_procs; k++)
		if (k != i && pl->nodes[k].created)
			flags |= shared_flags(pl->img, i, k);
	return flags;
}

/* All roots have the supervisor. */
static bool same_parent(const struct cr_image *img, uint32_t a, uint32_t b)
{
	return img->procs[a].ppid == img->procs[b].ppid ||
	       (cr_plan_find(img, img->procs[a].ppid) == CR_NONE &&
		cr_plan_find(img, img->procs[b].ppid) == CR_NONE);
}

/*
 * Who makes process i: its parent, or a sibling with which it shares more
 * (then as that one's sibling, CLONE_PARENT).
 */
static int choose_creator(const struct planner *pl, uint32_t i, uint32_t parent,
			  uint32_t *creator, uint64_t *flags)
{
	const struct cr_image *img = pl->img;
	uint64_t need = needed_flags(pl, i);
	uint32_t leader = leading_sibling(pl, i);

	if (leader != CR_NONE && shared_flags(img, i, leader) == need) {
		*creator = leader;
		*flags = need | CLONE_PARENT;
		return 0;
	}
	*creator = parent;
	*flags = parent == CR_NONE || parent >= img->n_procs
			 ? 0
			 : shared_flags(img, i, parent);
	if (*flags == need)
		return 0;
	for (uint32_t k = 0; k < img->n_procs; k++) {
		const struct cr_process *q = &img->procs[k];

		if (k == i || !pl->nodes[k].created ||
		    !same_parent(img, k, i) ||
		    q->exit_signal != img->procs[i].exit_signal ||
		    shared_flags(img, i, k) != need)
			continue;
		*creator = k;
		*flags = need | CLONE_PARENT;
		return 0;
	}
	return cr_error_set(pl->err, -ENOTSUP,
			    "process %d: it shares memory, descriptors or "
			    "signal actions with a process that is neither "
			    "its parent nor its sibling",
			    img->procs[i].pid);
}

static int plan_process(struct planner *pl, uint32_t i, uint32_t parent);

static int plan_children(struct planner *pl, uint32_t i, bool late)
{
	const struct cr_process *p = &pl->img->procs[i];
	bool leader = session_of(pl, p) == p->pid;

	for (uint32_t c = 0; c < pl->img->n_procs; c++) {
		int32_t birth;
		int ret;

		if (pl->img->procs[c].ppid != p->pid || c == i)
			continue;
		if (pl->nodes[c].created && pl->nodes[c].sibling)
			continue; /* made before its turn */
		birth = birth_session(pl, c);
		if ((leader && (birth == ANY || birth == p->pid)) != late)
			continue;
		ret = plan_process(pl, c, i);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int plan_process(struct planner *pl, uint32_t i, uint32_t parent)
{
	const struct cr_process *p = &pl->img->procs[i];
	int32_t birth = birth_session(pl, i);
	uint32_t creator, leader = leading_sibling(pl, i);
	uint64_t flags;
	int ret;

	if (leader != CR_NONE && !pl->nodes[leader].created) {
		pl->nodes[leader].sibling = true;
		ret = plan_process(pl, leader, parent);
		if (ret < 0)
			return ret;
	}
	if (pl->nodes[i].created)
		return cr_error_set(pl->err, -EINVAL,
				    "process %d is its own ancestor", p->pid);
	ret = choose_creator(pl, i, parent, &creator, &flags);
	if (ret < 0)
		return ret;
	ret = cr_plan_add_create(pl, i, p->pid, creator, flags);
	if (ret < 0)
		return ret;
	if (birth != ANY && birth != pl->nodes[i].session)
		return cr_error_set(pl->err, -ENOTSUP,
				    "process %d: its session %d cannot be "
				    "built again: the leader is gone and its "
				    "parent %d is in another session",
				    p->pid, p->sid, p->ppid);
	ret = plan_children(pl, i, false);
	if (ret < 0)
		return ret;
	if (session_of(pl, p) == p->pid) {
		ret = cr_plan_add_setsid(pl, i, p->pid);
		if (ret < 0)
			return ret;
	}
	return plan_children(pl, i, true);
}

static bool is_root(const struct cr_image *img, uint32_t i)
{
	return cr_plan_find(img, img->procs[i].ppid) == CR_NONE;
}

/*
 * Roots of a session that one outside of it cannot join: a helper in it makes
 * them and ends, and so they become the supervisor's, as they were init's.
 * The helper leads the session if its leader has gone, or is a child of the
 * leader.
 */
static int plan_in_session(struct planner *pl, int32_t session, uint32_t leader)
{
	uint32_t helper;
	int ret;

	ret = cr_plan_add_helper(pl, &helper);
	if (!ret)
		ret = cr_plan_add_create(pl, helper, leader == CR_NONE ? session : 0,
				 leader, 0);
	if (!ret && leader == CR_NONE)
		ret = cr_plan_add_setsid(pl, helper, session);
	for (uint32_t k = 0; !ret && k < pl->img->n_procs; k++)
		if (!pl->nodes[k].created && is_root(pl->img, k) &&
		    birth_session(pl, k) == session)
			ret = plan_process(pl, k, helper);
	return ret ? ret : cr_plan_add_end(pl, helper, leader);
}

/* One root, if it is possible by now. */
static int plan_root(struct planner *pl, uint32_t i, bool *done)
{
	int32_t birth = birth_session(pl, i);
	uint32_t leader = cr_plan_find(pl->img, birth);

	*done = true;
	if (birth == ANY || birth == OUTER)
		return plan_process(pl, i, CR_NONE);
	if (leader == CR_NONE || pl->nodes[leader].session == birth)
		return plan_in_session(pl, birth, leader);
	*done = false;
	return 0;
}

/* Processes whose parent is not in the tree. */
static int plan_roots(struct planner *pl)
{
	const struct cr_image *img = pl->img;
	uint32_t left = CR_NONE;
	bool done, again;

	do { /* a session's leader may be the descendant of a later root */
		again = false;
		left = CR_NONE;
		for (uint32_t i = 0; i < img->n_procs; i++) {
			int ret;

			if (pl->nodes[i].created || !is_root(img, i))
				continue;
			ret = plan_root(pl, i, &done);
			if (ret < 0)
				return ret;
			again |= done;
			if (!done)
				left = i;
		}
	} while (again);
	if (left != CR_NONE)
		return cr_error_set(pl->err, -ENOTSUP,
				    "process %d: its session %d cannot be "
				    "built again: the leader is not in it any "
				    "more",
				    img->procs[left].pid, img->procs[left].sid);
	for (uint32_t i = 0; i < img->n_procs; i++)
		if (!pl->nodes[i].created)
			return cr_error_set(pl->err, -EINVAL,
					    "process %d is its own ancestor",
					    img->procs[i].pid);
	return 0;
}

/* A group whose leader has gone: a helper founds it and goes as well. */
static int plan_dead_group(struct planner *pl, uint32_t first, int32_t pgid)
{
	const struct cr_image *img = pl->img;
	int32_t session = pl->nodes[first].session;
	uint32_t helper;
	int ret;

	ret = cr_plan_add_helper(pl, &helper);
	if (!ret)
		ret = cr_plan_add_create(pl, helper, pgid, first, 0);
	if (!ret)
		ret = cr_plan_add_setpgid(pl, helper, pgid);
	for (uint32_t i = first; !ret && i < img->n_procs; i++) {
		if (group_of(pl, &img->procs[i]) != pgid)
			continue;
		if (pl->nodes[i].session != session)
			return cr_error_set(pl->err, -EINVAL,
					    "process %d: its group %d spans "
					    "two sessions",
					    img->procs[i].pid, pgid);
		ret = cr_plan_add_setpgid(pl, i, pgid);
	}
	if (!ret)
		ret = cr_plan_add_end(pl, helper, first);
	return ret;
}

static int plan_groups(struct planner *pl)
{
	const struct cr_image *img = pl->img;

	for (uint32_t i = 0; i < img->n_procs; i++) {
		const struct cr_process *p = &img->procs[i];

		if (group_of(pl, p) == p->pid && pl->nodes[i].group != p->pid) {
			int ret = cr_plan_add_setpgid(pl, i, p->pid);

			if (ret < 0)
				return ret;
		}
	}
	for (uint32_t i = 0; i < img->n_procs; i++) {
		const struct cr_process *p = &img->procs[i];
		int32_t group = group_of(pl, p);
		uint32_t leader = cr_plan_find(img, group);
		int ret;

		if (pl->nodes[i].group == group)
			continue;
		if (pl->nodes[i].session == p->pid || group == OUTER ||
		    (leader != CR_NONE &&
		     (pl->nodes[leader].session != pl->nodes[i].session ||
		      group_of(pl, &img->procs[leader]) != group)))
			return cr_error_set(pl->err, -ENOTSUP,
					    "process %d: its process group %d "
					    "cannot be built again",
					    p->pid, p->pgid);
		ret = leader == CR_NONE ? plan_dead_group(pl, i, group)
					: cr_plan_add_setpgid(pl, i, group);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int cr_plan_create(struct cr_plan **plan, const struct cr_image *img,
		   const struct cr_plan_options *opt, struct cr_error *err)
{
	struct planner pl = { .img = img, .opt = opt, .err = err };
	int ret;

	*plan = NULL;
	if (!img->n_procs)
		return cr_error_set(err, -EINVAL, "the image has no process");
	pl.plan = calloc(1, sizeof(*pl.plan));
	pl.room = img->n_procs + 4;
	pl.nodes = calloc(pl.room, sizeof(*pl.nodes));
	if (!pl.plan || !pl.nodes) {
		ret = cr_error_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	pl.plan->n_stubs = img->n_procs;
	ret = plan_roots(&pl);
	if (!ret)
		ret = plan_groups(&pl);
	if (!ret) {
		*plan = pl.plan;
		pl.plan = NULL;
	}
out:
	free(pl.nodes);
	cr_plan_destroy(pl.plan);
	return ret;
}

void cr_plan_destroy(struct cr_plan *plan)
{
	if (!plan)
		return;
	free(plan->steps);
	free(plan);
}
