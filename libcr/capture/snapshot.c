/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* snapshot.c - all that is read of the tree while it stands still */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "capture/internal.h"
#include "config.h"

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The program may be in another time namespace than we: how far it is ahead. */
static int64_t ahead_ns(pid_t pid, const char *name)
{
	return cr_procfs_clock_offset(pid, name) -
	       cr_procfs_clock_offset(getpid(), name);
}

void cap_note_clocks(struct cr_capture *c)
{
	c->img->clock_monotonic_ns =
		clock_ns(CLOCK_MONOTONIC) + (uint64_t)c->monotonic_ahead;
	c->img->clock_boottime_ns =
		clock_ns(CLOCK_BOOTTIME) + (uint64_t)c->boottime_ahead;
}

static int describe_host(struct cr_capture *c, struct cr_error *err)
{
	const struct cap_proc *root = cap_scope_root(c);
	struct cr_image *img = c->img;
	struct utsname u;

	uname(&u);
	img->created_ns = clock_ns(CLOCK_REALTIME);
	c->monotonic_ahead = ahead_ns(root->tid, "monotonic");
	c->boottime_ahead = ahead_ns(root->tid, "boottime");
	cap_note_clocks(c);
	img->hostname = strdup(u.nodename);
	img->kernel = strdup(u.release);
	img->creator = strdup(PACKAGE_NAME " " PACKAGE_VERSION);
	img->page_size = 4096;
	img->root_pid = root->vpid;
	img->scope = c->opt.scope;
	if (!img->hostname || !img->kernel || !img->creator)
		return cr_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* The extended states in use: bits of xstate_bv in the XSAVE header. */
static void note_xfeatures(struct cr_image *img)
{
	const struct cr_blob *x;
	uint64_t bits;
	size_t i, k;

	for (i = 0; i < img->n_procs; i++)
		for (k = 0; k < img->procs[i].n_threads; k++) {
			x = &img->procs[i].threads[k].xstate;
			if (x->len < 520)
				continue;
			memcpy(&bits, (char *)x->data + 512, sizeof(bits));
			img->xfeatures |= bits;
		}
}

/* One entry in the model for each process, and for each address space. */
static int add_to_model(struct cr_capture *c, struct cr_error *err)
{
	struct cr_process *m;
	struct cap_proc *p;
	size_t i;

	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		if (p->omitted)
			continue;
		if (!cr_image_add_process(c->img))
			goto no_memory;
		p->index = (uint32_t)(c->img->n_procs - 1);
	}
	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		if (!cap_live(p))
			continue;
		if (p->mm_of == p && !cr_image_add_mm(c->img))
			goto no_memory;
		m = cap_model(c, p);
		m->mm = p->mm_of == p ? (uint32_t)(c->img->n_mms - 1)
				      : cap_model(c, p->mm_of)->mm;
		m->fds_of = p->fds_of->index;
		m->fs_of = p->fs_of->index;
		m->sighand_of = p->sighand_of->index;
		if (p->has_control && p->mm_of == p)
			c->img->mms[m->mm].control = p->control_addr;
	}
	return 0;
no_memory:
	return cr_error_set(err, -ENOMEM, "out of memory");
}

static int read_status(struct cap_proc *p, struct cr_error *err)
{
	free(p->status);
	p->status = cr_procfs_read(p->pid, NULL, "status");
	if (!p->status || cr_procfs_stat(p->pid, &p->stat))
		return cr_error_set(err, -errno, "process %d: status: %s",
				    p->vpid, strerror(errno));
	return cap_refuse_shadow_stack(p->vpid, p->vpid, p->status, err);
}

/* For all threads that have this memory. */
int cap_guard(struct cr_capture *c, struct cap_proc *p, struct cr_error *err)
{
	int ret = cr_remote_guard(&p->threads[0]->task, &p->guard, err);
	size_t i, k;

	for (i = 0; i < c->n_procs; i++)
		for (k = 0; !ret && cap_live(c->procs[i]) &&
			    c->procs[i]->mm_of == p &&
			    k < c->procs[i]->n_threads;
		     k++)
			ret = cr_remote_leave_guard(
				&c->procs[i]->threads[k]->task, &p->guard, err);
	return ret;
}

