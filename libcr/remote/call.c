/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* call.c - system calls made by a held task on our behalf */
#include <errno.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/procfs.h"
#include "remote/internal.h"

/* Looks for 0f 05 in [start, end); 0 if there is none. */
static uint64_t scan_for_syscall(pid_t pid, uint64_t start, uint64_t end)
{
	uint8_t buf[4096 + 1];
	uint64_t a;
	size_t len, i;

	for (a = start; a + 2 <= end; a += 4096) {
		/* one byte of the next page for an instruction across both */
		len = end - a < sizeof(buf) ? end - a : sizeof(buf);
		if (cr_remote_read(pid, a, buf, len, NULL))
			continue;
		for (i = 0; i + 1 < len; i++)
			if (buf[i] == 0x0f && buf[i + 1] == 0x05)
				return a + i;
	}
	return 0;
}

int cr_remote_find_gadget(struct cr_task *t, struct cr_error *err)
{
	char path[64], line[512], perm[8];
	uint64_t start, end, found = 0;
	int vdso_only;
	FILE *f;

	if (t->gadget)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", t->tid);
	f = fopen(path, "re");
	if (!f)
		return cr_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	/* The vdso first; a program may have unmapped it. */
	for (vdso_only = 1; vdso_only >= 0 && !found; vdso_only--) {
		rewind(f);
		while (!found && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &start,
				   &end, perm) != 3)
				continue;
			if (perm[2] != 'x' || perm[0] != 'r' ||
			    strstr(line, "[vsyscall]") ||
			    (vdso_only && !strstr(line, "[vdso]")))
				continue;
			found = scan_for_syscall(t->tid, start, end);
		}
	}
	fclose(f);
	if (!found)
		return cr_error_set(err, -ENOENT,
				    "process %d: no system call instruction "
				    "found in its memory",
				    t->tgid);
	t->gadget = found;
	return 0;
}

int cr_remote_note_sigmask(struct cr_task *t)
{
	if (t->masked)
		return 0;
	if (ptrace(PTRACE_GETSIGMASK, t->tid, sizeof(t->sigmask), &t->sigmask) <
	    0)
		return -errno;
	t->blocked = t->sigmask;
	t->masked = true;
	return 0;
}

int cr_remote_block_signals(struct cr_task *t, int but)
{
	uint64_t all = ~0ULL;

	if (but)
		all &= ~(1ULL << (but - 1));
	if (t->blocked == all)
		return 0;
	if (ptrace(PTRACE_SETSIGMASK, t->tid, sizeof(all), &all) < 0)
		return -errno;
	t->blocked = all;
	return 0;
}

void cr_remote_keep_signal(struct cr_task *t, int status)
{
	if (status >> 16 == 0)
		t->kept |= 1ULL << WSTOPSIG(status);
}

/*
 * Until there is something to be waited for.  The kernel does not tell of the
 * end of a process whose other threads have ended before and are ours to
 * collect: it would be waited for in vain.
 */
static bool has_news(const struct cr_task *t)
{
	struct cr_procfs_stat st;
	siginfo_t info = { 0 };

	for (;;) {
		if (waitid(P_ALL, 0, &info,
			   WEXITED | WSTOPPED | WNOWAIT | __WALL |
				   __WNOTHREAD) < 0 ||
		    info.si_pid == t->tid)
			return true;
		/* somebody else's */
		if (waitid(P_PID, (id_t)t->tid, &info,
			   WEXITED | WSTOPPED | WNOWAIT | WNOHANG | __WALL) ||
		    info.si_pid == t->tid)
			return true;
		if (cr_procfs_stat(t->tid, &st) || st.state == 'Z' ||
		    st.state == 'X')
			return false;
		usleep(100);
	}
}

int cr_remote_next_stop(struct cr_task *t, int *status)
{
	if (t->tid == t->tgid && !has_news(t)) {
		t->seized = false;
		t->held = false;
		return -ESRCH;
	}
	while (waitpid(t->tid, status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFSTOPPED(*status))
		return 0;
	t->seized = false;
	t->held = false;
	return -ESRCH;
}

/*
 * Runs the task to its next system call stop or ptrace event; returns the
 * event (0: entry or exit of a system call) or -errno.
 */
static int run_to_stop(struct cr_task *t)
{
	int status, ret;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, t->tid, 0, 0) < 0)
			return -errno;
		ret = cr_remote_next_stop(t, &status);
		if (ret)
			return ret;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			return 0;
		if (status >> 16 && status >> 16 != PTRACE_EVENT_STOP)
			return status >> 16;
		cr_remote_keep_signal(t, status);
	}
}

static int start_call(struct cr_task *t, long nr, const uint64_t a[6])
{
	struct user_regs_struct r = t->regs;
	int ret;

	ret = cr_remote_note_sigmask(t);
	if (!ret)
		ret = cr_guard_take(t);
	if (ret)
		return ret;
	r.rax = (uint64_t)nr;
	r.rdi = a[0];
	r.rsi = a[1];
	r.rdx = a[2];
	r.r10 = a[3];
	r.r8 = a[4];
	r.r9 = a[5];
	r.rip = cr_guard_entry(t, nr == SYS_clone3);
	/* A trap flag of the program has no say here. */
	r.eflags &= ~0x10100ULL;
	r.orig_rax = -1ULL; /* no restart of the call it was in */
	t->called = true;
	if (ptrace(PTRACE_SETREGS, t->tid, 0, &r) < 0)
		return -errno;
	/* only now: the guard, if it comes to that, puts the mask back */
	ret = cr_remote_block_signals(t, 0);
	return ret ? ret : run_to_stop(t); /* entry */
}

