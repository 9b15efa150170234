/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stop.c - seize tasks, stop them where no one can see, let them go */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/procfs.h"
#include "remote/internal.h"

#define TRACER_LIMIT_MS 1000 /* for another tracer that is about to let go */

/* A number of /proc/TID/status; 0: it is 0, or the task is gone. */
static pid_t status_number(pid_t tid, const char *name)
{
	char *status = cr_procfs_read(tid, NULL, "status");
	pid_t n = status ? cr_procfs_last(status, name, 0) : 0;

	free(status);
	return n;
}

/* A zombie cannot be traced either, but that is no lack of permission. */
static bool has_ended(pid_t tid)
{
	struct cr_procfs_stat st;

	return cr_procfs_stat(tid, &st) || st.state == 'Z' || st.state == 'X';
}

long cr_remote_options(const struct cr_task *t)
{
	return PTRACE_O_TRACESYSGOOD | (t->exitkill ? PTRACE_O_EXITKILL : 0) |
	       (t->unfiltered ? PTRACE_O_SUSPEND_SECCOMP : 0);
}

/*
 * A restart lets go of its threads one after the other, and the first of them
 * may already have asked for a checkpoint: *tracer is who holds this one.
 */
static int seize(const struct cr_task *t, pid_t *tracer)
{
	const struct timespec nap = { 0, 1000000 };
	int i, ret, untraced = 0;

	for (i = 0; i < TRACER_LIMIT_MS; i++) {
		*tracer = 0;
		if (!ptrace(PTRACE_SEIZE, t->tid, 0, cr_remote_options(t)))
			return 0;
		ret = -errno;
		if (ret != -EPERM)
			return ret;
		*tracer = status_number(t->tid, "TracerPid");
		if (has_ended(t->tid))
			return -ESRCH;
		/* it may have been let go of since */
		untraced = *tracer ? 0 : untraced + 1;
		if (untraced > 1)
			return ret;
		nanosleep(&nap, NULL);
	}
	return -EPERM;
}

int cr_remote_seize(struct cr_task *t, pid_t tid, bool exitkill,
		    struct cr_error *err)
{
	pid_t tracer;
	int ret;

	memset(t, 0, sizeof(*t));
	t->tid = tid;
	t->tgid = status_number(tid, "Tgid");
	t->exitkill = exitkill;
	if (!t->tgid)
		return -ESRCH;
	ret = seize(t, &tracer);
	if (ret == -ESRCH)
		return ret;
	if (ret && tracer)
		return cr_error_set(err, ret,
				    "thread %d: cannot be traced: process %d "
				    "traces it already",
				    tid, tracer);
	if (ret)
		return cr_error_set(err, ret, "thread %d: cannot be traced: %s",
				    tid, strerror(-ret));
	t->seized = true;
	return 0;
}

int cr_remote_interrupt(struct cr_task *t, struct cr_error *err)
{
	if (ptrace(PTRACE_INTERRUPT, t->tid, 0, 0) < 0) {
		if (errno == ESRCH)
			return -ESRCH;
		return cr_error_set(err, -errno, "thread %d: interrupt: %s",
				    t->tid, strerror(errno));
	}
	return 0;
}

/* waitpid() with a limit: 1 if something happened, 0 if not in time. */
static int wait_limited(pid_t tid, int *status, unsigned int ms)
{
	struct timespec t0, t, nap = { 0, 50000 };
	unsigned int spins = 0;
	pid_t r;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (;;) {
		r = waitpid(tid, status, __WALL | WNOHANG);
		if (r == tid)
			return 1;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (!ms)
			return 0;
		if (spins++ < 20) {
			sched_yield();
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &t);
		if ((t.tv_sec - t0.tv_sec) * 1000 +
			    (t.tv_nsec - t0.tv_nsec) / 1000000 >=
		    ms)
			return 0;
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < 1000000)
			nap.tv_nsec += nap.tv_nsec / 4;
	}
}

/*
 * Some system calls return EINTR instead of asking for a restart when they
 * are interrupted by something that is no signal (signal(7), "Interruption
 * of system calls ... by stop signals").  The kernel's own restart code then
 * does the right thing: with a handler EINTR, without one the call again.
 */
static bool call_gives_eintr(int64_t nr)
{
	switch (nr) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2:
#endif
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
	case SYS_io_getevents:
	case SYS_io_pgetevents:
	case SYS_select:
	case SYS_pselect6:
	case SYS_ppoll:
	/* sockets with SO_RCVTIMEO or SO_SNDTIMEO, FUSE files */
	case SYS_read:
	case SYS_readv:
	case SYS_write:
	case SYS_writev:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
		return true;
	default:
		return false;
	}
}

