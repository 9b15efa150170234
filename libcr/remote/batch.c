/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * batch.c - many system calls of a held task at the price of one stop
 *
 * A loop of the guard makes the calls of a table in the scratch memory.  The
 * last of them is a signal to itself that the program does not notice: the
 * tracer gets it first, and without a tracer the kernel ignores it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "remote/internal.h"

static int one_by_one(struct cr_task *t, struct cr_remote_call *c, size_t n,
		      struct cr_error *err)
{
	int ret = 0;

	for (; n && !ret; n--, c++)
		ret = cr_remote_syscall(t, &c->ret, c->nr, c->arg[0], c->arg[1],
					c->arg[2], c->arg[3], c->arg[4],
					c->arg[5], err);
	return ret;
}

/* Is this stop the signal at the end of the loop? */
static bool at_end(struct cr_task *t, int status)
{
	struct user_regs_struct r;

	return status >> 16 == 0 && WSTOPSIG(status) == t->quiet &&
	       ptrace(PTRACE_GETREGS, t->tid, 0, &r) == 0 &&
	       r.rip == cr_guard_looped(t) && r.rbp == 1;
}

static int run(struct cr_task *t, size_t n)
{
	struct user_regs_struct r = t->regs;
	int status, ret;

	r.rbx = t->table;
	r.rbp = n;
	r.rip = cr_guard_loop(t);
	r.eflags &= ~0x10100ULL;
	r.orig_rax = -1ULL;
	t->called = true;
	if (ptrace(PTRACE_SETREGS, t->tid, 0, &r) < 0)
		return -errno;
	ret = cr_remote_block_signals(t, t->quiet);
	while (!ret) {
		if (ptrace(PTRACE_CONT, t->tid, 0, 0) < 0)
			return -errno;
		ret = cr_remote_next_stop(t, &status);
		if (!ret && at_end(t, status))
			break;
		if (!ret)
			cr_remote_keep_signal(t, status);
	}
	return ret;
}

static int run_table(struct cr_task *t, struct cr_remote_call *calls, size_t n,
		     struct cr_error *err)
{
	const struct cr_remote_call last = {
		.nr = SYS_tgkill,
		.arg = { (uint64_t)t->own_tgid, (uint64_t)t->own_tid,
			 (uint64_t)t->quiet },
	};
	size_t len = n * sizeof(*calls);
	int ret;

	ret = cr_remote_write(t->tid, t->table, calls, len, err);
	if (!ret)
		ret = cr_remote_write(t->tid, t->table + len, &last,
				      sizeof(last), err);
	if (!ret)
		ret = run(t, n + 1);
	if (!ret)
		ret = cr_remote_read(t->tid, t->table, calls, len, err);
	return ret;
}

int cr_remote_batch(struct cr_task *t, struct cr_remote_call *calls, size_t n,
		    struct cr_error *err)
{
	int ret;

	if (!t->table || n < 2 || (n + 1) * sizeof(*calls) > t->table_size)
		return one_by_one(t, calls, n, err);
	ret = cr_remote_note_sigmask(t);
	if (!ret)
		ret = cr_guard_take(t);
	if (!ret && !cr_guard_has_loop(t))
		return one_by_one(t, calls, n, err);
	if (!ret)
		ret = run_table(t, calls, n, err);
	if (ret)
		return cr_error_set(err, ret,
				    "thread %d: system calls could not be "
				    "made in it: %s",
				    t->tid, strerror(-ret));
	return 0;
}
