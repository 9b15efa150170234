/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * batch.c - many system calls of a held task at the price of one stop
 *
 * A loop in the scratch memory makes the calls of a table and ends with a
 * breakpoint.  That is a SIGTRAP which the kernel forces on the task; it
 * would reset the program's action if SIGTRAP were blocked or ignored, so it
 * is left unblocked, and cr_remote_enable_batch() is not for programs that
 * ignore it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "remote/internal.h"

/* rbx: the table, rbp: the number of its entries (struct cr_remote_call) */
static const uint8_t loop[] = {
	0x48, 0x8b, 0x03,	/* mov (%rbx),%rax */
	0x48, 0x8b, 0x7b, 0x08, /* mov 8(%rbx),%rdi */
	0x48, 0x8b, 0x73, 0x10, /* mov 16(%rbx),%rsi */
	0x48, 0x8b, 0x53, 0x18, /* mov 24(%rbx),%rdx */
	0x4c, 0x8b, 0x53, 0x20, /* mov 32(%rbx),%r10 */
	0x4c, 0x8b, 0x43, 0x28, /* mov 40(%rbx),%r8 */
	0x4c, 0x8b, 0x4b, 0x30, /* mov 48(%rbx),%r9 */
	0x0f, 0x05,		/* syscall */
	0x48, 0x89, 0x43, 0x38, /* mov %rax,56(%rbx) */
	0x48, 0x83, 0xc3, 0x40, /* add $64,%rbx */
	0x48, 0xff, 0xcd,	/* dec %rbp */
	0x75, 0xd6,		/* jnz to the beginning */
	0xcc,			/* int3 */
};

_Static_assert(sizeof(struct cr_remote_call) == 64, "stride of the loop");
_Static_assert(sizeof(loop) - 3 + 2 == 42, "distance of the jump");

int cr_remote_enable_batch(struct cr_task *t, uint64_t code, size_t size,
			   struct cr_error *err)
{
	uint64_t mask = ~(1ULL << (SIGTRAP - 1));
	int64_t r;
	int ret;

	ret = cr_remote_write(t->tgid, code, loop, sizeof(loop), err);
	if (!ret)
		ret = cr_remote_syscall(t, &r, SYS_mprotect, code, size,
					PROT_READ | PROT_WRITE | PROT_EXEC, 0,
					0, 0, err);
	if (ret || r)
		return ret; /* memory must not be executable: one by one */
	t->batch = code;
	t->batch_size = size;
	if (ptrace(PTRACE_SETSIGMASK, t->tid, sizeof(mask), &mask) < 0)
		return cr_error_set(err, -errno, "thread %d: signal mask: %s",
				    t->tid, strerror(errno));
	return 0;
}

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

/* Is this stop the breakpoint at the end of the loop? */
static bool at_end(struct cr_task *t, int status)
{
	struct user_regs_struct r;
	siginfo_t info;

	return WIFSTOPPED(status) && status >> 16 == 0 &&
	       WSTOPSIG(status) == SIGTRAP &&
	       ptrace(PTRACE_GETSIGINFO, t->tid, 0, &info) == 0 &&
	       info.si_code == SI_KERNEL &&
	       ptrace(PTRACE_GETREGS, t->tid, 0, &r) == 0 &&
	       r.rip == t->batch + sizeof(loop);
}

static int run(struct cr_task *t, uint64_t table, size_t n)
{
	struct user_regs_struct r = t->regs;
	int status;

	r.rbx = table;
	r.rbp = n;
	r.rip = t->batch;
	r.eflags &= ~0x10500ULL;
	r.orig_rax = -1ULL;
	t->called = true;
	if (ptrace(PTRACE_SETREGS, t->tid, 0, &r) < 0)
		return -errno;
	for (;;) {
		if (ptrace(PTRACE_CONT, t->tid, 0, 0) < 0)
			return -errno;
		while (waitpid(t->tid, &status, __WALL) < 0)
			if (errno != EINTR)
				return -errno;
		if (!WIFSTOPPED(status)) {
			t->seized = false;
			t->held = false;
			return -ESRCH;
		}
		if (at_end(t, status))
			return 0;
		cr_remote_keep_signal(t, status);
	}
}

int cr_remote_batch(struct cr_task *t, struct cr_remote_call *calls, size_t n,
		    struct cr_error *err)
{
	uint64_t table = t->batch + sizeof(loop) + 64 - sizeof(loop) % 64;
	size_t len = n * sizeof(*calls);
	int ret;

	if (!t->batch || n < 2 || table + len > t->batch + t->batch_size)
		return one_by_one(t, calls, n, err);
	ret = cr_remote_block_signals(t);
	if (!ret)
		ret = cr_remote_write(t->tgid, table, calls, len, err);
	if (!ret)
		ret = run(t, table, n);
	if (!ret)
		ret = cr_remote_read(t->tgid, table, calls, len, err);
	if (ret)
		return cr_error_set(err, ret,
				    "thread %d: system calls could not be "
				    "made in it: %s",
				    t->tid, strerror(-ret));
	return 0;
}