/*
 * A thread inside a restartable sequence must not go on in it after it was
 * elsewhere: what the kernel does at a preemption we do here.
 */
static int leave_rseq(struct cr_task *t, struct cr_error *err)
{
	struct cr_remote_rseq rseq;
	struct {
		uint32_t version, flags;
		uint64_t start_ip, post_commit_offset, abort_ip;
	} cs;
	uint64_t ptr = 0;
	int ret;

	ret = cr_remote_get_rseq(t, &rseq, err);
	if (ret || !rseq.addr)
		return ret;
	/*
	 * rseq_cs lies behind the two cpu numbers of struct rseq.  Where it
	 * cannot be read the program is about to die of it by itself.
	 */
	if (cr_remote_read(t->tid, rseq.addr + 8, &ptr, sizeof(ptr), NULL) ||
	    !ptr || cr_remote_read(t->tid, ptr, &cs, sizeof(cs), NULL))
		return 0;
	if (t->regs.rip - cs.start_ip < cs.post_commit_offset)
		t->regs.rip = cs.abort_ip;
	return 0;
}

/*
 * The kernel goes on with a sleep by restart_syscall(2), which a filter may
 * forbid: the call itself it has allowed.  timeout.c keeps the time.
 */
static void avoid_restart_syscall(struct cr_task *t)
{
	t->forgets = t->filtered &&
		     (int64_t)t->regs.rax == -ERESTART_RESTARTBLOCK &&
		     (int64_t)t->regs.orig_rax >= 0 &&
		     t->regs.orig_rax != SYS_restart_syscall;
	if (t->forgets)
		t->regs.rax = (uint64_t)-ERESTARTNOHAND;
}

/*
 * About to go on with a call by restart_syscall(2), as the kernel has told it
 * at an earlier stop: this number means nothing to another thread, so it is
 * still in that call.
 */
static void undo_restart(struct cr_task *t)
{
	uint8_t code[2];

	if (t->regs.rax != SYS_restart_syscall ||
	    cr_remote_read(t->tid, t->regs.rip, code, sizeof(code), NULL) ||
	    code[0] != 0x0f || code[1] != 0x05)
		return;
	t->regs.rip += sizeof(code);
	t->regs.rax = (uint64_t)-ERESTART_RESTARTBLOCK;
	if ((int64_t)t->regs.orig_rax < 0)
		t->regs.orig_rax = SYS_restart_syscall;
}

static int stopped(struct cr_task *t, int status, struct cr_error *err)
{
	struct user_regs_struct was;
	int ret;

	t->held = true;
	t->group_stop = WSTOPSIG(status) != SIGTRAP;
	t->group_signal = t->group_stop ? WSTOPSIG(status) : 0;
	t->gave_eintr = false;
	if (ptrace(PTRACE_GETREGS, t->tid, 0, &t->regs) < 0) {
		if (errno == ESRCH)
			return -ESRCH;
		return cr_error_set(err, -errno, "thread %d: registers: %s",
				    t->tid, strerror(errno));
	}
	/* not before: the program itself must not run without them */
	t->filtered = cr_remote_suspend_filters(t) && cr_remote_is_filtered(t);
	was = t->regs;
	undo_restart(t);
	avoid_restart_syscall(t);
	if ((int64_t)t->regs.rax == -EINTR &&
	    call_gives_eintr((int64_t)t->regs.orig_rax)) {
		t->regs.rax = (uint64_t)-ERESTARTNOHAND;
		t->gave_eintr = true;
	}
	ret = leave_rseq(t, err);
	/* at once: the tracer may be killed before it lets the task go */
	if (!ret && (was.rax != t->regs.rax || was.rip != t->regs.rip) &&
	    ptrace(PTRACE_SETREGS, t->tid, 0, &t->regs) < 0)
		ret = errno == ESRCH
			      ? -ESRCH
			      : cr_error_set(err, -errno,
					     "thread %d: registers: %s",
					     t->tid, strerror(errno));
	return ret;
}

int cr_remote_wait_stop_ms(struct cr_task *t, unsigned int ms,
			   struct cr_error *err)
{
	int status, ret;

