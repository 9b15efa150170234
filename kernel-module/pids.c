// SPDX-License-Identifier: GPL-2.0
/*
 * pids.c - windows in which a thread may choose the ids of its children
 *
 * clone3(set_tid) wants CAP_CHECKPOINT_RESTORE.  A window is this capability
 * in the effective set of one thread, and there alone: an exec drops it, and
 * the first task that the thread makes ends the window for both.  So it is
 * inherited by nothing.  The kernel tells of a new task by a tracepoint,
 * before it first runs.
 *
 * The end must not depend on the thread, which may sleep or never come back:
 * the bit is taken out of the credentials in place.  Nobody else could have
 * set it there, because it is not among the permitted ones.  That is also how
 * it is known in a new task: when the window ends while its thread is in the
 * middle of a fork, the child has a copy already, but a window no more.
 */
#include <linux/cred.h>
#include <linux/pid_namespace.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "compat/compat.h"
#include "internal.h"

#define MAX_WINDOWS 4096 /* per session */

struct cr_window {
	struct list_head node;		/* in its session */
	struct list_head open;		/* in windows, or empty: ended */
	struct task_struct *task;
	struct cred *cred;		/* what it was given */
	bool used;			/* windows_lock */
};

static LIST_HEAD(windows);
static DEFINE_RAW_SPINLOCK(windows_lock);

static struct tracepoint *fork_point;	/* NULL: it cannot be done */

/* Ours is what is effective without being permitted. */
static bool is_ours(const struct cred *cred)
{
	return cap_raised(cred->cap_effective, CAP_CHECKPOINT_RESTORE) &&
	       !cap_raised(cred->cap_permitted, CAP_CHECKPOINT_RESTORE);
}

static void strip(struct task_struct *task)
{
	struct cred *cred;

	lockdep_assert_held(&windows_lock);
	rcu_read_lock();
	cred = (struct cred *)__task_cred(task);
	if (is_ours(cred))
		cap_lower(cred->cap_effective, CAP_CHECKPOINT_RESTORE);
	rcu_read_unlock();
}

static void window_end(struct cr_window *w)
{
	lockdep_assert_held(&windows_lock);
	if (list_empty(&w->open))
		return;
	list_del_init(&w->open);
	/* it may have made others of its credentials meanwhile */
	cap_lower(w->cred->cap_effective, CAP_CHECKPOINT_RESTORE);
	strip(w->task);
}

static bool has_ours(struct task_struct *task)
{
	bool yes;

	rcu_read_lock();
	yes = is_ours(__task_cred(task));
	rcu_read_unlock();
	return yes;
}

/* In the parent, before the child runs; the child's credentials are new. */
static void forked(void *data, struct task_struct *parent,
		   struct task_struct *child)
{
	struct cr_window *w, *next;
	unsigned long flags;

	/* nearly always */
	if (!has_ours(child) && !has_ours(parent))
		return;
	raw_spin_lock_irqsave(&windows_lock, flags);
	strip(child);
	strip(parent);
	list_for_each_entry_safe(w, next, &windows, open) {
		if (w->task != parent)
			continue;
		w->used = true;
		window_end(w);
	}
	raw_spin_unlock_irqrestore(&windows_lock, flags);
}

static void find_fork_point(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "sched_process_fork"))
		fork_point = tp;
}

/* For as long as the module is there: see above. */
void cr_pids_init(void)
{
	cr_compat_each_tracepoint(find_fork_point, NULL);
	if (fork_point && tracepoint_probe_register(fork_point, forked, NULL))
		fork_point = NULL;
}

/* The last window has ended, but a child of its may have come after that. */
void cr_pids_exit(void)
{
	struct task_struct *process, *thread;

	WARN_ON(!list_empty(&windows));
	if (fork_point)
		tracepoint_probe_unregister(fork_point, forked, NULL);
	tracepoint_synchronize_unregister();
	rcu_read_lock();
	for_each_process_thread(process, thread) {
		raw_spin_lock_irq(&windows_lock);
		strip(thread);
		raw_spin_unlock_irq(&windows_lock);
	}
	rcu_read_unlock();
}

bool cr_pids_available(void)
{
	return fork_point;
}

static void window_free(struct cr_window *w)
{
	list_del(&w->node);
	put_cred(w->cred);
	put_task_struct(w->task);
	kfree(w);
}

/* Frees those that have ended; returns how many have not. */
static unsigned int windows_clean(struct cr_session *s)
{
	struct cr_window *w, *next;
	unsigned int n = 0;
	bool ended;

	lockdep_assert_held(&s->lock);
	list_for_each_entry_safe(w, next, &s->windows, node) {
		raw_spin_lock_irq(&windows_lock);
		if (w->task->flags & PF_EXITING)
			window_end(w);
		ended = list_empty(&w->open);
		s->unreported |= w->used;
		raw_spin_unlock_irq(&windows_lock);
		if (ended)
			window_free(w);
		else
			n++;
	}
	return n;
}

/* Is it allowed, whoever's window it would be? */
static int may_open(void)
{
	const struct cred *cred = current_cred();

	if (!fork_point)
		return -EOPNOTSUPP;
	if (!READ_ONCE(cr_pids) || task_no_new_privs(current) ||
	    cred->user_ns != task_active_pid_ns(current)->user_ns ||
	    !cap_raised(cred->cap_bset, CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	if (cap_raised(cred->cap_effective, CAP_CHECKPOINT_RESTORE))
		return -EALREADY;
	if (cap_raised(cred->cap_permitted, CAP_CHECKPOINT_RESTORE))
		return -EPERM; /* it has put it aside, and can take it up */
	return 0;
}

int cr_pids_open(struct cr_session *s)
{
	struct cr_window *w;
	struct cred *cred;
	int ret = may_open();

	lockdep_assert_held(&s->lock);
	if (ret)
		return ret;
	if (windows_clean(s) >= MAX_WINDOWS)
		return -ENOSPC;
	w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	cred = prepare_creds();
	if (!w || !cred) {
		if (cred)
			abort_creds(cred);
		kfree(w);
		return -ENOMEM;
	}
	w->task = get_task_struct(current);
	cap_raise(cred->cap_effective, CAP_CHECKPOINT_RESTORE);
	w->cred = (struct cred *)get_cred(cred);
	list_add(&w->node, &s->windows);
	/* its fork must find the window from the first moment on */
	raw_spin_lock_irq(&windows_lock);
	list_add(&w->open, &windows);
	raw_spin_unlock_irq(&windows_lock);
	commit_creds(cred);
	return 0;
}

int cr_pids_close(struct cr_session *s)
{
	struct cr_window *w;
	int ret = -ENOENT;

	lockdep_assert_held(&s->lock);
	raw_spin_lock_irq(&windows_lock);
	list_for_each_entry(w, &s->windows, node) {
		if (w->task != current || list_empty(&w->open))
			continue;
		window_end(w);
		ret = 0;
		break;
	}
	raw_spin_unlock_irq(&windows_lock);
	windows_clean(s);
	return ret;
}

void cr_pids_settle(struct cr_session *s)
{
	windows_clean(s);
}

void cr_pids_drop_all(struct cr_session *s)
{
	struct cr_window *w;

	lockdep_assert_held(&s->lock);
	raw_spin_lock_irq(&windows_lock);
	list_for_each_entry(w, &s->windows, node)
		window_end(w);
	raw_spin_unlock_irq(&windows_lock);
	windows_clean(s);
}
