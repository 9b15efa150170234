/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * step.c - a copy of a thread runs on until it is out of a piece of code
 *
 * Instruction by instruction.  Only for a task that dies with its tracer: one
 * that loses its tracer in the middle of a step would get a SIGTRAP.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "remote/internal.h"

#define MOST_STEPS 4096 /* the vdso takes about 50, unless a clock is set */
#define TRAP_FLAG 0x100ULL
#define RESUME_FLAG 0x10000ULL

/* One instruction; false: a signal, or whatever else. */
static bool step(const struct cr_task *t)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, t->tid, 0, 0) < 0)
		return false;
	while (waitpid(t->tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return false;
	return WIFSTOPPED(status) && status >> 8 == SIGTRAP;
}

/* It would make its call again, which may be another one by now. */
static bool is_in_call(const struct user_regs_struct *r)
{
	if ((int64_t)r->orig_rax < 0)
		return false;
	switch ((int64_t)r->rax) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		return true;
	default:
		return false;
	}
}

bool cr_remote_step_out(struct cr_task *t, struct user_regs_struct *regs,
			uint64_t start, uint64_t end)
{
	struct user_regs_struct r = *regs;
	int n;

	if (!t->exitkill || is_in_call(&r) || r.eflags & TRAP_FLAG)
		return false;
	r.orig_rax = -1ULL;
	t->called = true; /* it is elsewhere now */
	if (ptrace(PTRACE_SETREGS, t->tid, 0, &r) < 0)
		return false;
	for (n = 0; n < MOST_STEPS && r.rip - start < end - start; n++)
		if (!step(t) || ptrace(PTRACE_GETREGS, t->tid, 0, &r) < 0)
			return false;
	if (r.rip - start < end - start)
		return false;
	r.eflags &= ~RESUME_FLAG;
	r.orig_rax = -1ULL;
	*regs = r;
	return true;
}