static int finish_call(struct cr_task *t, int64_t *ret)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, t->tid, 0, &r) < 0)
		return -errno;
	*ret = (int64_t)r.rax;
	return 0;
}

static int call_error(const struct cr_task *t, long nr, int ret,
		      struct cr_error *err)
{
	return cr_error_set(err, ret,
			    "thread %d: system call %ld could not be made "
			    "in it: %s",
			    t->tid, nr, strerror(-ret));
}

int cr_remote_syscall(struct cr_task *t, int64_t *ret, long nr, uint64_t a0,
		      uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
		      uint64_t a5, struct cr_error *err)
{
	const uint64_t args[6] = { a0, a1, a2, a3, a4, a5 };
	int r;

	r = start_call(t, nr, args);
	if (r == 0)
		r = run_to_stop(t); /* exit */
	if (r == 0)
		r = finish_call(t, ret);
	if (r > 0)
		r = -EPROTO; /* an event nobody asked for */
	return r ? call_error(t, nr, r, err) : 0;
}

/* Takes over the task that t has just made. */
static int adopt_child(struct cr_task *t, struct cr_task *child)
{
	unsigned long tid;
	int status;

	if (ptrace(PTRACE_GETEVENTMSG, t->tid, 0, &tid) < 0)
		return -errno;
	memset(child, 0, sizeof(*child));
	child->tid = (pid_t)tid;
	child->exitkill = t->exitkill || t->child_exitkill;
	child->unfiltered = t->unfiltered;
	child->gadget = t->gadget;
	while (waitpid(child->tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFSTOPPED(status))
		return -ESRCH;
	child->seized = true;
	child->held = true;
	/* The new task starts with all signals blocked, as t has them now. */
	child->masked = true;
	child->blocked = t->blocked;
	child->sigmask = t->sigmask;
	if (ptrace(PTRACE_GETREGS, child->tid, 0, &child->regs) < 0 ||
	    ptrace(PTRACE_SETOPTIONS, child->tid, 0, cr_remote_options(child)) <
		    0)
		return -errno;
	return 0;
}

int cr_remote_clone3(struct cr_task *t, const struct clone_args *args,
		     struct cr_task *child, struct cr_error *err)
{
	const long follow =
		PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	uint64_t a[6] = { t->scratch, sizeof(*args), 0, 0, 0, 0 };
	bool adopted = false;
	int64_t result = 0;
	int r;

	if (!t->scratch || t->scratch_size < sizeof(*args))
		return cr_error_set(err, -EINVAL,
				    "thread %d: no scratch memory for clone3",
				    t->tid);
	r = cr_remote_write(t->tid, t->scratch, args, sizeof(*args), err);
	if (r)
		return r;
	if (ptrace(PTRACE_SETOPTIONS, t->tid, 0,
		   cr_remote_options(t) | follow) < 0) {
		r = -errno;
		goto out;
	}
	r = start_call(t, SYS_clone3, a);
	while (r == 0) {
		r = run_to_stop(t);
		if (r <= 0)
			break; /* exit of clone3 */
		r = adopt_child(t, child);
		adopted = r == 0;
	}
	if (r == 0)
		r = finish_call(t, &result);
	if (r == 0 &&
	    ptrace(PTRACE_SETOPTIONS, t->tid, 0, cr_remote_options(t)) < 0)
		r = -errno;
	if (r == 0 && result < 0)
		return cr_error_set(err, (int)result, "thread %d: clone3: %s",
				    t->tid, strerror((int)-result));
	if (r == 0 && !adopted)
		r = -EPROTO;
	if (r == 0) {
		child->tgid = args->flags & CLONE_THREAD ? t->tgid : child->tid;
		child->tid_in_parent = (pid_t)result;
	}
out:
	return r ? call_error(t, SYS_clone3, r, err) : 0;
}

int cr_remote_exit(struct cr_task *t, int status, struct cr_error *err)
{
	const uint64_t a[6] = { (uint64_t)status, 0, 0, 0, 0, 0 };
	int r;

	r = start_call(t, SYS_exit, a);
	if (r == 0)
		r = run_to_stop(t);
	return r == -ESRCH ? 0 : call_error(t, SYS_exit, r ? r : -EPROTO, err);
}

int cr_remote_leave(struct cr_task *t, int status, uint64_t mask,
		    struct cr_error *err)
{
	const uint64_t a[6] = { (uint64_t)status, 0, 0, 0, 0, 0 };
	int r;

	r = start_call(t, SYS_exit, a);
	/* from the entry of exit(2) there is no way to a signal any more */
	if (!r &&
	    (ptrace(PTRACE_SETSIGMASK, t->tid, sizeof(mask), &mask) < 0 ||
	     ptrace(PTRACE_DETACH, t->tid, 0, 0) < 0))
		r = -errno;
	if (r)
		return call_error(t, SYS_exit, r, err);
	t->seized = false;
	t->held = false;
	return 0;
}
