/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* threads.c - the state of each held thread */
#include <errno.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/internal.h"

#define IOPRIO_WHO_PROCESS 1
#define MAX_CPU_BYTES 1024
#define RSEQ_SIZE 32 /* of struct rseq as it was first */

int32_t cap_thread_vtid(const struct cap_proc *p, pid_t tid)
{
	int32_t vtid = tid;
	char *status;

	if (!p->nested)
		return tid;
	status = cr_procfs_read(p->pid, NULL, "task/%d/status", tid);
	if (status)
		vtid = cr_procfs_last(status, "NSpid", tid);
	free(status);
	return vtid;
}

/* What only the thread itself can ask the kernel for. */
static int read_remote(struct cap_thread *t, struct cr_thread *th,
		       struct cr_error *err)
{
	struct {
		uint64_t sp;
		int32_t flags, pad;
		uint64_t size;
		uint64_t clear_child_tid;
		int32_t pdeath_signal;
	} out;
	struct cr_task *k = &t->task;
	const uint64_t at = k->scratch;
	struct cr_remote_call c[] = {
		{ SYS_sigaltstack, { 0, at }, 0 },
		{ SYS_prctl,
		  { PR_GET_TID_ADDRESS,
		    at + offsetof(typeof(out), clear_child_tid) },
		  0 },
		{ SYS_prctl,
		  { PR_GET_PDEATHSIG,
		    at + offsetof(typeof(out), pdeath_signal) },
		  0 },
		{ SYS_prctl, { PR_GET_TIMERSLACK }, 0 },
	};
	int i, ret;

	ret = cr_remote_batch(k, c, 4, err);
	for (i = 0; i < 3 && !ret; i++)
		if (c[i].ret < 0)
			ret = cr_error_set(err, (int)c[i].ret,
					   "thread %d: system call %lld: %s",
					   t->vtid, (long long)c[i].nr,
					   strerror((int)-c[i].ret));
	if (!ret)
		ret = cr_remote_read(k->tid, at, &out, sizeof(out), err);
	if (ret)
		return ret;
	th->altstack_sp = out.sp;
	th->altstack_size = out.size;
	/* whether it runs on it now shows in its stack pointer */
	th->altstack_flags = (uint32_t)out.flags & ~1u;
	th->clear_child_tid = out.clear_child_tid;
	th->pdeath_signal = out.pdeath_signal;
	th->timerslack_ns = c[3].ret > 0 ? (uint64_t)c[3].ret : 0;
	return 0;
}

static int read_sched(struct cap_thread *t, struct cr_thread *th,
		      struct cr_error *err)
{
	uint8_t cpus[MAX_CPU_BYTES];
	struct sched_attr a;
	pid_t tid = t->task.tid;
	long n;

	memset(&a, 0, sizeof(a));
	if (syscall(SYS_sched_getattr, tid, &a, sizeof(a), 0) < 0)
		goto failed;
	th->sched_policy = a.sched_policy;
	th->sched_priority = a.sched_priority;
	th->sched_flags = (uint32_t)a.sched_flags;
	errno = 0;
	th->nice = getpriority(PRIO_PROCESS, (id_t)tid);
	if (errno)
		goto failed;
	n = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);
	if (n < 0)
		goto failed;
	th->ioprio = (int32_t)n;
	n = syscall(SYS_sched_getaffinity, tid, sizeof(cpus), cpus);
	if (n < 0)
		goto failed;
	if (cr_blob_set(&th->affinity, cpus, (size_t)n))
		return cr_error_set(err, -ENOMEM, "out of memory");
	return 0;
failed:
	return cr_error_set(err, -errno, "thread %d: scheduling: %s", t->vtid,
			    strerror(errno));
}