	for (;;) {
		ret = wait_limited(t->tid, &status, ms);
		if (ret == -ECHILD)
			goto gone;
		if (ret < 0)
			return cr_error_set(err, ret, "thread %d: wait: %s",
					    t->tid, strerror(-ret));
		if (ret == 0)
			return -ETIMEDOUT;
		if (!WIFSTOPPED(status))
			goto gone;
		if (status >> 16 == PTRACE_EVENT_STOP)
			return stopped(t, status, err);
		/*
		 * On its way to a signal: this stop has eaten the interrupt.
		 * Interrupt again, then let it go into its handler.
		 */
		if (ptrace(PTRACE_INTERRUPT, t->tid, 0, 0) < 0 ||
		    ptrace(PTRACE_CONT, t->tid, 0,
			   status >> 16 ? 0 : (long)WSTOPSIG(status)) < 0) {
			if (errno != ESRCH)
				return cr_error_set(err, -errno,
						    "thread %d: continue: %s",
						    t->tid, strerror(errno));
		}
	}
gone:
	t->seized = false;
	t->held = false;
	return -ESRCH;
}

int cr_remote_wait_stop(struct cr_task *t, struct cr_error *err)
{
	int ret = cr_remote_wait_stop_ms(t, CR_REMOTE_STOP_MS, err);

	if (ret == -ETIMEDOUT)
		cr_error_set(err, ret, "thread %d does not stop (%d ms)",
			     t->tid, CR_REMOTE_STOP_MS);
	return ret;
}

int cr_remote_stop(struct cr_task *t, struct cr_error *err)
{
	int ret = cr_remote_interrupt(t, err);

	return ret ? ret : cr_remote_wait_stop(t, err);
}

/*
 * Brings the task from the end of a system call of ours into the kind of
 * stop from which the kernel restarts system calls.
 */
static int back_to_signal_stop(struct cr_task *t)
{
	int status, ret;

	if (ptrace(PTRACE_INTERRUPT, t->tid, 0, 0) < 0)
		return -errno;
	for (;;) {
		if (ptrace(PTRACE_CONT, t->tid, 0, 0) < 0)
			return -errno;
		ret = cr_remote_next_stop(t, &status);
		if (ret)
			return ret;
		if (status >> 16 == PTRACE_EVENT_STOP)
			return 0;
		cr_remote_keep_signal(t, status);
		if (ptrace(PTRACE_INTERRUPT, t->tid, 0, 0) < 0)
			return -errno;
	}
}

/* A SIGCONT that came after the SIGSTOP held back has cancelled it. */
static bool continued(pid_t tid)
{
	char *status = cr_procfs_read(tid, NULL, "status");
	uint64_t pending = status ? cr_procfs_hex(status, "SigPnd") |
					    cr_procfs_hex(status, "ShdPnd")
				  : 0;

	free(status);
	return pending >> (SIGCONT - 1) & 1;
}

/*
 * SIGSTOP cannot be blocked: it was held back.  The quiet signal, which is not
 * blocked either, is one that the program does not notice.
 */
static void send_kept(struct cr_task *t)
{
	if (t->kept >> SIGSTOP & 1 && !continued(t->tid))
		syscall(SYS_tgkill, t->tgid, t->tid, SIGSTOP);
	t->kept = 0;
}

int cr_remote_settle(struct cr_task *t)
{
	int ret = 0;

	if (t->called)
		ret = back_to_signal_stop(t);
	/* the mask first: until the registers are back the guard has it, too */
	if (!ret && t->masked &&
	    ptrace(PTRACE_SETSIGMASK, t->tid, sizeof(t->sigmask), &t->sigmask) <
		    0)
		ret = -errno;
	if (!ret && ptrace(PTRACE_SETREGS, t->tid, 0, &t->regs) < 0)
		ret = -errno;
	if (t->guard && t->guard->owner == t)
		t->guard->owner = NULL;
	t->called = false;
	t->masked = false;
	return ret;
}

int cr_remote_release(struct cr_task *t, struct cr_error *err)
{
	int ret = 0;

	if (!t->seized)
		return 0;
	if (!t->held) {
		ret = cr_remote_wait_stop_ms(t, 0, err);
		if (ret == -ETIMEDOUT || ret == -ESRCH)
			return 0;
		if (ret)
			return ret;
	}
	ret = cr_remote_settle(t);
	if (!ret)
		send_kept(t);
	if (!ret && ptrace(PTRACE_DETACH, t->tid, 0, 0) < 0)
		ret = -errno;
	t->held = false;
	t->seized = false;
	if (ret == -ESRCH || ret == -ECHILD)
		return 0;
	if (ret)
		return cr_error_set(err, ret, "thread %d: release: %s", t->tid,
				    strerror(-ret));
	return 0;
}
