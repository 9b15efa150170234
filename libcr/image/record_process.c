/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record_process.c - processes and threads of a context file, field by field */
#include "image/record.h"

#define SIGINFO_SIZE sizeof(struct cr_siginfo)

static void pack_pending(struct cr_pack *p, struct cr_siginfo **pending,
			 size_t *n)
{
	cr_pack_array(p, (void **)pending, n, SIGINFO_SIZE, SIGINFO_SIZE);
	for (size_t i = 0; i < *n && !p->status; i++)
		cr_pack_bytes(p, (*pending)[i].raw, SIGINFO_SIZE);
}

static void pack_timer(struct cr_pack *p, struct cr_posix_timer *timer)
{
	cr_pack_s32(p, &timer->id);
	cr_pack_s32(p, &timer->clockid);
	cr_pack_s32(p, &timer->notify);
	cr_pack_s32(p, &timer->signo);
	cr_pack_s32(p, &timer->tid);
	cr_pack_u64(p, &timer->sigev_value);
	cr_pack_s64(p, &timer->it_value_ns);
	cr_pack_s64(p, &timer->it_interval_ns);
	cr_pack_s32(p, &timer->overrun);
}

static void pack_thread(struct cr_pack *p, struct cr_thread *t)
{
	cr_pack_s32(p, &t->tid);
	cr_pack_blob(p, &t->regs);
	cr_pack_blob(p, &t->xstate);
	cr_pack_u64(p, &t->sigmask);
	pack_pending(p, &t->pending, &t->n_pending);
	cr_pack_u64(p, &t->altstack_sp);
	cr_pack_u64(p, &t->altstack_size);
	cr_pack_u32(p, &t->altstack_flags);
	cr_pack_u64(p, &t->robust_head);
	cr_pack_u64(p, &t->robust_len);
	cr_pack_u64(p, &t->rseq_addr);
	cr_pack_u32(p, &t->rseq_len);
	cr_pack_u32(p, &t->rseq_sig);
	cr_pack_u32(p, &t->rseq_flags);
	cr_pack_u64(p, &t->clear_child_tid);
	cr_pack_bytes(p, t->comm, sizeof(t->comm));
	cr_pack_u32(p, &t->sched_policy);
	cr_pack_u32(p, &t->sched_priority);
	cr_pack_u32(p, &t->sched_flags);
	cr_pack_s32(p, &t->nice);
	cr_pack_s32(p, &t->ioprio);
	cr_pack_blob(p, &t->affinity);
	cr_pack_u64(p, &t->timerslack_ns);
	cr_pack_s32(p, &t->pdeath_signal);
	cr_pack_s64(p, &t->timeout_ns);
}

static void pack_ids(struct cr_pack *p, struct cr_process *proc)
{
	for (int i = 0; i < 4; i++)
		cr_pack_u32(p, &proc->uid[i]);
	for (int i = 0; i < 4; i++)
		cr_pack_u32(p, &proc->gid[i]);
	CR_PACK_ARRAY(p, proc->groups, proc->n_groups, 4);
	for (size_t i = 0; i < proc->n_groups && !p->status; i++)
		cr_pack_u32(p, &proc->groups[i]);
	for (int i = 0; i < 5; i++)
		cr_pack_u64(p, &proc->cap[i]);
	cr_pack_u32(p, &proc->securebits);
	cr_pack_bool(p, &proc->no_new_privs);
	cr_pack_u32(p, &proc->personality);
	cr_pack_s32(p, &proc->oom_score_adj);
}

static void pack_signals(struct cr_pack *p, struct cr_process *proc)
{
	for (int i = 0; i < CR_NSIG; i++) {
		struct cr_sigaction *action = &proc->sigaction[i];

		cr_pack_u64(p, &action->handler);
		cr_pack_u64(p, &action->flags);
		cr_pack_u64(p, &action->restorer);
		cr_pack_u64(p, &action->mask);
	}
	pack_pending(p, &proc->pending, &proc->n_pending);
	for (int i = 0; i < 3; i++) {
		cr_pack_s64(p, &proc->itimer[i].value_ns);
		cr_pack_s64(p, &proc->itimer[i].interval_ns);
	}
	CR_PACK_ARRAY(p, proc->timers, proc->n_timers, 48);
	for (size_t i = 0; i < proc->n_timers && !p->status; i++)
		pack_timer(p, &proc->timers[i]);
}

void cr_record_process(struct cr_pack *p, struct cr_process *proc)
{
	cr_pack_u32(p, &proc->kind);
	cr_pack_s32(p, &proc->pid);
	cr_pack_s32(p, &proc->ppid);
	cr_pack_s32(p, &proc->pgid);
	cr_pack_s32(p, &proc->sid);
	cr_pack_bool(p, &proc->foreground);
	cr_pack_bool(p, &proc->stopped);
	cr_pack_s32(p, &proc->stop_signal);
	cr_pack_s32(p, &proc->exit_status);
	cr_pack_s32(p, &proc->exit_signal);
	cr_pack_bool(p, &proc->child_subreaper);
	cr_pack_u32(p, &proc->mm);
	cr_pack_u32(p, &proc->fds_of);
	cr_pack_u32(p, &proc->fs_of);
	cr_pack_u32(p, &proc->sighand_of);
	pack_ids(p, proc);
	cr_pack_string(p, &proc->cwd);
	cr_pack_string(p, &proc->root);
	cr_pack_u32(p, &proc->umask);
	for (int i = 0; i < CR_NRLIMIT; i++) {
		cr_pack_u64(p, &proc->rlimit[i].cur);
		cr_pack_u64(p, &proc->rlimit[i].max);
	}
	pack_signals(p, proc);
	CR_PACK_ARRAY(p, proc->fds, proc->n_fds, 9);
	for (size_t i = 0; i < proc->n_fds && !p->status; i++) {
		cr_pack_s32(p, &proc->fds[i].fd);
		cr_pack_bool(p, &proc->fds[i].cloexec);
		cr_pack_u32(p, &proc->fds[i].file);
	}
	CR_PACK_ARRAY(p, proc->threads, proc->n_threads, 160);
	for (size_t i = 0; i < proc->n_threads && !p->status; i++)
		pack_thread(p, &proc->threads[i]);
	cr_pack_strings(p, &proc->argv);
	cr_pack_strings(p, &proc->envp);
}
