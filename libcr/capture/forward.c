/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forward.c - what callbacks add to the scope (cr_forward_checkpoint())
 *
 * The ids come as the program sees them.  The requester may be root and the
 * program not: it is the program's user who must own what it asks for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/internal.h"

int cap_add_root(struct cr_capture *c, const struct cap_root *root)
{
	struct cap_root *more;

	more = realloc(c->roots, (c->n_roots + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	c->roots = more;
	more[c->n_roots++] = *root;
	return 0;
}

/* Real, effective and saved user id. */
static bool read_uids(const char *status, unsigned int uid[3])
{
	const char *p = cr_procfs_field(status, "Uid");

	return p && sscanf(p, "%u %u %u", &uid[0], &uid[1], &uid[2]) == 3;
}

static bool owns(const struct cap_root *root, const char *status)
{
	unsigned int uid[3];

	if (root->anybody)
		return true;
	return read_uids(status, uid) && uid[0] == root->uid &&
	       uid[1] == root->uid && uid[2] == root->uid;
}

/*
 * The memory of a process that nobody else is to see belongs to root, whoever
 * the process runs as.  0, -ESRCH: it has gone, -EPERM.
 */
static int check_memory(const struct cap_root *root, pid_t pid)
{
	struct stat st;
	char path[64];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? -ESRCH : -EPERM;
	if (fstat(fd, &st) || (!root->anybody && st.st_uid != root->uid))
		ret = -EPERM;
	close(fd);
	return ret;
}

/* May this process be in the scope because of this root?  0 or -EPERM. */
int cap_forward_allowed(const struct cap_root *root, pid_t pid,
			const char *status, struct cr_error *err)
{
	const char *state = cr_procfs_field(status, "State");

	if (!root->by)
		return 0;
	if (owns(root, status) &&
	    ((state && *state == 'Z') || check_memory(root, pid) != -EPERM))
		return 0;
	return cr_error_set(err, -EPERM,
			    "process %d: process %d forwarded the request to "
			    "it, but may not: it belongs to somebody else",
			    cr_procfs_last(status, "NSpid", pid), root->by);
}

/* Our number for an id of the pid namespace that process from is in; 0. */
static pid_t translate(pid_t from, cr_scope_t scope, pid_t target)
{
	const char *name = scope == CR_SCOPE_PGRP   ? "NSpgid"
			   : scope == CR_SCOPE_SESS ? "NSsid"
						    : "NSpid";
	char *theirs = cr_procfs_link(from, "ns/pid"), *status, *ns;
	struct cr_procfs_stat st;
	int32_t *pids = NULL;
	pid_t found = 0;
	size_t n = 0, i;

	if (theirs && cr_procfs_pids(&pids, &n))
		n = 0;
	for (i = 0; i < n && !found; i++) {
		status = cr_procfs_read(pids[i], NULL, "status");
		if (status && cr_procfs_last(status, name, 0) == target &&
		    !cr_procfs_stat(pids[i], &st)) {
			ns = cr_procfs_link(pids[i], "ns/pid");
			if (ns && !strcmp(ns, theirs))
				found = scope == CR_SCOPE_PGRP	 ? st.pgrp
					: scope == CR_SCOPE_SESS ? st.session
								 : pids[i];
			free(ns);
		}
		free(status);
	}
	free(pids);
	free(theirs);
	return found;
}

/* Scans with one more root; on failure all is as it was. */
static int scan_with(struct cr_capture *c, const struct cap_root *root)
{
	size_t n_procs = c->n_procs, n_roots = c->n_roots, added, i;
	struct cap_proc *p;
	int ret;

	for (i = 0; i < n_procs; i++)
		c->procs[i]->had_tree = c->procs[i]->tree;
	ret = cap_add_root(c, root);
	if (!ret)
		ret = cap_scope_scan(c, &added, NULL);
	p = cap_scope_find(c, root->target);
	if (!ret && p && p->zombie &&
	    (root->scope == CR_SCOPE_PROC || root->scope == CR_SCOPE_TREE))
		ret = -ESRCH;
	if (!ret)
		return 0;
	cap_scope_cut(c, n_procs, n_roots);
	for (i = 0; i < n_procs; i++)
		c->procs[i]->tree = c->procs[i]->had_tree;
	return ret;
}

int cap_forward(void *arg, pid_t from, cr_scope_t scope, pid_t target)
{
	struct cap_root root = { .scope = scope, .target = target };
	struct cr_capture *c = arg;
	struct cap_proc *p = cap_scope_find(c, from);
	char *status = cr_procfs_read(from, NULL, "status");
	unsigned int uid[3];
	bool known;
	int ret;

	known = p && status && read_uids(status, uid);
	free(status);
	if (!known)
		return -ESRCH;
	root.by = p->vpid;
	root.uid = uid[1];
	root.anybody = uid[1] == 0;
	if (p->nested)
		root.target = translate(from, scope, target);
	if (!root.target)
		return -ESRCH;
	if ((root.target == c->self || root.target == c->command) &&
	    (scope == CR_SCOPE_PROC || scope == CR_SCOPE_TREE))
		return -EDEADLK;
	ret = scan_with(c, &root);
	if (!ret)
		c->checked = false; /* what is new is not */
	return ret;
}
