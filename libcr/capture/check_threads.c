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
			     const char *leader)
{
	const char *what = NULL;
	char *status;
	size_t i;

	/* 1 or 2: not the same; errors are told elsewhere */
	if (tid != p->pid &&
	    syscall(SYS_kcmp, p->tid, tid, KCMP_FILES, 0, 0) > 0)
		return "descriptors";
	if (tid != p->pid && syscall(SYS_kcmp, p->tid, tid, KCMP_FS, 0, 0) > 0)
		return "current directory";
	status = cr_procfs_read(p->pid, NULL, "task/%d/status", tid);
	for (i = 0; status && !what && i < sizeof(fields) / sizeof(*fields);
	     i++)
		if (!same_field(leader, status, fields[i].field))
			what = fields[i].what;
	free(status);
	return what;
}

void cap_check_threads(struct cr_capture *c, struct cap_proc *p)
{
	char *leader = cr_procfs_read(p->tid, NULL, "status");
	const char *what;
	int32_t *tids;
	size_t n, i;

	if (!leader)
		return;
	if (cr_procfs_numbers(p->pid, "task", &tids, &n)) {
		free(leader);
		return; /* gone */
	}
	cap_check_timers(c, p, n);
	for (i = 0; i < n; i++) {
		what = tids[i] == p->tid ? NULL
					 : own_thing(p, tids[i], leader);
		if (what)
			cap_report(c, "process %d: thread %d has %s of its "
				   "own, not those of its process, which "
				   "cannot be saved; let it end before the "
				   "checkpoint", p->vpid,
				   cap_thread_vtid(p, tids[i]), what);
	}
	free(tids);
	free(leader);
}
