/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fork.c - a copy-on-write snapshot of a process that it does not notice
 *
 * The process T makes a helper C that shares its memory, C makes the snapshot
 * G by a fork without any descriptor, C ends and T collects it, all in system
 * calls of ours.  T has no new child then, no signal is sent, and G belongs
 * to init.  G never runs an instruction of the program: it is held until it
 * is killed, and dies with the tracer.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/internal.h"
#include "capture/smaps.h"

/* Waits in t for its child, which has ended, without a trace. */
static int collect(struct cr_task *t, pid_t child, struct cr_error *err)
{
	int64_t r;
	int ret;

	ret = cr_remote_syscall(t, &r, SYS_wait4, (uint64_t)child, 0, __WALL, 0,
				0, 0, err);
	if (!ret && r < 0)
		ret = cr_error_set(err, (int)r, "wait4: %s", strerror((int)-r));
	return ret;
}

static int make(struct cr_task *t, struct cap_snapshot *s, struct cr_error *err)
{
	struct clone_args helper = { .flags = CLONE_VM | CLONE_FILES };
	struct clone_args fork = { .flags = 0 };
	struct cr_task c;
	struct cr_error ignored;
	int64_t r;
	int ret, end;

	t->child_exitkill = true;
	ret = cr_remote_clone3(t, &helper, &c, err);
	if (ret)
		return ret;
	c.child_exitkill = true;
	c.scratch = t->scratch;
	c.scratch_size = t->scratch_size;
	/* No descriptor of the program must stay open in the snapshot. */
	ret = cr_remote_syscall(&c, &r, SYS_close_range, 0, ~0U,
				CLOSE_RANGE_UNSHARE, 0, 0, 0, err);
	if (!ret && r < 0)
		ret = cr_error_set(err, (int)r, "close_range: %s",
				   strerror((int)-r));
	if (!ret)
		ret = cr_remote_clone3(&c, &fork, &s->task, err);
	if (!ret) {
		s->alive = true;
		s->task.scratch = t->scratch;
		s->task.scratch_size = t->scratch_size;
		s->task.table = t->table;
		s->task.table_size = t->table_size;
		cr_remote_guard_inherit(&s->task, &s->guard, t->guard);
	}
	cr_error_clear(&ignored);
	end = cr_remote_exit(&c, 0, &ignored);
	if (end) { /* it dies all the same */
		kill(c.tid, SIGKILL);
		waitpid(c.tid, NULL, __WALL);
	}
	end = collect(t, c.tid_in_parent, ret ? NULL : err);
	if (!end)
		end = cr_remote_settle(t);
	return ret ? ret : end;
}

static bool next_kept(const struct cap_proc *p, const char **text,
		      struct cap_map *m)
{
	while (cap_map_next(text, m))
		if (!cap_is_cut(p, m->start, m->end))
			return true;
	return false;
}

/* Areas that fork() did not copy show as a difference. */
static int compare(struct cap_proc *p, bool *same, struct cr_error *err)
{
	char *mine = cr_procfs_read(p->tid, NULL, "maps");
	char *its = cr_procfs_read(p->snap.task.tid, NULL, "maps");
	struct cap_map *m = malloc(2 * sizeof(*m));
	const char *a = mine, *b = its;
	bool more;
	int ret = 0;

	if (!mine || !its || !m)
		ret = cr_error_set(err, m ? -errno : -ENOMEM, "maps: %s",
				   strerror(m ? errno : ENOMEM));
	*same = !ret && !strcmp(mine, its);
	if (!ret && !*same) {
		do {
			more = next_kept(p, &a, &m[0]);
			*same = more == next_kept(p, &b, &m[1]) &&
				(!more || (m[0].start == m[1].start &&
					   m[0].end == m[1].end));
		} while (more && *same);
	}
	free(m);
	free(mine);
	free(its);
	return ret;
}

int cap_fork_snapshot(struct cr_capture *c, struct cap_proc *p,
		      struct cr_error *err)
{
	int ret = make(&p->threads[0]->task, &p->snap, err);

	if (!ret)
		ret = cap_detach_sysv(c, p, err);
	if (ret)
		cr_error_prefix(err, "process %d: snapshot", p->vpid);
	return ret;
}

/*
 * The snapshot gives up private huge pages before the program runs again:
 * what it would share then costs a huge page more for each that is written,
 * and where there is none left the kernel takes it from the snapshot.
 */
static int give_up_huge(struct cap_proc *p, struct cr_error *err)
{
	struct cap_map *m = malloc(sizeof(*m));
	const char *text = p->smaps;
	int64_t r;
	int ret = m ? 0 : cr_error_set(err, -ENOMEM, "out of memory");

	while (!ret && cap_map_next(&text, m)) {
		if (!m->huge || m->perm[3] == 's' ||
		    m->vm_flags & CR_VM_DONTFORK)
			continue;
		ret = cr_remote_syscall(&p->snap.task, &r, SYS_munmap, m->start,
					m->end - m->start, 0, 0, 0, 0, err);
		if (!ret && r < 0)
			ret = cr_error_set(err, (int)r,
					   "unmapping huge pages: %s",
					   strerror((int)-r));
	}
	free(m);
	if (ret)
		cr_error_prefix(err, "process %d: snapshot", p->vpid);
	return ret;
}

/* What the snapshot of p lacks is copied. */
int cap_fork_rest(struct cr_capture *c, struct cap_proc *p,
		  struct cr_error *err)
{
	bool same = false;
	int ret = compare(p, &same, err);

	if (ret || (same && p->checked && !p->special))
		return ret;
	p->smaps = cr_procfs_read(p->tid, NULL, "smaps");
	if (!p->smaps)
		return cr_error_set(err, -errno, "process %d: smaps: %s",
				    p->vpid, strerror(errno));
	ret = give_up_huge(p, err);
	if (!ret)
		ret = cap_read_areas(c, p, p->tid, err);
	return ret ? ret : cap_copy_private(c, p, false, err);
}

/*
 * A child of its own: whoever collects orphans would notice another one.
 * Where there is no room for it those threads stay where they are.
 */
int cap_fork_beside(struct cr_capture *c, struct cap_proc *p,
		    struct cr_error *err)
{
	struct clone_args fork = { .flags = CLONE_FILES | CLONE_FS };
	struct cr_task *t = &p->threads[0]->task;
	int ret;

	if (!cap_any_in_vdso(c, p))
		return 0;
	t->child_exitkill = true;
	cr_error_clear(err);
	ret = cr_remote_clone3(t, &fork, &p->snap.task, err);
	if (ret == -ENOMEM || ret == -EAGAIN || ret == -ENOSPC) {
		cr_error_clear(err);
		return cr_remote_unguard(t, err);
	}
	if (ret)
		return ret;
	p->snap.alive = true;
	cr_remote_guard_inherit(&p->snap.task, &p->snap.guard, t->guard);
	cap_leave_vdso(c, p);
	return 0;
}

int cap_drop_beside(struct cap_proc *p, struct cr_error *err)
{
	struct cr_task *t = &p->threads[0]->task;
	int ret;

	cap_drop_snapshot(p);
	ret = collect(t, p->snap.task.tid_in_parent, err);
	if (!ret)
		ret = cr_remote_settle(t);
	return ret ? ret : cr_remote_unguard(t, err);
}

void cap_drop_snapshot(struct cap_proc *p)
{
	if (!p->snap.alive)
		return;
	kill(p->snap.task.tid, SIGKILL);
	while (waitpid(p->snap.task.tid, NULL, __WALL) < 0 && errno == EINTR)
		;
	p->snap.alive = false;
}
