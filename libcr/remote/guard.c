/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard.c - a thread that lost its tracer goes on as if nothing had happened
 *
 * A tracer may be killed at any moment, and then a thread in the middle of a
 * call of ours simply runs on.  So its calls are made from a piece of code
 * that does the rest by itself: it puts the signal mask and the registers
 * back and jumps to where the program was.  As long as the tracer lives it
 * takes the thread away before it gets there.
 *
 * The code lies in the zeros between the end of the vdso, or of another piece
 * of code, and the end of its page, with what one thread needs: the owner.
 * Another thread of the memory takes it over when the owner is back where the
 * program was.  It touches neither the stack nor the flags, so that a signal
 * may come at any instruction of it.
 *
 * What differs from a release: a call that was interrupted is made again by
 * the code, even where a signal waited whose handler would have ended it.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/procfs.h"
#include "remote/internal.h"

/*
 * single: one call.  spawn: clone3; the new task, if nobody holds it, ends,
 * and is waited for.  loop: rbx is a table of calls (struct cr_remote_call),
 * rbp the number of its entries.
 */
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	"guard_code:\n"
	"guard_single:\n"
	"	syscall\n"
	"guard_tail:\n"
	"	mov	$14, %eax\n" /* rt_sigprocmask(SIG_SETMASK, ...) */
	"	mov	$2, %edi\n"
	"	lea	8f(%rip), %rsi\n"
	"	mov	$0, %edx\n"
	"	mov	$8, %r10d\n"
	"	syscall\n"
	"	mov	8f+8(%rip), %rax\n"
	"	mov	8f+16(%rip), %rbx\n"
	"	mov	8f+24(%rip), %rcx\n"
	"	mov	8f+32(%rip), %rdx\n"
	"	mov	8f+40(%rip), %rsi\n"
	"	mov	8f+48(%rip), %rdi\n"
	"	mov	8f+56(%rip), %rbp\n"
	"	mov	8f+64(%rip), %r8\n"
	"	mov	8f+72(%rip), %r9\n"
	"	mov	8f+80(%rip), %r10\n"
	"	mov	8f+88(%rip), %r11\n"
	"	mov	8f+96(%rip), %r12\n"
	"	mov	8f+104(%rip), %r13\n"
	"	mov	8f+112(%rip), %r14\n"
	"	mov	8f+120(%rip), %r15\n"
	"	jmp	*8f+128(%rip)\n"
	"guard_spawn:\n"
	"	syscall\n"
	"	mov	%rax, %rcx\n"
	"	jrcxz	1f\n"
	"	mov	%rax, %rsi\n"
	"	mov	$247, %eax\n" /* waitid(P_PID, ..., WEXITED | __WALL) */
	"	mov	$1, %edi\n"
	"	mov	$0, %edx\n"
	"	mov	$0x40000004, %r10d\n"
	"	mov	$0, %r8d\n"
	"	syscall\n"
	"	jmp	guard_tail\n"
	"1:	mov	$60, %eax\n" /* exit(0) */
	"	mov	$0, %edi\n"
	"	syscall\n"
	"guard_loop:\n"
	"	mov	(%rbx), %rax\n"
	"	mov	8(%rbx), %rdi\n"
	"	mov	16(%rbx), %rsi\n"
	"	mov	24(%rbx), %rdx\n"
	"	mov	32(%rbx), %r10\n"
	"	mov	40(%rbx), %r8\n"
	"	mov	48(%rbx), %r9\n"
	"	syscall\n"
	"guard_looped:\n"
	"	mov	%rax, 56(%rbx)\n"
	"	lea	64(%rbx), %rbx\n"
	"	lea	-1(%rbp), %rbp\n"
	"	mov	%rbp, %rcx\n"
	"	jrcxz	1f\n"
	"	jmp	guard_loop\n"
	"1:	jmp	guard_tail\n"
	".balign 8\n"
	"8:\n"
	"guard_data:\n"
	"	.skip	136\n"
	"guard_end:\n"
	".popsection\n");

extern const char guard_code[], guard_single[], guard_spawn[], guard_loop[],
	guard_looped[], guard_data[], guard_end[];

/* At guard_data. */
struct data {
	uint64_t mask;
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip;
};

_Static_assert(sizeof(struct cr_remote_call) == 64, "stride of the loop");
_Static_assert(sizeof(struct data) == 136, "what the code reads");

#define GUARD_MAX 512 /* bytes that it may take */
#define MOST_TRIES 500 /* to see a thread leave it, some seconds */

static size_t code_size(void)
{
	return (size_t)(guard_data - guard_code);
}

static size_t guard_size(void)
{
	return (size_t)(guard_end - guard_code);
}

/* Room for the guard: zeros, or what an earlier one has left. */
static bool is_room(pid_t pid, uint64_t at)
{
	char buf[GUARD_MAX];
	size_t i, n = guard_size();

	if (cr_remote_read(pid, at, buf, n, NULL))
		return false;
	if (!memcmp(buf, guard_code, code_size()))
		return true;
	for (i = 0; i < n; i++)
		if (buf[i])
			return false;
	return true;
}