static void roll_back(struct user_regs_struct *r, const struct cr_rollback *s)
{
	r->rbx = s->rbx;
	r->rbp = s->rbp;
	r->r12 = s->r12;
	r->r13 = s->r13;
	r->r14 = s->r14;
	r->r15 = s->r15;
	r->rsp = s->rsp;
	r->rip = s->rip;
	r->fs_base = s->fs_base;
	r->eflags &= ~0x400ULL; /* direction: clear at any return */
	r->rax = 1;
	r->orig_rax = -1ULL;
}

/*
 * Where the kernel does not tell what is registered for rseq(2) (it does
 * since 5.13), it refuses a second one, and that is all there is to know.
 */
static int check_rseq(struct cap_thread *t, struct cr_error *err)
{
	const uint64_t area = (t->task.scratch + 31) & ~31ULL;
	int64_t r;
	int ret;

	ret = cr_remote_syscall(&t->task, &r, SYS_rseq, area,
				RSEQ_SIZE, 0, RSEQ_SIG, 0, 0, err);
	if (ret || r == -ENOSYS)
		return ret;
	if (!r)
		return cr_remote_syscall(&t->task, &r, SYS_rseq, area,
					 RSEQ_SIZE, RSEQ_FLAG_UNREGISTER,
					 RSEQ_SIG, 0, 0, err);
	return cr_error_set(err, -ENOTSUP,
			    "thread %d: has registered restartable sequences "
			    "(rseq), which kernels before 5.13 do not tell "
			    "about; start the program with GLIBC_TUNABLES="
			    "glibc.pthread.rseq=0, or use a newer kernel",
			    t->vtid);
}

static int read_thread(struct cap_proc *p, struct cap_thread *t,
		       struct cr_thread *th, struct cr_error *err)
{
	struct user_regs_struct regs = t->task.regs;
	struct cr_remote_rseq rseq;
	char *comm;
	int ret;

	th->tid = t->vtid;
	th->timeout_ns = -1;
	if (t->rollback) {
		roll_back(&regs, t->rollback);
	} else {
		ret = cr_remote_resolve_restart(p->tid, &regs, err);
		if (ret)
			return ret;
		th->timeout_ns = cr_remote_time_left(&t->task);
	}
	if (cr_blob_set(&th->regs, &regs, sizeof(regs)))
		return cr_error_set(err, -ENOMEM, "out of memory");
	ret = cr_remote_get_xstate(&t->task, &th->xstate.data, &th->xstate.len,
				   err);
	if (!ret)
		ret = cr_remote_get_sigmask(&t->task, &th->sigmask, err);
	if (ret)
		return ret;
	ret = cr_remote_get_rseq(&t->task, &rseq, err);
	if (!ret && rseq.unknown)
		ret = check_rseq(t, err);
	if (ret)
		return ret;
	th->rseq_addr = rseq.addr;
	th->rseq_len = rseq.len;
	th->rseq_sig = rseq.sig;
	th->rseq_flags = rseq.flags;
	if (syscall(SYS_get_robust_list, t->task.tid, &th->robust_head,
		    &th->robust_len) < 0)
		return cr_error_set(err, -errno, "thread %d: robust list: %s",
				    t->vtid, strerror(errno));
	comm = cr_procfs_read(p->pid, NULL, "task/%d/comm", t->task.tid);
	if (!comm)
		return cr_error_set(err, -errno, "thread %d: name: %s", t->vtid,
				    strerror(errno));
	comm[strlen(comm) - !!*comm] = 0; /* there may be another '\n' */
	snprintf(th->comm, sizeof(th->comm), "%.15s", comm);
	free(comm);
	ret = read_sched(t, th, err);
	if (!ret)
		ret = read_remote(t, th, err);
	if (!ret && t->rollback)
		ret = cap_undo_deliveries(p, t, th, err);
	return ret;
}

