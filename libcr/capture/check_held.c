/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check_held.c - what only a thread that stands still tells, and what would
 * be in the way of the calls that it is to make for us
 */
#include <asm/ldt.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>

#include "capture/internal.h"

#ifndef PTRACE_GET_THREAD_AREA
#define PTRACE_GET_THREAD_AREA 25
#endif
#define GET_SYSCALL_USER_DISPATCH 0x4211 /* since Linux 6.4 */
#define FIRST_SEGMENT 12 /* of three that set_thread_area(2) makes */

static bool has_dispatch(pid_t tid)
{
	struct {
		uint64_t mode, selector, offset, len;
	} config = { 0 };

	return !ptrace((enum __ptrace_request)GET_SYSCALL_USER_DISPATCH, tid,
		       (void *)sizeof(config), &config) &&
	       config.mode;
}

static bool has_segment(pid_t tid)
{
	struct user_desc d;

	for (long i = FIRST_SEGMENT; i < FIRST_SEGMENT + 3; i++) {
		memset(&d, 0, sizeof(d));
		if (!ptrace((enum __ptrace_request)PTRACE_GET_THREAD_AREA, tid,
			    (void *)i, &d) &&
		    (d.base_addr || d.limit))
			return true;
	}
	return false;
}

static int refuse(const struct cap_proc *p, const struct cap_thread *t,
		  const char *what, struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "process %d: thread %d %s, as emulators of other "
			    "systems have it, which cannot be saved; have the "
			    "program turn it off before the checkpoint",
			    p->vpid, cap_thread_vtid(p, t->task.tid), what);
}

int cap_check_held(struct cr_capture *c, struct cr_error *err)
{
	for (size_t i = 0; i < c->n_procs; i++) {
		const struct cap_proc *p = c->procs[i];

		for (size_t k = 0; k < p->n_threads; k++) {
			const struct cap_thread *t = p->threads[k];

			if (has_dispatch(t->task.tid))
				return refuse(p, t, "has its system calls "
					      "dispatched (PR_SET_SYSCALL_"
					      "USER_DISPATCH)", err);
			if (has_segment(t->task.tid))
				return refuse(p, t, "has a segment for 32-bit "
					      "code (set_thread_area(2))",
					      err);
		}
	}
	return 0;
}
