/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tree.c - carries out the plan: processes, sessions, groups, threads */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/procfs.h"
#include "restore/build.h"

/* Where in the bench's data the array of set_tid lies. */
#define SET_TID_OFFSET (CR_BENCH_DATA - 64)

#define FIRST_ID 2
#define LAST_ID (1 << 22) /* the most that pid_max may be */

#define MOST_TRIES 1000 /* for an id that is about to be free, a second */

#define MOST_NAPS 50000 /* for a thread to end, 10 seconds */

/*
 * The kernel gives an id free a moment after its task has gone.  True: it is
 * worth trying again.
 */
static bool free_soon(pid_t id, int *tries)
{
	struct timespec nap = { 0, 1000000 };

	if (!kill(id, 0) || errno != ESRCH || ++*tries > MOST_TRIES)
		return false;
	nanosleep(&nap, NULL);
	return true;
}

/* The first moments of a process that the supervisor itself makes. */
static void __attribute__((noreturn)) wait_as_stub(pid_t supervisor)
{
	/* until it is traced, the kernel must end it with its parent */
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (syscall(SYS_getppid) != supervisor)
		syscall(SYS_exit_group, 0);
	for (;;)
		syscall(SYS_pause);
}

static int create_here(struct cr_restore_context *ctx, struct cr_stub *s,
		       int exit_signal, struct cr_error *err)
{
	pid_t self = (pid_t)syscall(SYS_getpid);
	pid_t want = s->pid;
	struct clone_args args = {
		.exit_signal = (uint64_t)exit_signal,
		.set_tid = (uint64_t)(uintptr_t)&want,
		.set_tid_size = 1,
	};
	struct cr_task *t = &s->tasks[0];
	int ret, tries = 0;
	long pid;

	ret = cr_engine_grant(&ctx->engine, err);
	if (ret < 0)
		return ret;
	do {
		pid = syscall(SYS_clone3, &args, sizeof(args));
		ret = pid < 0 ? -errno : 0;
	} while (ret == -EEXIST && free_soon(want, &tries));
	if (pid == 0)
		wait_as_stub(self);
	if (ret < 0)
		return cr_error_set(
			err, ret, "process %d: it cannot be created: %s",
			s->pid,
			ret == -EEXIST ? "its id is in use" : strerror(-ret));
	ret = cr_remote_seize(t, (pid_t)pid, true, err);
	if (!ret)
		ret = cr_remote_stop(t, err);
	if (ret < 0)
		return cr_error_set(err, ret, "process %d: it has gone",
				    s->pid);
	cr_stub_prepare(ctx, t);
	return (int)cr_stub_call(t, "forgetting its parent's death", SYS_prctl,
				 (uint64_t[6]){ PR_SET_PDEATHSIG, 0 }, err);
}

static int create_by(struct cr_restore_context *ctx, struct cr_task *by,
		     struct cr_task *t, int32_t pid, uint64_t flags,
		     int exit_signal, struct cr_error *err)
{
	struct clone_args args = {
		.flags = flags,
		.exit_signal = (uint64_t)exit_signal,
		.set_tid_size = 1,
	};
	struct cr_error first;
	int ret, tries = 0;

	args.set_tid =
		cr_stub_put(ctx, by, SET_TID_OFFSET, &pid, sizeof(pid), err);
	if (!args.set_tid)
		return err->code;
	ret = cr_engine_grant_to(&ctx->engine, by, err);
	if (ret < 0)
		return ret;
	do {
		cr_error_clear(&first);
		ret = cr_remote_clone3(by, &args, t, &first);
	} while (ret == -EEXIST && free_soon(pid, &tries));
	if (ret < 0)
		cr_error_set(err, ret, "%s", first.text);
	if (ret < 0)
		return cr_error_prefix(
			err, "%s %d: it cannot be created%s",
			flags & CLONE_THREAD ? "thread" : "process", pid,
			ret == -EEXIST ? " (its id is in use)" : "");
	cr_stub_prepare(ctx, t);
	return 0;
}

static bool in_image(const struct cr_image *img, pid_t id)
{
	for (size_t i = 0; i < img->n_procs; i++) {
		const struct cr_process *p = &img->procs[i];

		if (p->pid == id || p->pgid == id || p->sid == id)
			return true;
		for (size_t k = 1; k < p->n_threads; k++)
			if (p->threads[k].tid == id)
				return true;
	}
	return false;
}

static bool is_free(pid_t id)
{
	return kill(id, 0) && errno == ESRCH && kill(-id, 0) && errno == ESRCH;
}

/* A helper whose id does not matter, but must be in nobody's way. */
static int create_anyhow(struct cr_restore_context *ctx, struct cr_task *by,
			 struct cr_stub *s, struct cr_error *err)
{
	struct cr_error why = { 0 };
	int ret = -EEXIST;

