/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hold.c - stop every thread of the scope, and let all of them go */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/internal.h"

#define STUCK_MS 50	  /* then the others run on for a while */
#define RUNNING_MS 1000	  /* unless it has only to be given a processor */
#define STUCK_LIMIT_S 5.0 /* then the request is refused */

static void drop_gone(struct cap_proc *p)
{
	size_t i, n = 0;

	for (i = 0; i < p->n_threads; i++) {
		if (p->threads[i]->gone)
			free(p->threads[i]);
		else
			p->threads[n++] = p->threads[i];
	}
	p->n_threads = n;
}

/*
 * The kernel does not tell of the end of a main thread before that of its
 * process, nor can it be let go of: the tracer must end.
 */
static int refuse_ending(const struct cap_proc *p, struct cr_error *err)
{
	return cr_error_set(err, -EBUSY,
			    "process %d: its main thread has ended at the "
			    "moment of the checkpoint; try again",
			    p->vpid);
}

static char state_of(const struct cap_proc *p, pid_t tid)
{
	struct cr_procfs_stat st;

	return cr_procfs_task_stat(p->pid, tid, &st) ? 0 : st.state;
}

/* One that could run stops when the processor is its own for a moment. */
static int wait_one(struct cap_proc *p, struct cap_thread *t, unsigned int ms,
		    struct cr_error *err)
{
	unsigned int waited = 0;
	int ret;

	do {
		ret = cr_remote_wait_stop_ms(&t->task, ms, err);
		waited += ms;
	} while (ret == -ETIMEDOUT && ms && waited < RUNNING_MS &&
		 state_of(p, t->task.tid) == 'R');
	return ret;
}

/* Waits for all; *stuck is the first that does not stop. */
static int wait_all(struct cr_capture *c, struct cap_thread **stuck,
		    struct cap_proc **stuck_proc, struct cr_error *err)
{
	struct cap_thread *t;
	struct cap_proc *p;
	size_t i, k;
	int ret;

	*stuck = NULL;
	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		for (k = 0; k < p->n_threads; k++) {
			t = p->threads[k];
			if (t->task.held || t->gone)
				continue;
			ret = wait_one(p, t, *stuck ? 0 : STUCK_MS, err);
			if (ret == -ESRCH) {
				t->gone = true;
			} else if (ret == -ETIMEDOUT) {
				if (!*stuck) {
					*stuck = t;
					*stuck_proc = p;
				}
			} else if (ret) {
				return ret;
			}
		}
		drop_gone(p);
	}
	return 0;
}

/* Seizes whatever is new until there is nothing new any more. */
static int seize_all(struct cr_capture *c, size_t *added, struct cr_error *err)
{
	struct cap_proc *p;
	size_t i;
	int ret;

	ret = cap_scope_scan(c, added, err);
	for (i = 0; i < c->n_procs && !ret; i++) {
		p = c->procs[i];
		if (!p->zombie && !p->launcher && !p->omitted)
			ret = cap_seize_new(p, added, err);
	}
	return ret;
}

/* Threads that are held run on; the others stay seized. */
static int let_go(struct cr_capture *c, struct cr_error *err)
{
	struct cap_thread *t;
	struct cap_proc *p;
	size_t i, k;
	int ret, r;

	ret = cap_make_rests(c, err);
	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		for (k = 0; k < p->n_threads; k++) {
			t = p->threads[k];
			cr_remote_renew_timeout(&t->task);
			r = cr_remote_release(&t->task, ret ? NULL : err);
			if (r && !ret)
				ret = r;
			t->gone = !t->task.seized;
		}
		drop_gone(p);
	}
	return ret;
}

/* What is asked for must be there: a zombie is nothing to come back to. */
static int check_target(struct cr_capture *c, struct cr_error *err)
{
	struct cap_proc *p;
	size_t i;

	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		if (p->pid == c->opt.target && (p->zombie || p->ended) &&
		    (c->opt.scope == CR_SCOPE_TREE ||
		     c->opt.scope == CR_SCOPE_PROC))
			return cr_error_set(err, -ESRCH, "process %d has ended",
					    p->vpid);
	}
	return 0;
}

/*
 * A zombie that waits for a parent outside of the scope is nothing to save:
 * that parent sees its end here, and nobody would at a restart.
 */
static void drop_zombies(struct cr_capture *c)
{
	struct cap_proc *p, *parent;
	size_t i;

	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		parent = cap_scope_find(c, p->ppid);
		if (p->zombie && (!parent || parent->omitted))
			p->omitted = true;
	}
}

/* Was a process named that stands for its descendants, as cr_restart does? */
static bool named_for_others(struct cr_capture *c)
{
	const struct cap_proc *p = cap_scope_find(c, c->opt.target);

	return p && p->omitted && p->has_control &&
	       p->control->omit_process == CR_CONTROL_OMIT_ROOT &&
	       c->opt.scope == CR_SCOPE_TREE;
}

