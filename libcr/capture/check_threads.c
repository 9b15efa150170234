/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check_threads.c - threads that have something to themselves which as a rule
 * all threads of a process share, and which is saved once for all
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/internal.h"

static bool same_field(const char *a, const char *b, const char *name)
{
	const char *x = cr_procfs_field(a, name);
	const char *y = cr_procfs_field(b, name);
	size_t n = x ? strcspn(x, "\n") : 0;

	return !x || !y || (n == strcspn(y, "\n") && !strncmp(x, y, n));
}

static const struct {
	const char *field, *what;
} fields[] = {
	{"Uid", "user ids"},
	{"Gid", "group ids"},
	{"Groups", "groups"},
	{"CapInh", "capabilities"},
	{"CapPrm", "capabilities"},
	{"CapEff", "capabilities"},
	{"CapBnd", "capabilities"},
	{"CapAmb", "capabilities"},
	{"NoNewPrivs", "no_new_privs setting"},
	{"Seccomp", "seccomp mode"},
};

/*
 * What thread tid has to itself; NULL: nothing.  "leader" is the status of
 * the process' thread that lives, a main thread that has ended has ids only.
 */
static const char *own_thing(const struct cap_proc *p, pid_t tid,
			     const char *leader, const char *status)
{
	size_t i;

	/* 1 or 2: not the same; errors are told elsewhere */
	if (tid != p->pid &&
	    syscall(SYS_kcmp, p->tid, tid, KCMP_FILES, 0, 0) > 0)
		return "descriptors";
	if (tid != p->pid && syscall(SYS_kcmp, p->tid, tid, KCMP_FS, 0, 0) > 0)
		return "current directory";
	for (i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (!same_field(leader, status, fields[i].field))
			return fields[i].what;
	return NULL;
}

static void check_shadow_stack(struct cr_capture *c, const struct cap_proc *p,
			       pid_t tid, const char *status)
{
	struct cr_error why = { 0 };

	if (cap_refuse_shadow_stack(p->vpid, cap_thread_vtid(p, tid), status,
				    &why))
		cap_report(c, "%s", why.text);
}

static void check_thread(struct cr_capture *c, struct cap_proc *p, pid_t tid,
			 const char *leader, bool *traced)
{
	char *status = cr_procfs_read(p->pid, NULL, "task/%d/status", tid);
	const char *what;

	if (!status)
		return; /* gone */
	if (!*traced && tid != p->pid) {
		*traced = cr_procfs_last(status, "TracerPid", 0);
		cap_check_traced(c, p, status);
	}
	check_shadow_stack(c, p, tid, status);
	what = own_thing(p, tid, leader, status);
	if (what)
		cap_report(c, "process %d: thread %d has %s of its "
			   "own, not those of its process, which "
			   "cannot be saved; let it end before the "
			   "checkpoint", p->vpid,
			   cap_thread_vtid(p, tid), what);
	free(status);
}

void cap_check_threads(struct cr_capture *c, struct cap_proc *p)
{
	char *leader = cr_procfs_read(p->tid, NULL, "status");
	int32_t *tids;
	size_t n, i;
	bool traced;

	if (!leader)
		return;
	traced = cr_procfs_last(leader, "TracerPid", 0); /* told already */
	if (cr_procfs_numbers(p->pid, "task", &tids, &n)) {
		free(leader);
		return; /* gone */
	}
	check_shadow_stack(c, p, p->tid, leader);
	cap_check_timers(c, p, n);
	for (i = 0; i < n; i++)
		if (tids[i] != p->tid && !p->omitted)
			check_thread(c, p, tids[i], leader, &traced);
	free(tids);
	free(leader);
}
