/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scope.c - which processes belong to the request */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/internal.h"

#define PASSES 8 /* a tree that stands still needs two */

struct cap_proc *cap_scope_find(struct cr_capture *c, pid_t pid)
{
	size_t i;

	for (i = 0; i < c->n_procs; i++)
		if (c->procs[i]->pid == pid && !c->procs[i]->ended)
			return c->procs[i];
	return NULL;
}

pid_t cap_living(pid_t pid, char main_state)
{
	struct cr_procfs_stat st;
	pid_t found = 0;
	int32_t *tids;
	size_t n, i;

	if (main_state != 'Z')
		return pid;
	if (cr_procfs_numbers(pid, "task", &tids, &n))
		return 0;
	for (i = 0; i < n && !found; i++)
		if (!cr_procfs_stat(tids[i], &st) && st.state != 'Z' &&
		    st.state != 'X')
			found = tids[i];
	free(tids);
	return found;
}

static void free_proc(struct cap_proc *p)
{
	size_t i;

	for (i = 0; i < p->n_threads; i++)
		free(p->threads[i]);
	free(p->threads);
	cr_rendezvous_destroy(p->rendezvous);
	free(p->control);
	free(p->status);
	free(p->smaps);
	free(p);
}

void cap_scope_cut(struct cr_capture *c, size_t n_procs, size_t n_roots)
{
	while (c->n_procs > n_procs)
		free_proc(c->procs[--c->n_procs]);
	c->n_roots = n_roots;
}

void cap_scope_free(struct cr_capture *c)
{
	cap_scope_cut(c, 0, 0);
	free(c->procs);
	free(c->roots);
	c->procs = NULL;
	c->roots = NULL;
}

static bool is_launcher(struct cr_capture *c, pid_t pid)
{
	bool yes = false;
	char *exe;

	if (!c->opt.is_launcher)
		return false;
	exe = cr_procfs_link(pid, "exe");
	if (exe)
		yes = c->opt.is_launcher(pid, exe, c->opt.is_launcher_arg);
	free(exe);
	return yes;
}

/* NSpid has one number for each namespace from ours to its own. */
static bool is_nested(const char *status)
{
	const char *p = cr_procfs_field(status, "NSpid");

	return p && strcspn(p, "\t ") < strcspn(p, "\n");
}

/*
 * Adds pid because of a root, and with "tree" its children, too; *changed
 * counts what is new.
 */
static int add(struct cr_capture *c, pid_t pid, size_t root, bool tree,
	       size_t *changed, struct cr_error *err)
{
	struct cap_proc **more, *new = cap_scope_find(c, pid);
	struct cr_procfs_stat st;
	char *status;
	int ret;

	if (new) {
		*changed += tree && !new->tree;
		new->tree |= tree;
		return 0;
	}
	if (pid == c->self || pid == c->command)
		return 0;
	if (cr_procfs_stat(pid, &st) || st.state == 'X')
		return 0; /* gone */
	status = cr_procfs_read(pid, NULL, "status");
	if (!status)
		return 0;
	ret = cap_forward_allowed(&c->roots[root], pid, status, err);
	if (ret) {
		free(status);
		return ret;
	}
	more = realloc(c->procs, (c->n_procs + 1) * sizeof(*more));
	if (more)
		c->procs = more;
	new = calloc(1, sizeof(*new));
	if (!more || !new) {
		free(new);
		free(status);
		return cr_error_set(err, -ENOMEM, "out of memory");
	}
	new->pid = pid;
	new->tid = cap_living(pid, st.state);
	new->zombie = !new->tid;
	if (new->zombie)
		new->tid = pid;
	new->vpid = cr_procfs_last(status, "NSpid", pid);
	new->nested = is_nested(status);
	new->ppid = st.ppid;
	new->stat = st;
	new->launcher = !new->zombie && is_launcher(c, new->tid);
	new->index = CR_NONE;
	new->root = root;
	new->tree = tree;
	free(status);
	c->procs[c->n_procs++] = new;
	++*changed;
	return 0;
}

