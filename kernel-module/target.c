// SPDX-License-Identifier: GPL-2.0
/* target.c - the processes that a session may look into */
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "internal.h"

static void target_free(struct kref *ref)
{
	struct cr_target *t = container_of(ref, struct cr_target, ref);

	mmdrop(t->mm);
	put_pid(t->pid);
	kfree(t);
}

void cr_target_put(struct cr_target *t)
{
	kref_put(&t->ref, target_free);
}

struct mm_struct *cr_target_mm(struct cr_target *t)
{
	return mmget_not_zero(t->mm) ? t->mm : NULL;
}

static struct cr_target *target_of(struct cr_session *s, struct pid *pid)
{
	struct cr_target *t;

	lockdep_assert_held(&s->lock);
	list_for_each_entry(t, &s->targets, node)
		if (t->pid == pid)
			return t;
	return NULL;
}

struct cr_target *cr_target_find(struct cr_session *s, pid_t nr)
{
	struct pid *pid = find_get_pid(nr);
	struct cr_target *t = pid ? target_of(s, pid) : NULL;

	put_pid(pid);
	return t;
}

static void target_drop(struct cr_session *s, struct cr_target *t)
{
	lockdep_assert_held(&s->lock);
	cr_stop_thaw(t);
	list_del(&t->node);
	s->n_targets--;
	cr_target_put(t);
}

void cr_target_drop_all(struct cr_session *s)
{
	struct cr_target *t, *next;

	list_for_each_entry_safe(t, next, &s->targets, node)
		target_drop(s, t);
}

static int target_add(struct cr_session *s, struct pid *pid,
		      struct mm_struct *mm)
{
	struct cr_target *t;

	if (s->n_targets == CR_MAX_TARGETS)
		return -ENOSPC;
	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return -ENOMEM;
	kref_init(&t->ref);
	t->pid = get_pid(pid);
	mmgrab(mm);
	t->mm = mm;
	list_add_tail(&t->node, &s->targets);
	s->n_targets++;
	return 0;
}

/* Again for a target that has called exec: what it is now must be allowed. */
static int target_admit(struct cr_session *s, struct pid *pid,
			struct mm_struct *mm)
{
	struct cr_target *t = target_of(s, pid);

	if (t && t->mm == mm)
		return 0;
	if (t && t->hold)
		return -EBUSY;
	if (t)
		target_drop(s, t);
	return target_add(s, pid, mm);
}

int cr_target_attach(struct cr_session *s, const struct cr_ioc_target *arg)
{
	struct task_struct *task;
	struct mm_struct *mm;
	struct pid *pid;
	int ret;

	if (arg->flags)
		return -EINVAL;
	pid = find_get_pid(arg->pid);
	task = get_pid_task(pid, PIDTYPE_TGID);
	if (!task) {
		put_pid(pid);
		return -ESRCH;
	}
	ret = cr_authorise(pid, task, &mm);
	if (!ret) {
		ret = target_admit(s, pid, mm);
		mmput(mm);
	}
	if (!ret) {
		s->last = arg->pid;
		s->unreported = true;
	}
	put_task_struct(task);
	put_pid(pid);
	return ret;
}

int cr_target_detach(struct cr_session *s, const struct cr_ioc_target *arg)
{
	struct cr_target *t;

	if (arg->flags)
		return -EINVAL;
	t = cr_target_find(s, arg->pid);
	if (!t)
		return -ESRCH;
	target_drop(s, t);
	return 0;
}
