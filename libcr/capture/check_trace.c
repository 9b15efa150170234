/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check_trace.c - who traces and is traced: a process has one tracer at most,
 * and what it traces is not part of the image
 *
 * So a process that another one traces cannot be looked at, whatever policy is
 * asked for: the registers of its threads are shown to their tracer only.
 */
#include <stdlib.h>
#include <string.h>

#include "capture/internal.h"

static void read_comm(pid_t pid, char name[32])
{
	char *comm = cr_procfs_read(pid, NULL, "comm");
	size_t n = comm ? strcspn(comm, "\n") : 0;

	n = n < 31 ? n : 31;
	memcpy(name, comm ? comm : "?", comm ? n : 1);
	name[comm ? n : 1] = '\0';
	free(comm);
}

/* The process of a thread that traces, or 0. */
static pid_t tracer_in(const char *status)
{
	pid_t tid = cr_procfs_last(status, "TracerPid", 0), pid = tid;
	char *its = tid ? cr_procfs_read(tid, NULL, "status") : NULL;

	if (its)
		pid = cr_procfs_last(its, "Tgid", tid);
	free(its);
	return pid;
}

bool cap_check_traced(struct cr_capture *c, struct cap_proc *p,
		      const char *status)
{
	pid_t tracer = tracer_in(status);
	char name[32];

	if (!tracer)
		return false;
	if (c->opt.flags & CR_CHKPT_PTRACED_SKIP) {
		p->omitted = true;
		return true;
	}
	read_comm(tracer, name);
	cap_report_kind(c, -CR_EPTRACED,
			"process %d: is traced by process %d (%s)%s; detach "
			"the debugger, or leave the process out by "
			"--ptraced-skip",
			p->vpid, tracer, name,
			c->opt.flags & CR_CHKPT_PTRACED_ALLOW
				? ", which --ptraced-allow cannot do away "
				  "with, as the kernel lets only one look at "
				  "its state"
				: "");
	return false;
}

static void check_pair(struct cr_capture *c, struct cap_proc *tracer,
		       pid_t traced)
{
	struct cap_proc *p = cap_scope_find(c, traced);
	char name[32];

	if (c->opt.flags & CR_CHKPT_PTRACER_SKIP) {
		tracer->omitted = true;
		return;
	}
	read_comm(traced, name);
	cap_report_kind(c, -CR_EPTRACER,
			"process %d: is tracing process %d (%s), which would "
			"not be so after a restart; let it go, or leave the "
			"debugger out by --ptracer-skip",
			tracer->vpid, p ? p->vpid : traced, name);
}

/* Is this thread traced at all?  By one of ours: told. */
static bool look_for_tracer(struct cr_capture *c, pid_t pid, pid_t tid)
{
	char *status = cr_procfs_read(pid, NULL, "task/%d/status", tid);
	pid_t by = status ? tracer_in(status) : 0;
	struct cap_proc *tracer = by ? cap_scope_find(c, by) : NULL;

	free(status);
	if (tracer && cap_live(tracer))
		check_pair(c, tracer, pid);
	return by != 0;
}

/*
 * The kernel tells only who is traced: all processes are asked, and of those
 * to be saved all threads.
 */
void cap_check_tracers(struct cr_capture *c)
{
	int32_t *pids, *tids;
	size_t n, m, i, k;

	if (cr_procfs_pids(&pids, &n))
		return;
	for (i = 0; i < n; i++) {
		if (look_for_tracer(c, pids[i], pids[i]) ||
		    !cap_scope_find(c, pids[i]) ||
		    cr_procfs_numbers(pids[i], "task", &tids, &m))
			continue;
		for (k = 0; k < m; k++)
			if (tids[k] != pids[i] &&
			    look_for_tracer(c, pids[i], tids[k]))
				break;
		free(tids);
	}
	free(pids);
}