int cr_remote_guard(struct cr_task *t, struct cr_guard *g, struct cr_error *err)
{
	char path[64], line[512], perm[8];
	uint64_t start, end, at;
	int vdso_only;
	FILE *f;

	memset(g, 0, sizeof(*g));
	snprintf(path, sizeof(path), "/proc/%d/maps", t->tid);
	f = fopen(path, "re");
	if (!f)
		return cr_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	for (vdso_only = 1; vdso_only >= 0 && !g->at; vdso_only--) {
		rewind(f);
		while (!g->at && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &start,
				   &end, perm) != 3 ||
			    strcmp(perm, "r-xp") != 0 ||
			    strstr(line, "[vsyscall]") ||
			    (vdso_only && !strstr(line, "[vdso]")))
				continue;
			at = (end - guard_size()) & ~7ULL;
			if (is_room(t->tid, at))
				g->at = at;
		}
	}
	fclose(f);
	t->guard = g;
	return cr_remote_leave_guard(t, g, err);
}

int cr_remote_leave_guard(struct cr_task *t, const struct cr_guard *g,
			  struct cr_error *err)
{
	int tries, ret = 0;

	for (tries = 0; !ret && g->at && t->regs.rip - g->at < code_size();
	     tries++) {
		if (tries == MOST_TRIES)
			return cr_error_set(err, -EBUSY,
					    "thread %d: is still in a call of "
					    "an earlier checkpoint that was "
					    "killed; try again later",
					    t->tid);
		cr_remote_resume_filters(t);
		if (ptrace(PTRACE_CONT, t->tid, 0, 0) < 0)
			return cr_error_set(err, -errno,
					    "thread %d: continue: %s", t->tid,
					    strerror(errno));
		t->held = false;
		usleep(tries < 10 ? 100 : 10000);
		ret = cr_remote_stop(t, err);
	}
	return ret;
}

void cr_remote_guard_inherit(struct cr_task *t, struct cr_guard *g,
			     const struct cr_guard *from)
{
	memset(g, 0, sizeof(*g));
	g->at = from->at;
	g->written = from->written;
	t->guard = g;
}

/*
 * Where the program goes on by itself: an interrupted call is made again.
 * The kernel still knows what remains of a sleep (restart_syscall(2)).
 */
static void go_on(const struct user_regs_struct *r, struct data *d)
{
	d->rax = r->rax;
	d->rip = r->rip;
	if ((int64_t)r->orig_rax < 0)
		return;
	switch ((int64_t)r->rax) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
		d->rax = r->orig_rax;
		d->rip -= 2;
		break;
	case -ERESTART_RESTARTBLOCK:
		d->rax = SYS_restart_syscall;
		d->rip -= 2;
		break;
	}
}

/* A signal that the program does not notice, for the end of the loop. */
static void find_quiet(struct cr_task *t)
{
	static const int signals[] = { SIGURG, SIGWINCH, SIGCHLD };
	uint64_t taken;
	char *status;
	size_t i;

	t->quiet = 0;
	status = cr_procfs_read(t->tid, NULL, "status");
	if (!status)
		return;
	t->own_tgid = cr_procfs_last(status, "NStgid", t->tgid);
	t->own_tid = cr_procfs_last(status, "NSpid", t->tid);
	taken = cr_procfs_hex(status, "SigCgt") |
		cr_procfs_hex(status, "SigBlk") | t->sigmask;
	for (i = 0; i < sizeof(signals) / sizeof(*signals) && !t->quiet; i++)
		if (!(taken >> (signals[i] - 1) & 1))
			t->quiet = signals[i];
	free(status);
}

int cr_guard_take(struct cr_task *t)
{
	const struct user_regs_struct *r = &t->regs;
	struct cr_guard *g = t->guard;
	struct data d = {
		.mask = t->sigmask,
		.rbx = r->rbx,
		.rcx = r->rcx,
		.rdx = r->rdx,
		.rsi = r->rsi,
		.rdi = r->rdi,
		.rbp = r->rbp,
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
	};
	int ret = 0;

	if (!g || !g->at || g->owner == t)
		return 0;
	if (g->owner)
		ret = cr_remote_settle(g->owner);
	if (!ret && !g->written)
		ret = cr_remote_write(t->tid, g->at, guard_code, code_size(),
				      NULL);
	g->written |= !ret;
	go_on(r, &d);
	if (!ret)
		ret = cr_remote_write(t->tid, g->at + code_size(), &d,
				      sizeof(d), NULL);
	if (ret)
		return ret;
	g->owner = t;
	find_quiet(t);
	return 0;
}

int cr_remote_unguard(struct cr_task *t, struct cr_error *err)
{
	static const char zeros[GUARD_MAX];
	struct cr_guard *g = t->guard;
	int ret = 0;

	if (!g)
		return 0;
	if (g->owner)
		ret = cr_remote_settle(g->owner);
	if (ret)
		return cr_error_set(err, ret, "thread %d: going back: %s",
				    t->tid, strerror(-ret));
	if (g->written)
		ret = cr_remote_write(t->tid, g->at, zeros, guard_size(), err);
	g->written = false;
	return ret;
}

static bool guarded(const struct cr_task *t)
{
	return t->guard && t->guard->at;
}

static uint64_t place(const struct cr_task *t, const char *label)
{
	return t->guard->at + (uint64_t)(label - guard_code);
}

uint64_t cr_guard_entry(const struct cr_task *t, bool spawn)
{
	if (!guarded(t))
		return t->gadget;
	return place(t, spawn ? guard_spawn : guard_single);
}

bool cr_guard_has_loop(const struct cr_task *t)
{
	return guarded(t) && t->quiet;
}

uint64_t cr_guard_loop(const struct cr_task *t)
{
	return place(t, guard_loop);
}

uint64_t cr_guard_looped(const struct cr_task *t)
{
	return place(t, guard_looped);
}
