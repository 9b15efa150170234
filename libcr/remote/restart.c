/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* restart.c - what becomes of a system call that the stop interrupted */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "remote/internal.h"

/*
 * The kernel itself ends or makes again an interrupted call when the task is
 * let go out of its stop.  It must be the kernel, because a signal may be
 * pending: with a handler pause(2) then returns EINTR after it; made again
 * by us, it would wait for another one.
 *
 * -ERESTART_RESTARTBLOCK becomes the same without the block, which is not in
 * the image; timeout.c has the call made with what is left of its time.
 */
void cr_remote_regs_for_restart(struct user_regs_struct *regs)
{
	if ((int64_t)regs->orig_rax >= 0)
		switch ((int64_t)regs->rax) {
		case -ERESTART_RESTARTBLOCK:
			regs->rax = (uint64_t)-ERESTARTNOHAND;
			return;
		case -ERESTARTSYS:
		case -ERESTARTNOINTR:
		case -ERESTARTNOHAND:
			return;
		}
	regs->orig_rax = -1ULL;
}

static bool is_timespec(pid_t pid, uint64_t addr)
{
	struct timespec t;

	return addr && !cr_remote_read(pid, addr, &t, sizeof(t), NULL) &&
	       t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < 1000000000 &&
	       (t.tv_sec || t.tv_nsec);
}

static bool is_futex_word(pid_t pid, uint64_t addr)
{
	uint32_t word;

	return addr && addr % sizeof(word) == 0 &&
	       !cr_remote_read(pid, addr, &word, sizeof(word), NULL);
}

static bool is_poll_array(pid_t pid, uint64_t addr, uint64_t n)
{
	char byte;

	return n == 0 ||
	       (n <= (1u << 20) && !cr_remote_read(pid, addr, &byte, 1, NULL));
}

/*
 * The calls that the kernel restarts by restart_syscall(2): could these be
 * the arguments of nr?
 */
static bool may_be(pid_t pid, const struct user_regs_struct *r, uint32_t nr)
{
	uint32_t op;

	switch (nr) {
	case SYS_nanosleep:
		return is_timespec(pid, r->rdi);
	case SYS_clock_nanosleep:
		return (int32_t)r->rdi < 16 && (uint32_t)r->rsi == 0 &&
		       is_timespec(pid, r->rdx);
	case SYS_poll:
		return (int32_t)r->rdx > 0 &&
		       is_poll_array(pid, r->rdi, (uint32_t)r->rsi);
	case SYS_futex:
		op = (uint32_t)r->rsi &
		     ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
		return (op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET) &&
		       is_futex_word(pid, r->rdi) && is_timespec(pid, r->r10);
	default:
		return false;
	}
}

int cr_remote_resolve_restart(pid_t pid, struct user_regs_struct *regs,
			      struct cr_error *err)
{
	static const uint32_t calls[] = { SYS_nanosleep, SYS_clock_nanosleep,
					  SYS_poll, SYS_futex };
	uint8_t code[48];
	uint32_t nr = 0;
	unsigned int n = 0;
	size_t i, k;

	if (regs->orig_rax != SYS_restart_syscall)
		return 0;
	/* As a rule "mov $nr,%eax" lies shortly before the instruction. */
	if (!cr_remote_read(pid, regs->rip - sizeof(code), code, sizeof(code),
			    NULL))
		for (i = sizeof(code) - 6; i-- > 0;) {
			if (code[i] != 0xb8)
				continue;
			memcpy(&nr, code + i + 1, sizeof(nr));
			if (may_be(pid, regs, nr)) {
				regs->orig_rax = nr;
				return 0;
			}
		}
	/* syscall(2) of the C library: only the arguments tell. */
	for (k = 0; k < sizeof(calls) / sizeof(calls[0]); k++)
		if (may_be(pid, regs, calls[k])) {
			nr = calls[k];
			n++;
		}
	if (n == 1) {
		regs->orig_rax = nr;
		return 0;
	}
	return cr_error_set(err, -ENOTSUP,
			    "process %d: a thread sleeps in a system call "
			    "that was interrupted before, and which one "
			    "cannot be told; try again later",
			    pid);
}
