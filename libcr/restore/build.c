/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * build.c - the order in which a tree is built, and its release
 *
 * Everything that makes processes comes first, while all stubs still have
 * the supervisor's memory.  Then memory, one address space after the other;
 * threads; what they own; and last what a later step would disturb: pending
 * signals, timers, limits, credentials.  Children go before their parents
 * there, because what happens to a child is a signal to its parent.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/procfs.h"
#include "restore/build.h"

static int build_memory(struct cr_restore_context *ctx, struct cr_error *err)
{
	for (uint32_t m = 0; m < ctx->img->n_mms; m++)
		for (size_t i = 0; i < ctx->img->n_procs; i++) {
			struct cr_stub *s = &ctx->stubs[i];
			int ret;

			if (s->p->kind != CR_PROC_NORMAL || s->p->mm != m)
				continue;
			ret = cr_memory_restore(ctx, s, err);
			if (ret < 0)
				return ret;
			break; /* the others share it */
		}
	for (size_t i = 0; i < ctx->img->n_procs; i++) {
		struct cr_stub *s = &ctx->stubs[i];
		int ret = 0;

		if (s->p->kind == CR_PROC_NORMAL)
			ret = cr_control_restore(ctx, s, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int build_state(struct cr_restore_context *ctx, struct cr_error *err)
{
	for (size_t i = 0; i < ctx->img->n_procs; i++) {
		struct cr_stub *s = &ctx->stubs[i];
		int ret;

		if (s->p->kind == CR_PROC_ZOMBIE)
			continue;
		ret = cr_process_restore(ctx, s, err);
		for (size_t k = 0; !ret && k < s->p->n_threads; k++)
			ret = cr_thread_restore(ctx, s, k, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int build_owners(struct cr_restore_context *ctx, struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < ctx->img->n_procs; i++)
		if (ctx->stubs[i].p->kind != CR_PROC_ZOMBIE)
			ret = cr_process_owners(ctx, &ctx->stubs[i], err);
	return ret;
}

static bool last_of_its_memory(struct cr_restore_context *ctx,
			       struct cr_stub *s)
{
	/* they are finished from the last to the first */
	for (struct cr_stub *o = ctx->stubs; o < s; o++)
		if (o->p->kind == CR_PROC_NORMAL && o->p->mm == s->p->mm)
			return false;
	return true;
}

/* The rest that has to be done by remote calls. */
static int last_calls(struct cr_restore_context *ctx, struct cr_stub *s,
		      struct cr_error *err)
{
	int ret = cr_signals_restore(ctx, s, err);

	if (!ret)
		ret = cr_timers_restore(ctx, s, err);
	if (!ret && s->p->kind == CR_PROC_NORMAL)
		ret = cr_settings_restore(ctx, s, last_of_its_memory(ctx, s),
					  err);
	if (!ret)
		ret = cr_limits_restore(ctx, s, err);
	/* who has no_new_privs, or the capability, may: here all have */
	if (!ret && s->p->kind == CR_PROC_NORMAL)
		ret = cr_filters_restore(ctx, s, err);
	for (size_t i = s->first; !ret && i < s->n_tasks; i++) {
		ret = cr_creds_restore(ctx, s, &s->tasks[i], err);
		if (!ret && i < s->p->n_threads &&
		    s->p->threads[i].pdeath_signal)
			ret = (int)cr_stub_call(
				&s->tasks[i], "signal at its parent's death",
				SYS_prctl,
				(uint64_t[6]){ PR_SET_PDEATHSIG,
					       (uint64_t)s->p->threads[i]
						       .pdeath_signal },
				err);
	}
	return ret;
}

/* Unmaps the bench: from here on the memory is the program's alone. */
static int seal(struct cr_restore_context *ctx, struct cr_stub *s,
		struct cr_error *err)
{
	const struct cr_mm *mm = &ctx->img->mms[s->p->mm];
	struct cr_task *t = cr_stub_task(s);
	int64_t ret = 0;

	t->gadget = 0;
	if (cr_remote_find_gadget(t, NULL) < 0)
		t->gadget = ctx->bench.code; /* it need not come back */
	if (mm->dumpable <= 1)
		ret = cr_stub_call(
			t, "dumpable", SYS_prctl,
			(uint64_t[6]){ PR_SET_DUMPABLE, mm->dumpable }, err);
	if (ret >= 0)
		ret = cr_stub_call(
			t, "unmapping the bench", SYS_munmap,
			(uint64_t[6]){ ctx->bench.start,
				       ctx->bench.end - ctx->bench.start },
			err);
	return ret < 0 ? (int)ret : 0;
}

/*
 * A process that was stopped by job control goes over into that stop without
 * running an instruction; one thread first, which stops the others.
 */
static int release_stopped(struct cr_stub *s, struct cr_error *err)
{
	struct timespec nap = { 0, 200000 };
	struct cr_task *t = cr_stub_task(s);
	struct cr_procfs_stat st;
	int ret;

	t->kept |= 1ULL << SIGSTOP;
	ret = cr_remote_release(t, err);
	for (int i = 0;
	     !ret && (cr_procfs_stat(t->tid, &st) || st.state != 'T'); i++) {
		if (i == 10000)
			return cr_error_set(err, -ETIMEDOUT,
					    "process %d does not stop again",
					    s->pid);
		nanosleep(&nap, NULL);
	}
	for (size_t i = s->first + 1; !ret && i < s->n_tasks; i++)
		ret = cr_remote_release(&s->tasks[i], err);
	return ret;
}

/*
 * A parent that had waited for the stop of its child before the checkpoint
 * must not be told a second time.
 */
static int note_stop(struct cr_restore_context *ctx, struct cr_stub *s,
		     struct cr_error *err)
{
	uint32_t parent = cr_plan_find(ctx->img, s->p->ppid);
	int64_t ret;

	if (s->p->stop_signal || parent == CR_NONE ||
	    !ctx->stubs[parent].created)
		return 0;
	ret = cr_stub_call(cr_stub_task(&ctx->stubs[parent]),
			   "waiting for a stopped child", SYS_waitid,
			   (uint64_t[6]){ P_PID, (uint64_t)s->pid, 0,
					  WSTOPPED | WNOHANG | __WALL },
			   err);
	return ret < 0 ? (int)ret : 0;
}

static int finish(struct cr_restore_context *ctx, struct cr_error *err)
{
	/*
	 * A stopped process is let go of here, the others in the release, and
	 * then they no longer die with us: from now on the end of the command
	 * must be noticed (supervisor.c), not died of.
	 */
	prctl(PR_SET_PDEATHSIG, 0);
	for (size_t i = ctx->img->n_procs; i-- > 0;) {
		struct cr_stub *s = &ctx->stubs[i];
		int ret;

		if (s->p->kind == CR_PROC_ZOMBIE)
			continue;
		if (s->p->kind == CR_PROC_NORMAL)
			cr_thread_places(s);
		ret = last_calls(ctx, s, err);
		if (!ret && s->p->kind == CR_PROC_RESPAWNED)
			ret = cr_respawn(ctx, s, err);
		if (!ret && s->p->kind == CR_PROC_NORMAL &&
		    last_of_its_memory(ctx, s))
			ret = seal(ctx, s, err);
		if (!ret && s->p->kind == CR_PROC_NORMAL)
			for (size_t k = s->first; !ret && k < s->n_tasks; k++)
				ret = cr_thread_registers(s, k, err);
		cr_remote_forget_places(&s->places);
		if (!ret && s->p->stopped)
			ret = release_stopped(s, err);
		if (!ret && s->p->stopped)
			ret = note_stop(ctx, s, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int cr_build(struct cr_restore_context *ctx, struct cr_error *err)
{
	int ret;

	ctx->stubs = calloc(ctx->plan->n_stubs, sizeof(*ctx->stubs));
	if (!ctx->stubs)
		return cr_error_set(err, -ENOMEM, "out of memory");
	ret = cr_tree_create(ctx, err);
	if (!ret)
		ret = build_memory(ctx, err);
	if (!ret)
		ret = cr_tree_create_threads(ctx, err);
	if (!ret)
		ret = cr_files_open_late(ctx, err);
	if (!ret)
		ret = build_state(ctx, err);
	if (!ret)
		ret = cr_sysv_fill(ctx, err);
	if (!ret)
		ret = cr_files_connect(ctx, err);
	if (!ret)
		ret = build_owners(ctx, err);
	if (!ret)
		ret = cr_tree_end_zombies(ctx, err);
	if (!ret)
		ret = cr_tree_end_mains(ctx, err);
	if (!ret)
		ret = finish(ctx, err);
	if (!ret)
		ret = cr_files_start(ctx, err);
	if (!ret)
		cr_sysv_detach(ctx);
	return ret;
}

/* The terminal goes to the group that had it, if it is ours to give. */
static void give_terminal(struct cr_restore_context *ctx)
{
	for (size_t i = 0; i < ctx->img->n_procs; i++) {
		const struct cr_process *p = &ctx->img->procs[i];

		if (!p->foreground || p->kind == CR_PROC_ZOMBIE ||
		    cr_plan_find(ctx->img, p->pgid) == CR_NONE)
			continue;
		for (int fd = 0; fd < 3; fd++) {
			int tty = ctx->opt->stdio[fd];

			if (tty >= 0 && isatty(tty) &&
			    tcgetpgrp(tty) == getpgrp() &&
			    !tcsetpgrp(tty, p->pgid))
				return; /* others have one of the tree */
		}
	}
}

int cr_release(struct cr_restore_context *ctx, struct cr_error *err)
{
	int ret = 0;

	give_terminal(ctx);
	for (size_t i = 0; ctx->opt->signal && i < ctx->img->n_procs; i++)
		if (ctx->stubs[i].created)
			kill(ctx->stubs[i].pid, ctx->opt->signal);
	for (size_t i = 0; !ret && i < ctx->img->n_procs; i++) {
		struct cr_stub *s = &ctx->stubs[i];

		for (size_t k = 0; !ret && s->created && k < s->n_tasks; k++)
			ret = cr_remote_release(&s->tasks[k], err);
	}
	return ret;
}
