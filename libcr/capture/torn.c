/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * torn.c - signals that were delivered on top of a call that is rolled back
 *
 * The frames that the kernel put on the stack for them do not exist in the
 * image.  So what is saved is the thread as of before the first of them, and
 * a signal whose handler has not begun waits again (libcr_ext.h tells how all
 * that is known).
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "capture/internal.h"

#define MOST_RECORDS 4096 /* a longer list is a broken one */

/* The kernel's struct ucontext. */
struct context {
	uint64_t flags, link;
	uint64_t stack_sp;
	uint32_t stack_flags, pad;
	uint64_t stack_size;
	uint64_t reg[23];
	uint64_t fpstate; /* address */
	uint64_t reserved[8];
	uint64_t sigmask;
};

/* In the 48 bytes at the end of the FXSAVE area of a signal frame. */
#define SW_OFFSET 464
#define SW_MAGIC 0x46505853
#define SW_BYTES 48
struct sw_bytes {
	uint32_t magic, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size;
};
#define FXSAVE_SIZE 512

/*
 * A fault belongs to the instruction that is undone with the call; it comes
 * again if the call is made again and needs it.
 */
static bool is_fault(const siginfo_t *info)
{
	switch (info->si_signo) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
	case SIGSYS:
		return info->si_code > 0;
	default:
		return false;
	}
}

static int take_signal(struct cap_thread *t, uint64_t at, struct cr_error *err)
{
	siginfo_t info;
	int ret = cr_remote_read(t->task.tid, at, &info, sizeof(info), err);

	if (ret || is_fault(&info))
		return ret;
	if (t->has_undone || info.si_signo < 1 || info.si_signo > CR_NSIG)
		return cr_error_set(err, -EPROTO,
				    "thread %d: its record of delivered "
				    "signals is broken",
				    t->vtid);
	memcpy(&t->undone, &info, sizeof(t->undone));
	t->has_undone = true;
	return 0;
}

/* The same as sigreturn(2) takes from a frame, in ptrace's form. */
static int take_xstate(struct cap_thread *t, uint64_t at, struct cr_blob *x,
		       struct cr_error *err)
{
	uint8_t kept[SW_BYTES];
	struct sw_bytes sw;
	size_t len;
	int ret;

	if (!at || x->len < FXSAVE_SIZE)
		return 0;
	ret = cr_remote_read(t->task.tid, at + SW_OFFSET, &sw, sizeof(sw),
			     err);
	if (ret)
		return ret;
	len = sw.magic == SW_MAGIC ? sw.xstate_size : FXSAVE_SIZE;
	if (len > x->len || len < FXSAVE_SIZE)
		return cr_error_set(err, -EPROTO,
				    "thread %d: the extended registers of a "
				    "signal frame have %zu bytes",
				    t->vtid, len);
	memcpy(kept, (char *)x->data + SW_OFFSET, sizeof(kept));
	ret = cr_remote_read(t->task.tid, at, x->data, len, err);
	memcpy((char *)x->data + SW_OFFSET, kept, sizeof(kept));
	return ret;
}

static int take_context(struct cap_thread *t, uint64_t at,
			struct cr_thread *th, struct cr_error *err)
{
	struct context c;
	int ret = cr_remote_read(t->task.tid, at, &c, sizeof(c), err);

	if (ret)
		return ret;
	th->sigmask = c.sigmask;
	th->altstack_sp = c.stack_sp;
	th->altstack_size = c.stack_size;
	th->altstack_flags = c.stack_flags & ~1u;
	return take_xstate(t, c.fpstate, &th->xstate, err);
}

int cap_undo_deliveries(struct cap_proc *p, struct cap_thread *t,
			struct cr_thread *th, struct cr_error *err)
{
	const struct cr_control *k = p->control;
	const struct user_regs_struct *r = &t->task.regs;
	struct cr_delivery d;
	uint64_t at, first = 0;
	unsigned int n;
	int ret = 0;

	t->has_undone = false;
	if (r->rip - k->delivery_code < k->delivery_code_len) {
		first = r->rdx;
		if (r->rsi)
			ret = take_signal(t, r->rsi, err);
	}
	at = k->delivered[t->rollback - k->rollback];
	for (n = 0; at && !ret; at = d.older) {
		if (++n > MOST_RECORDS)
			return cr_error_set(err, -EPROTO,
					    "thread %d: its list of delivered "
					    "signals has no end",
					    t->vtid);
		ret = cr_remote_read(t->task.tid, at, &d, sizeof(d), err);
		if (!ret && d.info)
			ret = take_signal(t, d.info, err);
		first = d.context;
	}
	if (!ret && first)
		ret = take_context(t, first, th, err);
	return ret;
}