/* Its children belong to the scope. */
static bool has_tree(const struct cap_proc *p)
{
	return p->tree && !p->launcher && !p->omitted && !p->zombie;
}

/* Children by /proc/PID/task/TID/children; -ENOENT where it is not there. */
static int add_children(struct cr_capture *c, struct cap_proc *p,
			size_t *changed, struct cr_error *err)
{
	char *list, *s, *end;
	int32_t *tids;
	size_t n, i;
	int ret;

	ret = cr_procfs_numbers(p->pid, "task", &tids, &n);
	if (ret)
		return 0; /* gone */
	for (i = 0; i < n; i++) {
		list = cr_procfs_read(p->pid, NULL, "task/%d/children",
				      tids[i]);
		if (!list && errno == ENOENT &&
		    access("/proc/thread-self/children", R_OK)) {
			ret = -ENOENT;
			break;
		}
		for (s = list; s && *s && !ret; s = end) {
			pid_t pid = (pid_t)strtol(s, &end, 10);

			if (end == s)
				break;
			ret = add(c, pid, p->root, true, changed, err);
		}
		free(list);
		if (ret)
			break;
	}
	free(tids);
	return ret;
}

/* One pass over all processes: those of a group or session. */
static int add_members(struct cr_capture *c, size_t root, size_t *changed,
		       struct cr_error *err)
{
	struct cap_root *r = &c->roots[root];
	struct cr_procfs_stat st;
	int32_t *pids;
	size_t n, i;
	int ret;

	ret = cr_procfs_pids(&pids, &n);
	if (ret)
		return cr_error_set(err, ret, "/proc: %s", strerror(-ret));
	for (i = 0; i < n && !ret; i++) {
		if (cr_procfs_stat(pids[i], &st) ||
		    r->target !=
			    (r->scope == CR_SCOPE_PGRP ? st.pgrp : st.session))
			continue;
		ret = add(c, pids[i], root, false, changed, err);
		r->found = true;
	}
	free(pids);
	return ret;
}

/* The same for children, on a kernel that does not list them. */
static int add_by_parent(struct cr_capture *c, size_t *changed,
			 struct cr_error *err)
{
	struct cr_procfs_stat st;
	struct cap_proc *p;
	int32_t *pids;
	size_t n, i;
	int ret;

	ret = cr_procfs_pids(&pids, &n);
	if (ret)
		return cr_error_set(err, ret, "/proc: %s", strerror(-ret));
	for (i = 0; i < n && !ret; i++) {
		if (cr_procfs_stat(pids[i], &st))
			continue;
		p = cap_scope_find(c, st.ppid);
		if (p && has_tree(p))
			ret = add(c, pids[i], p->root, true, changed, err);
	}
	free(pids);
	return ret;
}

/*
 * All descendants of those whose children belong to the scope.  A tree that
 * forks all the time has new ones in every pass, and only the stop ends that:
 * whoever stops it looks again for those that came since.
 */
static int scan_trees(struct cr_capture *c, struct cr_error *err)
{
	size_t i, changed = 1;
	int pass, ret = 0;

	for (pass = 0; pass < PASSES && changed && !ret; pass++) {
		changed = 0;
		for (i = 0; i < c->n_procs && !ret; i++)
			if (has_tree(c->procs[i]))
				ret = add_children(c, c->procs[i], &changed,
						   err);
		if (ret == -ENOENT)
			ret = add_by_parent(c, &changed, err);
	}
	return ret;
}

/*
 * Those that were found earlier may have ended since.  held: all threads that
 * there are are held, and who has none has ended whatever it looks like.
 */
