/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote.h - hold tasks with ptrace, read them, make them call the kernel
 *
 * A cr_task is one thread of a process, held by the calling thread as its
 * tracer (ptrace(2): all calls for a task must come from the thread that
 * seized it).  Ids here are those of the caller's pid namespace.
 *
 * All functions return 0 or -errno and fill err.
 */
#ifndef CR_REMOTE_H
#define CR_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "common/error.h"

struct cr_task {
	pid_t tid, tgid;
	bool held;	 /* in a ptrace stop */
	bool group_stop; /* it was in a job control stop before */
	struct user_regs_struct regs; /* as the program had them */
	uint64_t gadget; /* address of a "syscall" instruction (in its vdso) */
	uint64_t scratch;      /* a page mapped in it for arguments, 0: none */
	size_t scratch_size;
};

/* PTRACE_SEIZE: the task runs on. exitkill: it dies if the tracer dies. */
int cr_remote_seize(struct cr_task *t, pid_t tid, bool exitkill,
		    struct cr_error *err);
/*
 * Stops it where no one can see: no signal, no EINTR.  A signal that happens
 * to be delivered meanwhile is put back and not lost.  -ESRCH if it is gone.
 */
int cr_remote_stop(struct cr_task *t, struct cr_error *err);
/* The same in two steps, to stop many at once. */
int cr_remote_interrupt(struct cr_task *t, struct cr_error *err);
int cr_remote_wait_stop(struct cr_task *t, struct cr_error *err);
/*
 * Puts t->regs back and lets go; an interrupted system call is restarted by
 * the kernel as if nothing had happened.
 */
int cr_remote_release(struct cr_task *t, struct cr_error *err);

/* Finds the system call instruction; needed before cr_remote_syscall(). */
int cr_remote_find_gadget(struct cr_task *t, struct cr_error *err);
/*
 * Has the stopped task make one system call; *ret is its result as the
 * kernel gives it (-errno in the range -4095..-1).  t->regs is not changed.
 * The return value says whether the call could be made.
 */
int cr_remote_syscall(struct cr_task *t, int64_t *ret, long nr, uint64_t a0,
		      uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
		      uint64_t a5, struct cr_error *err);
/*
 * clone3 in the task; the new task is seized by the caller as well (EXITKILL
 * iff the parent has it), stopped before its first instruction, and
 * returned in *child.  args: struct clone_args, copied through scratch.
 */
struct clone_args;
int cr_remote_clone3(struct cr_task *t, const struct clone_args *args,
		     struct cr_task *child, struct cr_error *err);
/* Maps / unmaps t->scratch. */
int cr_remote_map_scratch(struct cr_task *t, size_t size, struct cr_error *err);
int cr_remote_unmap_scratch(struct cr_task *t, struct cr_error *err);

/* Memory of the task's process, readable or not as far as the kernel lets. */
int cr_remote_read(pid_t pid, uint64_t addr, void *buf, size_t len,
		   struct cr_error *err);
int cr_remote_write(pid_t pid, uint64_t addr, const void *buf, size_t len,
		    struct cr_error *err);

/* Register sets and signal state of a stopped task (ptrace(2)). */
int cr_remote_get_xstate(struct cr_task *t, void **data, size_t *len,
			 struct cr_error *err); /* malloc'ed */
int cr_remote_set_xstate(struct cr_task *t, const void *data, size_t len,
			 struct cr_error *err);
int cr_remote_get_sigmask(struct cr_task *t, uint64_t *mask,
			  struct cr_error *err);
int cr_remote_set_sigmask(struct cr_task *t, uint64_t mask,
			  struct cr_error *err);
/*
 * What the registers must be in a process that starts anew from them: an
 * interrupted call is made again (ip -= 2, ax = orig_ax; for
 * -ERESTART_RESTARTBLOCK see the .c), orig_ax = -1.
 */
void cr_remote_regs_for_restart(struct user_regs_struct *regs);

#endif
