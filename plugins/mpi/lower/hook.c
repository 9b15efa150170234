/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook.c - what becomes of a system call of the lower half
 *
 * Things that belong to the process as a whole and to the program's threads
 * (signal actions, rseq, the exit address of the booting thread) stay the
 * upper half's.
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/hook.h"

#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

struct cr_hook cr_hook;

bool cr_hook_wants(unsigned int nr)
{
	switch (nr) {
	case SYS_mmap:
	case SYS_mremap:
	case SYS_shmat:
	case SYS_brk:
	case SYS_io_setup:
	case SYS_rseq:
	case SYS_set_tid_address:
	case SYS_rt_sigaction:
	case SYS_clone:
	case SYS_fork:
	case SYS_sched_yield:
		return true;
	case SYS_arch_prctl:
	case SYS_clone3:
		return cr_hook.two_pointers;
	}
	return cr_fds_wants(nr);
}

static long pass(const struct cr_hook_args *r)
{
	return cr_raw_syscall(r->nr, r->a, r->b, r->c, r->d, r->e, r->f);
}

static bool is_booting_thread(void)
{
	int tid = __atomic_load_n(&cr_hook.booting_tid, __ATOMIC_RELAXED);

	return tid && cr_raw_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0) == tid;
}

/* As struct sigaction of the kernel begins. */
struct kernel_action {
	void *handler;
};

/*
 * The lower half installs no handler and resets none; abort() may, so that
 * it ends.
 */
static long hook_sigaction(struct cr_hook_args *r)
{
	const struct kernel_action *act = (void *)r->b;

	if (!act || (r->a == SIGABRT && act->handler == (void *)SIG_DFL))
		return pass(r);
	if (r->c)
		return cr_raw_syscall(r->nr, r->a, 0, r->c, r->d, 0, 0);
	return 0;
}

/*
 * fork() of the lower half: its child does need the arena (see arena.c), and
 * keeps records of its descriptors as its parent does.
 */
static long hook_fork(struct cr_hook_args *r)
{
	long pid;

	cr_raw_syscall(SYS_madvise, CR_LOWER_START, CR_LOWER_SIZE,
		       MADV_DOFORK, 0, 0, 0);
	pid = pass(r);
	if (pid)
		cr_raw_syscall(SYS_madvise, CR_LOWER_START, CR_LOWER_SIZE,
			       MADV_DONTFORK, 0, 0, 0);
	if (!pid) {
		cr_hook.pid = (int)cr_raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
		cr_fds_fork_ends(true);
	}
	return pid;
}

long cr_hook_call(struct cr_hook_args *r)
{
	switch (r->nr) {
	case SYS_mmap:
	case SYS_mremap:
	case SYS_shmat:
	case SYS_brk:
		return cr_arena_hook(r);
	case SYS_io_setup: /* the kernel would map a ring where it likes */
	case SYS_rseq:
		return -ENOSYS;
	case SYS_set_tid_address:
		if (is_booting_thread())
			return cr_hook.booting_tid;
		return pass(r);
	case SYS_arch_prctl:
		if (r->a == ARCH_SET_FS)
			cr_pointer_set((unsigned long)r->b);
		return pass(r);
	case SYS_rt_sigaction:
		return hook_sigaction(r);
	case SYS_clone: /* without a stack of its own: see rewrite.c */
	case SYS_fork:
		return hook_fork(r);
	case SYS_sched_yield:
		return cr_yield_hook();
	}
	if (cr_fds_wants(r->nr))
		return cr_fds_hook(r);
	return pass(r);
}