	for (s->pid = FIRST_ID; ret == -EEXIST && s->pid < LAST_ID; s->pid++) {
		if (in_image(ctx->img, s->pid) || !is_free(s->pid))
			continue;
		cr_error_clear(&why);
		ret = create_by(ctx, by, &s->tasks[0], s->pid, 0, SIGCHLD,
				&why);
		if (!ret)
			return 0;
	}
	return cr_error_set(err, ret, "a helper process: %s",
			    why.code ? why.text : "all ids are in use");
}

/* All but the first, if they are not there yet. */
static int create_threads(struct cr_restore_context *ctx, struct cr_stub *s,
			  struct cr_error *err)
{
	const uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES |
			       CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	int ret;

	for (size_t k = s->n_tasks; k < s->p->n_threads; k++) {
		ret = create_by(ctx, &s->tasks[0], &s->tasks[k],
				s->p->threads[k].tid, flags, 0, err);
		if (ret < 0)
			return cr_error_prefix(err, "process %d", s->pid);
		s->n_tasks++;
	}
	return 0;
}

/* The thread of "by" that is to make process s; NULL with err. */
static struct cr_task *creator(struct cr_restore_context *ctx,
			       struct cr_stub *by, const struct cr_stub *s,
			       struct cr_error *err)
{
	const struct cr_image *img = ctx->img;
	size_t i, k;

	for (i = 0; i < img->n_settings; i++)
		if (img->settings[i].kind == CR_SETTING_PARENT_THREAD &&
		    img->settings[i].owner == (uint32_t)s->p->pid)
			break;
	if (i == img->n_settings || !by->p || by->p->pid != s->p->ppid)
		return &by->tasks[0];
	if (create_threads(ctx, by, err) < 0)
		return NULL;
	for (k = 1; k < by->n_tasks; k++)
		if ((uint64_t)by->p->threads[k].tid == img->settings[i].value)
			return &by->tasks[k];
	return &by->tasks[0];
}

static int step_create(struct cr_restore_context *ctx,
		       const struct cr_step *step, struct cr_error *err)
{
	struct cr_stub *s = &ctx->stubs[step->stub];
	bool helper = step->stub >= ctx->img->n_procs;
	int exit_signal = SIGCHLD, ret;
	struct cr_task *by;
	size_t n = 1;

	s->pid = step->pid;
	if (!helper) {
		s->p = &ctx->img->procs[step->stub];
		exit_signal = s->p->exit_signal;
		if (s->p->n_threads)
			n = s->p->n_threads;
	}
	s->tasks = calloc(n, sizeof(*s->tasks));
	if (!s->tasks)
		return cr_error_set(err, -ENOMEM, "out of memory");
	s->n_tasks = 1;
	if (step->creator == CR_NONE)
		ret = create_here(ctx, s, exit_signal, err);
	else if (!step->pid)
		ret = create_anyhow(ctx, &ctx->stubs[step->creator].tasks[0], s,
				    err);
	else {
		by = &ctx->stubs[step->creator].tasks[0];
		if (!helper && !(step->flags & CLONE_PARENT))
			by = creator(ctx, &ctx->stubs[step->creator], s, err);
		ret = !by ? err->code :
			create_by(ctx, by, &s->tasks[0], step->pid,
				  step->flags,
				  step->flags & CLONE_PARENT ? 0 : exit_signal,
				  err);
	}
	if (ret < 0)
		return ret;
	s->created = true;
	return 0;
}

/* Waits, as its tracer, for the end of a process. */
static void wait_gone(pid_t pid)
{
	int status;

	do {
		if (waitpid(pid, &status, __WALL) < 0 && errno != EINTR)
			return;
	} while (!WIFEXITED(status) && !WIFSIGNALED(status));
}

static int step_end(struct cr_restore_context *ctx, const struct cr_step *step,
		    struct cr_error *err)
{
	struct cr_stub *s = &ctx->stubs[step->stub];
	int64_t ret;

	kill(s->pid, SIGKILL);
	wait_gone(s->pid);
	s->created = false;
	if (step->creator == CR_NONE)
		return 0;
	ret = cr_stub_call(&ctx->stubs[step->creator].tasks[0],
			   "reaping a helper", SYS_wait4,
			   (uint64_t[6]){ (uint64_t)s->pid, 0, __WALL }, err);
	return ret < 0 ? (int)ret : 0;
}