void cap_judge_thread(struct cap_proc *p, struct cap_thread *t)
{
	const struct cr_control *k = p->control;
	uint64_t fs = t->task.regs.fs_base;
	size_t i;

	t->vtid = cap_thread_vtid(p, t->task.tid);
	t->rollback = NULL;
	t->omitted = false;
	if (!p->has_control)
		return;
	for (i = 0; i < CR_CONTROL_ROLLBACKS; i++)
		if (k->rollback[i].active && k->rollback[i].tid == t->vtid) {
			t->rollback = &k->rollback[i];
			return;
		}
	if (fs - k->omit_thread_fs_start < k->omit_thread_fs_len)
		t->omitted = true;
	for (i = 0; i < CR_CONTROL_OMIT_THREADS; i++)
		if (k->omit_thread[i] == t->vtid)
			t->omitted = true;
}

/*
 * What is left of a main thread that has ended: who it was, and the exit
 * status that its process will have.  Registers are those of another.
 */
static int read_ended(struct cr_capture *c, struct cap_proc *p,
		      struct cr_error *err)
{
	struct cr_process *m = cap_model(c, p);
	struct cap_thread main = { .task.tid = p->pid, .vtid = p->vpid };
	struct cr_thread *th = &m->threads[0], *other = th + 1;
	struct cr_procfs_stat st;
	char *comm;
	int ret;

	if (m->n_threads < 2)
		return cr_error_set(err, -EINVAL,
				    "process %d: its main thread has ended, "
				    "and none of the others is to be saved",
				    p->vpid);
	th->tid = p->vpid;
	th->timeout_ns = -1;
	th->sigmask = cr_procfs_hex(p->status, "SigBlk");
	if (cr_blob_set(&th->regs, other->regs.data, other->regs.len) ||
	    cr_blob_set(&th->xstate, other->xstate.data, other->xstate.len))
		return cr_error_set(err, -ENOMEM, "out of memory");
	ret = read_sched(&main, th, err);
	if (ret)
		return cr_error_prefix(err, "process %d", p->vpid);
	comm = cr_procfs_read(p->pid, NULL, "task/%d/comm", p->pid);
	snprintf(th->comm, sizeof(th->comm), "%.*s",
		 comm && *comm ? (int)strlen(comm) - 1 : 0, comm ? comm : "");
	free(comm);
	ret = cr_procfs_task_stat(p->pid, p->pid, &st);
	return ret ? cr_error_set(err, ret, "process %d: stat: %s", p->vpid,
				  strerror(-ret))
		   : cap_add_setting(c, CR_SETTING_MAIN_ENDED,
				     (uint32_t)p->vpid,
				     (uint32_t)st.exit_code, err);
}

int cap_read_threads(struct cr_capture *c, struct cap_proc *p,
		     struct cr_error *err)
{
	struct cr_task *leader = &p->threads[0]->task;
	struct cap_thread *t;
	struct cr_thread *th;
	size_t i;
	int ret;

	if (cap_main_ended(p) && !cr_process_add_thread(cap_model(c, p)))
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < p->n_threads; i++) {
		t = p->threads[i];
		cap_judge_thread(p, t);
		if (t->omitted) {
			if (t->task.tid == p->pid)
				return cr_error_set(err, -EINVAL,
						    "process %d: its main "
						    "thread cannot be left "
						    "out",
						    p->vpid);
			continue;
		}
		t->task.gadget = leader->gadget;
		t->task.scratch = leader->scratch;
		t->task.scratch_size = leader->scratch_size;
		t->task.table = leader->table;
		t->task.table_size = leader->table_size;
		t->task.guard = leader->guard;
		th = cr_process_add_thread(cap_model(c, p));
		if (!th)
			return cr_error_set(err, -ENOMEM, "out of memory");
		ret = read_thread(p, t, th, err);
		if (!ret)
			ret = cap_read_thread_settings(c, t, err);
		if (ret) {
			cr_error_prefix(err, "process %d", p->vpid);
			return ret;
		}
		c->stats.threads++;
	}
	return cap_main_ended(p) ? read_ended(c, p, err) : 0;
}
