/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thread.c - the state of single threads: addresses, scheduling, registers */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "restore/build.h"

static int restore_altstack(struct cr_restore_context *ctx, struct cr_task *t,
			    const struct cr_thread *th, struct cr_error *err)
{
	stack_t ss = {
		.ss_sp = (void *)(uintptr_t)th->altstack_sp,
		.ss_size = th->altstack_size,
		/* "on it" follows from the stack pointer */
		.ss_flags = (int)(th->altstack_flags & ~(uint32_t)SS_ONSTACK),
	};
	uint64_t at;
	int64_t ret;

	if (!th->altstack_size)
		ss.ss_flags = SS_DISABLE;
	at = cr_stub_put(ctx, t, 0, &ss, sizeof(ss), err);
	if (!at)
		return err->code;
	ret = cr_stub_call(t, "alternate signal stack", SYS_sigaltstack,
			   (uint64_t[6]){ at }, err);
	return ret < 0 ? (int)ret : 0;
}

/* The kernel may clear the current sequence when it takes the area over. */
static int restore_rseq(struct cr_task *t, const struct cr_thread *th,
			struct cr_error *err)
{
	uint64_t cs;
	int64_t r;
	int ret;

	if (!th->rseq_addr)
		return 0;
	ret = cr_remote_read(t->tid, th->rseq_addr + 8, &cs, sizeof(cs), err);
	if (ret < 0)
		return ret;
	r = cr_stub_call(t, "restartable sequences", SYS_rseq,
			 (uint64_t[6]){ th->rseq_addr, th->rseq_len,
					th->rseq_flags, th->rseq_sig },
			 err);
	if (r < 0)
		return (int)r;
	return cr_remote_write(t->tid, th->rseq_addr + 8, &cs, sizeof(cs), err);
}

static int restore_addresses(struct cr_restore_context *ctx, struct cr_task *t,
			     const struct cr_thread *th, struct cr_error *err)
{
	int64_t ret;

	ret = restore_altstack(ctx, t, th, err);
	if (ret >= 0)
		ret = cr_stub_call(t, "set_tid_address", SYS_set_tid_address,
				   (uint64_t[6]){ th->clear_child_tid }, err);
	if (ret >= 0 && th->robust_len)
		ret = cr_stub_call(
			t, "robust futexes", SYS_set_robust_list,
			(uint64_t[6]){ th->robust_head, th->robust_len }, err);
	if (ret >= 0)
		ret = restore_rseq(t, th, err);
	return ret < 0 ? (int)ret : 0;
}

/*
 * Scheduling as far as this node and the user's rights allow: a restart on a
 * smaller node, or bound by its scheduler to other processors, must go on.
 */
static void restore_scheduling(pid_t tid, const struct cr_thread *th)
{
	struct sched_param param = { (int)th->sched_priority };
	int policy = (int)th->sched_policy;
	cpu_set_t mine, want;

	if (th->sched_flags & 1)
		policy |= SCHED_RESET_ON_FORK;
	if (sched_getscheduler(tid) != policy || th->sched_priority)
		sched_setscheduler(tid, policy, &param);
	if (getpriority(PRIO_PROCESS, (id_t)tid) != th->nice)
		setpriority(PRIO_PROCESS, (id_t)tid, th->nice);
	if (th->ioprio)
		syscall(SYS_ioprio_set, 1, tid, th->ioprio);
	if (!th->affinity.len || sched_getaffinity(0, sizeof(mine), &mine))
		return;
	CPU_ZERO(&want);
	memcpy(&want, th->affinity.data,
	       th->affinity.len < sizeof(want) ? th->affinity.len
					       : sizeof(want));
	CPU_AND(&mine, &mine, &want);
	/* only where all of it may be used here */
	if (CPU_COUNT(&want) && CPU_EQUAL(&mine, &want))
		sched_setaffinity(tid, sizeof(want), &want);
}

int cr_thread_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		      size_t i, struct cr_error *err)
{
	const struct cr_thread *th = &s->p->threads[i];
	struct cr_task *t = &s->tasks[i];
	char name[16];
	uint64_t at;
	int64_t ret;

	if (s->p->kind == CR_PROC_NORMAL) {
		ret = restore_addresses(ctx, t, th, err);
		if (ret < 0)
			return (int)ret;
	}
	memcpy(name, th->comm, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	at = cr_stub_put(ctx, t, 0, name, sizeof(name), err);
	if (!at)
		return err->code;
	ret = cr_stub_call(t, "name", SYS_prctl,
			   (uint64_t[6]){ PR_SET_NAME, at }, err);
	if (ret >= 0 && th->timerslack_ns)
		ret = cr_stub_call(
			t, "timer slack", SYS_prctl,
			(uint64_t[6]){ PR_SET_TIMERSLACK, th->timerslack_ns },
			err);
	if (ret < 0)
		return (int)ret;
	restore_scheduling(t->tid, th);
	return cr_remote_set_sigmask(t, th->sigmask, err);
}

/*
 * The recorded extended state in the size that this processor wants: the
 * components in use are checked by verify to be at the same places.
 */
static int set_xstate(struct cr_task *t, const struct cr_blob *x,
		      struct cr_error *err)
{
	void *data = NULL;
	size_t len;
	int ret;

	ret = cr_remote_get_xstate(t, &data, &len, err);
	if (ret < 0)
		return ret;
	if (x->len >= len) {
		ret = cr_remote_set_xstate(t, x->data, len, err);
	} else {
		memset(data, 0, len);
		memcpy(data, x->data, x->len);
		ret = cr_remote_set_xstate(t, data, len, err);
	}
	free(data);
	return ret;
}

/*
 * Where calls go on with what is left of their time.  If there is no room,
 * some begin anew.
 */
void cr_thread_places(struct cr_stub *s)
{
	size_t n = 0;

	for (size_t i = s->first; i < s->n_tasks; i++) {
		const struct cr_thread *th = &s->p->threads[i];
		struct cr_task t = { .tid = s->tasks[i].tid, .held = true };

		if (th->timeout_ns < 0 || th->regs.len != sizeof(t.regs))
			continue;
		memcpy(&t.regs, th->regs.data, sizeof(t.regs));
		cr_remote_regs_for_restart(&t.regs);
		n += cr_remote_wants_place(&t);
	}
	if (n)
		cr_remote_make_places(cr_stub_task(s), &s->places, n, NULL);
}

int cr_thread_registers(struct cr_stub *s, size_t i, struct cr_error *err)
{
	const struct cr_thread *th = &s->p->threads[i];
	struct cr_task *t = &s->tasks[i];
	int ret = 0;

	if (th->regs.len != sizeof(t->regs))
		return cr_error_set(err, -EINVAL,
				    "process %d: thread %d has %zu bytes of "
				    "registers",
				    s->pid, th->tid, th->regs.len);
	if (th->xstate.len)
		ret = set_xstate(t, &th->xstate, err);
	memcpy(&t->regs, th->regs.data, sizeof(t->regs));
	cr_remote_regs_for_restart(&t->regs);
	if (!ret && th->timeout_ns >= 0)
		ret = cr_remote_restart_timeout(t, th->timeout_ns, &s->places,
						err);
	return ret;
}