int cr_tree_create(struct cr_restore_context *ctx, struct cr_error *err)
{
	for (size_t i = 0; i < ctx->plan->n_steps; i++) {
		const struct cr_step *step = &ctx->plan->steps[i];
		struct cr_task *t = NULL;
		int64_t ret = 0;

		if (step->kind != CR_STEP_CREATE)
			t = &ctx->stubs[step->stub].tasks[0];
		switch (step->kind) {
		case CR_STEP_CREATE:
			ret = step_create(ctx, step, err);
			break;
		case CR_STEP_SETSID:
			ret = cr_stub_call(t, "becoming a session leader",
					   SYS_setsid, (uint64_t[6]){ 0 }, err);
			if (ret >= 0)
				ret = cr_terminal_take(
					ctx, ctx->stubs[step->stub].pid, err);
			break;
		case CR_STEP_SETPGID:
			ret = cr_stub_call(
				t, "joining its process group", SYS_setpgid,
				(uint64_t[6]){ 0, (uint64_t)step->pgid }, err);
			break;
		case CR_STEP_END:
			ret = step_end(ctx, step, err);
			break;
		}
		if (ret < 0)
			return (int)ret;
	}
	return cr_terminals_give(ctx, err);
}

int cr_tree_create_threads(struct cr_restore_context *ctx, struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; i < ctx->img->n_procs && !ret; i++)
		if (ctx->stubs[i].p->kind == CR_PROC_NORMAL)
			ret = create_threads(ctx, &ctx->stubs[i], err);
	return ret;
}

/* Lets a stub die of sig: nothing is blocked, every action is the default. */
static int die_of(pid_t pid, int sig)
{
	struct rlimit none = { 0, 0 };
	uint64_t mask = 0;
	int status;

	prlimit(pid, RLIMIT_CORE, &none, NULL);
	if (ptrace(PTRACE_SETSIGMASK, pid, sizeof(mask), &mask) < 0 ||
	    kill(pid, sig) < 0 ||
	    (sig != SIGKILL && ptrace(PTRACE_CONT, pid, 0, 0) < 0))
		return -errno;
	for (;;) {
		if (waitpid(pid, &status, __WALL) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (WIFSIGNALED(status))
			return WTERMSIG(status) == sig ? 0 : -EINVAL;
		if (!WIFSTOPPED(status))
			return -EINVAL;
		if (ptrace(PTRACE_CONT, pid, 0,
			   status >> 16 ? 0 : (long)WSTOPSIG(status)) < 0)
			return -errno;
	}
}

/* Ends a stub the way the recorded process had ended. */
static int end_zombie(struct cr_stub *s, struct cr_error *err)
{
	int status = s->p->exit_status;
	int ret;

	if (WIFEXITED(status))
		return cr_remote_exit(&s->tasks[0], WEXITSTATUS(status), err);
	ret = die_of(s->pid, WTERMSIG(status));
	if (ret < 0)
		return cr_error_set(err, ret, "dying of signal %d: %s",
				    WTERMSIG(status), strerror(-ret));
	return 0;
}

int cr_tree_end_zombies(struct cr_restore_context *ctx, struct cr_error *err)
{
	for (size_t i = ctx->img->n_procs; i-- > 0;) {
		struct cr_stub *s = &ctx->stubs[i];
		int ret;

		if (s->p->kind != CR_PROC_ZOMBIE)
			continue;
		ret = end_zombie(s, err);
		if (ret < 0)
			return cr_error_prefix(err,
					       "process %d, which had "
					       "ended",
					       s->pid);
		s->created = false;
	}
	return 0;
}

/*
 * By itself and untraced: the kernel tells no tracer of it, nor lets one go
 * of it.  The children that it has made become those of another thread.
 */
static int end_main(struct cr_restore_context *ctx, struct cr_stub *s,
		    int status, struct cr_error *err)
{
	struct timespec nap = { 0, 200000 };
	struct cr_procfs_stat st;
	int ret;

	ret = cr_signals_of_process(ctx, s, err);
	if (!ret)
		ret = cr_creds_restore(ctx, s, &s->tasks[0], err);
	if (!ret)
		ret = cr_remote_leave(&s->tasks[0], status,
				      s->p->threads[0].sigmask, err);
	for (int i = 0; !ret && (cr_procfs_task_stat(s->pid, s->pid, &st) ||
				 st.state != 'Z');
	     i++) {
		if (i == MOST_NAPS)
			return cr_error_set(err, -ETIMEDOUT,
					    "process %d: its main thread does "
					    "not end again",
					    s->pid);
		nanosleep(&nap, NULL);
	}
	s->first = 1;
	return ret;
}

int cr_tree_end_mains(struct cr_restore_context *ctx, struct cr_error *err)
{
	for (size_t i = 0; i < ctx->img->n_procs; i++) {
		struct cr_stub *s = &ctx->stubs[i];
		int status, ret;

		if (s->p->kind != CR_PROC_NORMAL)
			continue;
		status = cr_image_main_ended(ctx->img, s->p);
		ret = status < 0 ? 0
				 : end_main(ctx, s, WEXITSTATUS(status), err);
		if (ret < 0)
			return ret;
	}
	return 0;
}
