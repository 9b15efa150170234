/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scope.c - which processes belong to the request */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/internal.h"

struct cap_proc *cap_scope_find(struct cr_capture *c, pid_t pid)
{
	size_t i;

	for (i = 0; i < c->n_procs; i++)
		if (c->procs[i]->pid == pid && !c->procs[i]->ended)
			return c->procs[i];
	return NULL;
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

void cap_scope_free(struct cr_capture *c)
{
	size_t i;

	for (i = 0; i < c->n_procs; i++)
		free_proc(c->procs[i]);
	free(c->procs);
	c->procs = NULL;
	c->n_procs = 0;
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

/* Adds pid unless it is known or ours; *p NULL if it was not added. */
static int add(struct cr_capture *c, pid_t pid, struct cap_proc **p,
	       struct cr_error *err)
{
	struct cap_proc **more, *new;
	struct cr_procfs_stat st;
	char *status;

	*p = NULL;
	if (pid == c->self || pid == c->command || cap_scope_find(c, pid))
		return 0;
	if (cr_procfs_stat(pid, &st) || st.state == 'X')
		return 0; /* gone */
	status = cr_procfs_read(pid, NULL, "status");
	if (!status)
		return 0;
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
	new->vpid = cr_procfs_last(status, "NSpid", pid);
	new->nested = is_nested(status);
	new->ppid = st.ppid;
	new->stat = st;
	new->zombie = st.state == 'Z';
	new->launcher = !new->zombie &&is_launcher(c, pid);
	new->index = CR_NONE;
	free(status);
	c->procs[c->n_procs++] = new;
	*p = new;
	return 0;
}

/* Children by /proc/PID/task/TID/children; -ENOENT where it is not there. */
static int add_children(struct cr_capture *c, struct cap_proc *p, size_t *added,
			struct cr_error *err)
{
	char *list, *s, *end;
	struct cap_proc *child;
	int32_t *tids;
	size_t n, i;
	int ret;

	if (p->launcher || p->omitted || p->zombie)
		return 0; /* its children are not ours */
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
			ret = add(c, pid, &child, err);
			if (child)
				++*added;
		}
		free(list);
		if (ret)
			break;
	}
	free(tids);
	return ret;
}

/* One pass over all processes of the machine. */
static int add_matching(struct cr_capture *c, size_t *added,
			struct cr_error *err)
{
	struct cr_procfs_stat st;
	struct cap_proc *p;
	int32_t *pids;
	size_t n, i;
	bool yes;
	int ret;

	ret = cr_procfs_pids(&pids, &n);
	if (ret)
		return cr_error_set(err, ret, "/proc: %s", strerror(-ret));
	for (i = 0; i < n && !ret; i++) {
		if (cr_procfs_stat(pids[i], &st))
			continue;
		switch (c->opt.scope) {
		case CR_SCOPE_PGRP:
			yes = st.pgrp == c->opt.target;
			break;
		case CR_SCOPE_SESS:
			yes = st.session == c->opt.target;
			break;
		case CR_SCOPE_TREE:
			p = cap_scope_find(c, st.ppid);
			yes = p && !p->launcher && !p->omitted;
			break;
		default:
			yes = false;
		}
		if (!yes)
			continue;
		ret = add(c, pids[i], &p, err);
		if (p)
			++*added;
	}
	free(pids);
	return ret;
}

static int scan_tree(struct cr_capture *c, size_t *added, struct cr_error *err)
{
	size_t i, before;
	int ret = 0;

	for (i = 0; i < c->n_procs && !ret; i++)
		ret = add_children(c, c->procs[i], added, err);
	if (ret != -ENOENT)
		return ret;
	do { /* a kernel without children files */
		before = *added;
		ret = add_matching(c, added, err);
	} while (!ret && *added != before);
	return ret;
}

/* Parents before children, the target first, then by pid. */
static int by_age(const void *a, const void *b)
{
	const struct cap_proc *x = *(struct cap_proc *const *)a;
	const struct cap_proc *y = *(struct cap_proc *const *)b;

	if (x->stat.start_time != y->stat.start_time)
		return x->stat.start_time < y->stat.start_time ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* Those that were found earlier may have ended since. */
static void note_ended(struct cr_capture *c)
{
	struct cr_procfs_stat st;
	struct cap_proc *p;
	size_t i;

	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		if (p->n_threads || p->ended)
			continue;
		if (cr_procfs_stat(p->pid, &st) || st.state == 'X' ||
		    st.start_time != p->stat.start_time) {
			p->ended = true;
			p->omitted = true;
		} else if (st.state == 'Z') {
			p->zombie = true;
		}
	}
}

/*
 * Looks for processes of the scope that are not known yet; *added is their
 * number.  Called again and again, before the stop and under it.
 */
int cap_scope_scan(struct cr_capture *c, size_t *added, struct cr_error *err)
{
	struct cap_proc *p;
	int ret;

	*added = 0;
	note_ended(c);
	switch (c->opt.scope) {
	case CR_SCOPE_PROC:
	case CR_SCOPE_TREE:
		if (!c->n_procs) {
			ret = add(c, c->opt.target, &p, err);
			if (ret)
				return ret;
			if (!p)
				return cr_error_set(err, -ESRCH,
						    "process %d: no such "
						    "process",
						    c->opt.target);
			++*added;
		}
		return c->opt.scope == CR_SCOPE_TREE ? scan_tree(c, added, err)
						     : 0;
	case CR_SCOPE_PGRP:
	case CR_SCOPE_SESS:
		ret = add_matching(c, added, err);
		if (!ret && !c->n_procs)
			return cr_error_set(
				err, -ESRCH, "%s %d: no such %s",
				c->opt.scope == CR_SCOPE_PGRP ? "process group"
							      : "session",
				c->opt.target,
				c->opt.scope == CR_SCOPE_PGRP ? "process group"
							      : "session");
		if (!ret && *added)
			qsort(c->procs, c->n_procs, sizeof(*c->procs), by_age);
		return ret;
	}
	return cr_error_set(err, -EINVAL, "unknown scope %d", c->opt.scope);
}