int cap_check_root(struct cr_capture *c, struct cr_error *err)
{
	struct cap_proc *p = cap_scope_root(c);

	if (c->n_roots == 1 && !named_for_others(c) &&
	    (c->opt.scope == CR_SCOPE_TREE || c->opt.scope == CR_SCOPE_PROC))
		p = p && p->pid == c->opt.target ? p : NULL;
	if (p)
		return 0;
	p = cap_scope_find(c, c->opt.target);
	if (p && p->zombie)
		p = NULL;
	return cr_error_set(err, p ? -CR_EOMITTED : -ESRCH,
			    p ? "process %d: wants to be left out, and nothing "
				"else was named; have it run without "
				"libcr_omit, or name its parent" :
				"all processes of %d have ended",
			    p ? p->vpid : c->opt.target);
}

/* A main thread that has ended stays as a shell until the others end. */
static int note_main_threads(struct cr_capture *c, struct cr_error *err)
{
	struct cap_proc *p;
	size_t i;

	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		if (!p->n_threads)
			continue;
		p->tid = p->threads[0]->task.tid;
		if (cap_main_ended(p) && state_of(p, p->pid) != 'Z')
			return refuse_ending(p, err);
	}
	return 0;
}

static int refuse_stuck(struct cap_proc *p, struct cap_thread *t,
			struct cr_error *err)
{
	char *status =
		cr_procfs_read(p->pid, NULL, "task/%d/status", t->task.tid);
	const char *state = status ? cr_procfs_field(status, "State") : NULL;
	char *wchan =
		cr_procfs_read(p->pid, NULL, "task/%d/wchan", t->task.tid);

	cr_error_set(err, -EBUSY,
		     "process %d: thread %d does not stop within %.0f s "
		     "(state %.*s, in %s); it waits for a child of vfork(2), "
		     "or for a device or file server: try again later",
		     p->vpid, t->task.tid, STUCK_LIMIT_S,
		     state ? (int)strcspn(state, "\n") : 1, state ? state : "?",
		     wchan && wchan[0] ? wchan : "?");
	free(wchan);
	free(status);
	return err ? err->code : -EBUSY;
}

/*
 * Stops every thread of every process of the scope.  New ones are looked for
 * again and again until all that there are stand still.
 *
 * A thread that waits for a child of vfork() stops only after the child, so
 * the others must run on meanwhile.
 */
int cap_hold(struct cr_capture *c, struct cr_error *err)
{
	struct cap_proc *stuck_proc = NULL;
	struct cap_thread *stuck;
	struct timespec begin;
	size_t added;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	c->stopped = true;
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &c->stop_begin);
		do {
			ret = seize_all(c, &added, err);
			if (!ret)
				ret = wait_all(c, &stuck, &stuck_proc, err);
			if (ret)
				return ret;
		} while (added && !stuck);
		if (!stuck)
			break;
		cap_note_ended(c, true);
		ret = let_go(c, err);
		if (ret)
			return ret;
		if (cap_since(&begin) > STUCK_LIMIT_S)
			return stuck->task.tid == stuck_proc->pid &&
					       state_of(stuck_proc,
							stuck_proc->pid) == 'Z'
				       ? refuse_ending(stuck_proc, err)
				       : refuse_stuck(stuck_proc, stuck, err);
		if (cap_cancelled(c, err))
			return err ? err->code : -ECANCELED;
		usleep(STUCK_MS * 1000);
	}
	cap_note_ended(c, true);
	ret = cap_check_held(c, err);
	if (!ret)
		ret = cap_make_rests(c, err);
	if (ret)
		return ret;
	cap_scope_order(c);
	ret = check_target(c, err);
	if (ret)
		return ret;
	drop_zombies(c);
	ret = cap_check_root(c, err);
	return ret ? ret : note_main_threads(c, err);
}

/* Sends signal, if any, to every process before one of them can run. */
int cap_release(struct cr_capture *c, int signal, struct cr_error *err)
{
	struct cap_proc *p;
	struct cr_task *t;
	size_t i;
	int ret;

	if (!c->stopped)
		return 0;
	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		t = p->n_threads ? &p->threads[0]->task : NULL;
		if (t && p->scratch && t->held)
			cr_remote_unmap_scratch(t, NULL);
		if (t && p->guard.at && t->held)
			cr_remote_unguard(t, NULL);
	}
	/* only then: the death of one may be that of others */
	for (i = 0; i < c->n_procs && signal; i++)
		if (c->procs[i]->n_threads)
			kill(c->procs[i]->pid, signal);
	ret = let_go(c, err);
	c->stopped = false;
	return ret;
}