/* A place for the arguments of our calls, one per address space. */
static int map_scratch(struct cr_capture *c, struct cap_proc *p,
		       struct cr_error *err)
{
	struct cr_task *t = &p->threads[0]->task;
	int ret;

	ret = cr_remote_find_gadget(t, err);
	if (!ret && p->mm_of == p)
		ret = cap_guard(c, p, err);
	t->guard = &p->mm_of->guard;
	if (!ret && p->mm_of == p)
		ret = cr_remote_map_scratch(t, CAP_SCRATCH_SIZE, err);
	if (ret)
		return ret;
	if (p->mm_of == p) {
		p->scratch = t->scratch;
		p->scratch_lent = t->scratch_lent;
	}
	t->scratch = p->mm_of->scratch;
	t->scratch_size = CAP_SCRATCH_SIZE;
	t->table = t->scratch + CAP_SCRATCH_TABLE;
	t->table_size = CAP_SCRATCH_SIZE - CAP_SCRATCH_TABLE;
	return 0;
}

/* No thread of p is in a call of ours any longer than it must. */
static int settle(struct cap_proc *p, struct cr_error *err)
{
	struct cr_task *t = p->mm_of->guard.owner;
	int ret = t ? cr_remote_settle(t) : 0;

	return ret ? cr_error_set(err, ret, "process %d: thread %d: %s",
				  p->vpid, t->tid, strerror(-ret))
		   : 0;
}

static int read_control(struct cr_capture *c, struct cap_proc *p,
			struct cr_error *err)
{
	int ret = cap_read_control(c, p, err);

	if (p->has_control && p->control->not_checkpointable)
		return cr_error_set(err, -ENOTSUP, "process %d: %.*s", p->vpid,
				    (int)sizeof(p->control->reason),
				    p->control->reason);
	return ret;
}

static int read_all(struct cr_capture *c, struct cr_error *err)
{
	struct cap_proc *p;
	size_t i;
	int ret = 0;

	for (i = 0; i < c->n_procs && !ret; i++)
		if (cap_live(c->procs[i]))
			ret = read_control(c, c->procs[i], err);
	if (!ret)
		ret = cap_share(c, err);
	if (!ret)
		ret = add_to_model(c, err);
	for (i = 0; i < c->n_procs && !ret; i++) {
		p = c->procs[i];
		if (p->omitted)
			continue;
		ret = read_status(p, err);
		if (!ret && cap_live(p))
			ret = map_scratch(c, p, err);
		if (!ret)
			ret = cap_read_process(c, p, err);
		if (!ret && cap_live(p) && p->mm_of == p)
			ret = cap_read_mm_settings(c, p, err);
		if (!ret && cap_live(p))
			ret = cap_read_threads(c, p, err);
		if (!ret && cap_live(p))
			ret = cap_read_filters(c, p, err);
		if (!ret && cap_live(p))
			ret = cap_read_signals(c, p, err);
		if (!ret && cap_live(p))
			ret = settle(p, err);
	}
	if (!ret)
		ret = cap_read_parents(c, err);
	if (!ret)
		ret = cap_read_files(c, err);
	for (i = 0; i < c->n_procs && !ret; i++)
		if (cap_live(c->procs[i]) && c->procs[i]->mm_of == c->procs[i])
			ret = cap_copy_shared(c, c->procs[i], err);
	if (!ret)
		ret = cap_read_sysv(c, err);
	return ret;
}

/*
 * The snapshot's last parent is whoever collects orphans.  Were that one of
 * the tree, it would notice.
 */
static bool collects_orphans(struct cr_capture *c)
{
	size_t i;

	for (i = 0; i < c->n_procs; i++)
		if (cap_live(c->procs[i]) &&
		    (c->procs[i]->vpid == 1 ||
		     cap_model(c, c->procs[i])->child_subreaper))
			return true;
	return false;
}

/* Asks the snapshot for what a fork copies. */
static int read_late(struct cr_capture *c, struct cap_proc *p,
		     struct cr_task *from, struct cr_error *err)
{
	int64_t r;
	int ret;