void cap_note_ended(struct cr_capture *c, bool held)
{
	struct cr_procfs_stat st;
	struct cap_proc *p;
	pid_t living;
	size_t i;

	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		if (p->n_threads || p->ended ||
		    (held && (p->launcher || p->omitted)))
			continue;
		if (cr_procfs_stat(p->pid, &st) || st.state == 'X' ||
		    st.start_time != p->stat.start_time ||
		    (held && st.state != 'Z')) {
			p->ended = true;
			p->omitted = true;
			continue;
		}
		living = held ? 0 : cap_living(p->pid, st.state);
		p->tid = living ? living : p->pid;
		if (!living && st.state == 'Z') {
			p->zombie = true;
			p->stat = st;
		}
	}
}

static int scan_root(struct cr_capture *c, size_t i, struct cr_error *err)
{
	static const char *const what[] = { "process", "process group",
					    "session", "process" };
	struct cap_root *r = &c->roots[i];
	size_t changed = 0;
	int ret = 0;

	switch (r->scope) {
	case CR_SCOPE_PROC:
	case CR_SCOPE_TREE:
		if (r->found)
			return 0;
		ret = add(c, r->target, i, r->scope == CR_SCOPE_TREE, &changed,
			  err);
		r->found = cap_scope_find(c, r->target) != NULL;
		break;
	case CR_SCOPE_PGRP:
	case CR_SCOPE_SESS:
		ret = add_members(c, i, &changed, err);
		break;
	default:
		return cr_error_set(err, -EINVAL, "unknown scope %d", r->scope);
	}
	if (!ret && !r->found)
		ret = cr_error_set(err, -ESRCH, "%s %d: no such %s",
				   what[r->scope], r->target, what[r->scope]);
	return ret;
}

/*
 * Looks for processes of the scope that are not known yet; *added is their
 * number.  Called again and again, before the stop and under it.
 */
int cap_scope_scan(struct cr_capture *c, size_t *added, struct cr_error *err)
{
	size_t before = c->n_procs, i;
	int ret = 0;

	cap_note_ended(c, false);
	for (i = 0; i < c->n_roots && !ret; i++)
		ret = scan_root(c, i, err);
	if (!ret)
		ret = scan_trees(c, err);
	*added = c->n_procs - before;
	return ret;
}

static int by_age(const void *a, const void *b)
{
	const struct cap_proc *x = *(struct cap_proc *const *)a;
	const struct cap_proc *y = *(struct cap_proc *const *)b;

	if (x->stat.start_time != y->stat.start_time)
		return x->stat.start_time < y->stat.start_time ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* Where after i the parent of process i is; n_procs if it is not. */
static size_t late_parent(const struct cr_capture *c, size_t i)
{
	size_t k;

	for (k = i + 1; k < c->n_procs; k++)
		if (!c->procs[k]->ended &&
		    c->procs[k]->pid == c->procs[i]->ppid)
			break;
	return k;
}

/*
 * The oldest first, but parents always before children: ids and start times
 * of the same clock tick say nothing.
 */
void cap_scope_order(struct cr_capture *c)
{
	struct cr_procfs_stat st;
	struct cap_proc *p;
	size_t i, k;

	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		if (p->ended)
			continue;
		if (!cr_procfs_stat(p->pid, &st))
			p->ppid = st.ppid;
		else /* a zombie that somebody outside has reaped */
			p->ended = p->omitted = true;
	}
	if (c->n_procs)
		qsort(c->procs, c->n_procs, sizeof(*c->procs), by_age);
	for (i = 0; i < c->n_procs; i++)
		while ((k = late_parent(c, i)) < c->n_procs) {
			p = c->procs[k];
			memmove(&c->procs[i + 1], &c->procs[i],
				(k - i) * sizeof(*c->procs));
			c->procs[i] = p;
		}
}

/*
 * What the request named, or the leader of the group or session; where that
 * is not saved the first that is.
 */
struct cap_proc *cap_scope_root(struct cr_capture *c)
{
	struct cap_proc *p = cap_scope_find(c, c->opt.target);
	size_t i;

	if (p && !p->zombie && !p->omitted)
		return p;
	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		if (!p->zombie && !p->omitted)
			return p;
	}
	return NULL;
}
