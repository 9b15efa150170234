/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * namespaces.c - a program that sees another system than we do
 *
 * A restart takes place in the namespaces of cr_restart, or in such that it
 * makes (pid, mount, user, IPC, time), in which all but the ids looks alike.
 * What differs in more than that would come back into another system.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/internal.h"

/* Is this namespace of process a that of b?  Yes if nobody may know. */
static bool same(pid_t a, pid_t b, const char *name)
{
	char *one = cr_procfs_link(a, "ns/%s", name);
	char *two = cr_procfs_link(b, "ns/%s", name);
	bool yes = !one || !two || !strcmp(one, two);

	free(one);
	free(two);
	return yes;
}

/* Has it a capability?  It means less in a user namespace of its own. */
static bool is_privileged(pid_t tid)
{
	char *status = cr_procfs_read(tid, NULL, "status");
	const char *p = status ? cr_procfs_field(status, "CapPrm") : NULL;
	bool yes = !p || strtoull(p, NULL, 16);

	free(status);
	return yes;
}

/* Are users and groups in it called what we call them? */
static bool same_names(pid_t tid, const char *map)
{
	char *text = cr_procfs_read(tid, NULL, "%s", map);
	unsigned int inside, outside;
	const char *p = text;
	bool yes = text;

	while (yes && *p) {
		yes = sscanf(p, "%u %u", &inside, &outside) == 2 &&
		      inside == outside;
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	free(text);
	return yes;
}

/*
 * What is mounted where: "device root place" in lines, after an empty one, of
 * the places below a directory, by their names from there.  Not what a restart
 * mounts itself.
 */
static char *mounts(pid_t tid, const char *below)
{
	char *text = cr_procfs_read(tid, NULL, "mountinfo"), *line, *save;
	int n = strcmp(below, "/") ? (int)strlen(below) : 0;
	char *to = text ? malloc(2 * strlen(text) + 2) : NULL, *end = to;
	int device, place, behind;
	const char *type, *name;

	if (to)
		end = stpcpy(to, "\n");
	for (line = to ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		behind = 0;
		sscanf(line, "%*d %*d %n%*s %*s %n%*s%n", &device, &place,
		       &behind);
		name = line + place + n;
		type = strstr(line, " - ");
		if (!behind || !type || strncmp(line + place, below, n) ||
		    (*name != '/' && name != line + behind) ||
		    !strncmp(type, " - proc ", 8) ||
		    !strncmp(type, " - devpts ", 10))
			continue;
		end += sprintf(end, "%.*s%.*s\n", place - device,
			       line + device, behind - place - n, name);
		if (name == line + behind)
			end = stpcpy(end - 1, "/\n");
	}
	free(text);
	return to;
}

/* Is each line of a in b? */
static bool all_in(const char *a, const char *b)
{
	const char *end;

	for (; a[1]; a = end) {
		end = strchr(a + 1, '\n');
		if (!memmem(b, strlen(b), a, (size_t)(end - a) + 1))
			return false;
	}
	return true;
}

/*
 * Is what it sees mounted what a restart would see?  We may have more: what
 * was mounted since (somebody's home, say) need not have come to it.
 */
static bool sees_ours(pid_t tid)
{
	char *root = cr_procfs_link(tid, "root");
	char *its = mounts(tid, "/");
	char *ours = root ? mounts(getpid(), root) : NULL;
	bool yes = !its || !ours || all_in(its, ours);

	free(root);
	free(its);
	free(ours);
	return yes;
}

/* The first of the scope, and so all of them, against ourselves. */
static void check_root(struct cr_capture *c, const struct cap_proc *p)
{
	static const struct {
		const char *name, *what;
	} whole[] = { { "net", "network" }, { "uts", "host name (uts)" } };
	const char *other = NULL;

	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
		if (!same(p->tid, getpid(), whole[i].name))
			other = whole[i].what;
	if (!same(p->tid, getpid(), "mnt") && !sees_ours(p->tid))
		other = "mount";
	if (!same(p->tid, getpid(), "user") &&
	    (is_privileged(p->tid) || !same_names(p->tid, "uid_map") ||
	     !same_names(p->tid, "gid_map")))
		other = "user";
	if (other)
		cap_report(c,
			   "process %d: is in a %s namespace of its own, and a "
			   "restart would not be; run cr_checkpoint, and "
			   "cr_restart later, in it (nsenter -a -t %d)",
			   p->vpid, other, p->pid);
}

/* All processes of the scope must see the same system. */
void cap_check_namespaces(struct cr_capture *c, const struct cap_proc *p)
{
	static const char *const names[] = { "pid", "mnt",  "net", "ipc",
					     "uts", "user", "time" };
	struct cap_proc *root = cap_scope_root(c);

	if (!root)
		return; /* told elsewhere */
	if (p->vpid == 1)
		cap_report(c,
			   "process 1: is the first process of a pid "
			   "namespace, whose place is cr_restart's; have an "
			   "init run it (as docker run --init does), and "
			   "checkpoint it below that");
	if (p == root)
		check_root(c, p);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!same(p->tid, root->tid, names[i]))
			cap_report(c,
				   "process %d: is in another %s namespace "
				   "than process %d, which cannot be saved; "
				   "checkpoint it by itself",
				   p->vpid, names[i], root->vpid);
}