	/* It must not keep the program's process group alive. */
	ret = cr_remote_syscall(from, &r, SYS_setsid, 0, 0, 0, 0, 0, 0, err);
	if (!ret)
		ret = cap_read_process_late(c, p, from, err);
	if (!ret)
		ret = cr_remote_unguard(from, err);
	if (!ret && !p->smaps)
		ret = cap_read_areas(c, p, from->tid, err);
	if (!ret)
		cap_leave_vdso(c, p);
	return ret;
}

static int copy_all(struct cr_capture *c, struct cr_error *err)
{
	struct cap_proc *p;
	size_t i;
	int end, ret = 0;

	for (i = 0; i < c->n_procs && !ret; i++) {
		p = c->procs[i];
		if (!cap_live(p))
			continue;
		ret = cap_read_process_late(c, p, &p->threads[0]->task, err);
		if (ret || p->mm_of != p)
			continue;
		free(p->smaps);
		p->smaps = cr_procfs_read(p->tid, NULL, "smaps");
		if (!p->smaps)
			ret = cr_error_set(err, -errno, "process %d: smaps: %s",
					   p->vpid, strerror(errno));
		if (!ret)
			ret = cr_remote_unguard(&p->threads[0]->task, err);
		if (!ret)
			ret = cap_read_areas(c, p, p->tid, err);
		if (!ret)
			ret = cap_fork_beside(c, p, err);
		if (!ret)
			ret = cap_copy_private(c, p, true, err);
		if (p->snap.alive) {
			end = cap_drop_beside(p, ret ? NULL : err);
			ret = ret ? ret : end;
		}
	}
	c->copied = true;
	c->late_done = true;
	return ret;
}

static bool worth_a_copy(int ret)
{
	return ret == -EAGAIN || ret == -ENOMEM || ret == -ENOSPC;
}

static int take_snapshot(struct cr_capture *c, struct cr_error *err)
{
	struct cr_error why = { 0 };
	size_t i;
	int ret = 0;

	if (c->opt.snapshot == CR_SNAPSHOT_COPY || collects_orphans(c))
		return copy_all(c, err);
	for (i = 0; i < c->n_procs && !ret; i++)
		if (cap_live(c->procs[i]) && c->procs[i]->mm_of == c->procs[i])
			ret = cap_fork_snapshot(c, c->procs[i], &why);
	if (ret && worth_a_copy(ret) && c->opt.snapshot == CR_SNAPSHOT_AUTO) {
		for (i = 0; i < c->n_procs; i++)
			cap_drop_snapshot(c->procs[i]);
		return copy_all(c, err);
	}
	if (ret)
		return cr_error_set(err, ret, "%s", why.text);
	for (i = 0; i < c->n_procs && !ret; i++) {
		if (!cap_live(c->procs[i]))
			continue;
		if (c->procs[i]->mm_of == c->procs[i])
			ret = cap_fork_rest(c, c->procs[i], err);
		else /* it has no snapshot of its own to be asked later */
			ret = cap_read_process_late(
				c, c->procs[i], &c->procs[i]->threads[0]->task,
				err);
		if (!ret)
			ret = settle(c->procs[i], err);
	}
	return ret;
}

int cr_capture_snapshot(struct cr_capture *c, struct cr_error *err)
{
	struct timespec t0;
	int ret;

	if (c->img)
		return cr_error_set(err, -EALREADY,
				    "there is a snapshot already");
	c->img = cr_image_create();
	if (!c->img)
		return cr_error_set(err, -ENOMEM, "out of memory");
	ret = cap_hold(c, err);
	if (!ret)
		ret = describe_host(c, err);
	if (!ret)
		ret = read_all(c, err);
	if (!ret)
		note_xfeatures(c->img);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	if (!ret)
		ret = take_snapshot(c, err);
	c->stats.snapshot_s = cap_since(&t0);
	c->snapshotted = !ret;
	if (ret) {
		cap_release(c, 0, NULL);
		cap_log_result(c, ret);
	}
	return ret;
}

int cap_late(struct cr_capture *c, struct cr_error *err)
{
	struct cap_proc *p;
	size_t i;
	int ret = 0;

	if (c->late_done)
		return 0;
	for (i = 0; i < c->n_procs && !ret; i++) {
		p = c->procs[i];
		if (cap_live(p) && p->mm_of == p)
			ret = read_late(c, p, &p->snap.task, err);
	}
	c->late_done = !ret;
	return ret;
}
