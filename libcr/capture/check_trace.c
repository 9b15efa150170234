/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check_trace.c - who traces and is traced: a process has one tracer at most,
 * and what it traces is not part of the image
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

bool cap_check_traced(struct cr_capture *c, struct cap_proc *p,
		      const char *status)
{
	int32_t tracer = cr_procfs_last(status, "TracerPid", 0);
	char name[32];

	if (!tracer)
		return false;
	if (c->opt.flags & CR_CHKPT_PTRACED_SKIP) {
		p->omitted = true;
		return true;
	}
	read_comm(tracer, name);
	cap_report_kind(c, -CR_EPTRACED,
			"process %d: is traced by process %d (%s); detach the "
			"debugger, or leave the process out by --ptraced-skip",
			p->vpid, tracer, name);
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

/* The kernel tells only who is traced: all processes are asked. */
void cap_check_tracers(struct cr_capture *c)
{
	struct cap_proc *tracer;
	int32_t *pids, by;
	char *status;
	size_t n, i;

	if (cr_procfs_pids(&pids, &n))
		return;
	for (i = 0; i < n; i++) {
		status = cr_procfs_read(pids[i], NULL, "status");
		by = status ? cr_procfs_last(status, "TracerPid", 0) : 0;
		free(status);
		tracer = by ? cap_scope_find(c, by) : NULL;
		if (tracer && cap_live(tracer))
			check_pair(c, tracer, pids[i]);
	}
	free(pids);
}
