/* SPDX-License-Identifier: GPL-2.0 */
/*
 * hold.h - a stopped process: between stop.c, hold.c and read.c
 *
 * The hold is made by the session and shared with each thread that was asked
 * to stop.  A thread's record belongs to the hold; the thread has a reference
 * to the hold until its work item has run, which cannot be called back.
 */
#ifndef CR_HOLD_H
#define CR_HOLD_H

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/task_work.h>
#include <linux/wait.h>

#include "uapi/cr.h"

enum cr_thread_phase {
	CR_THREAD_ASKED,
	CR_THREAD_HELD,
	CR_THREAD_LEFT,		/* it ends, or was let go */
	CR_THREAD_FAILED,	/* cr_thread.error */
};

/* What a thread says of itself. */
struct cr_record {
	void *regs, *xstate, *pending, *shared;
	unsigned int regs_size, xstate_size, pending_size, shared_size;
	struct cr_thread_state state;
};

struct cr_thread {
	struct list_head node;
	struct hlist_node by_task;
	struct callback_head work;
	struct cr_hold *hold;
	struct task_struct *task;
	enum cr_thread_phase phase;	/* release: what follows is filled */
	int error;
	struct cr_record record;
};

struct cr_hold {
	struct kref ref;
	struct mm_struct *mm;		/* compared only, the target has it */
	struct list_head threads;	/* session lock */
	DECLARE_HASHTABLE(by_task, 10);	/* the same; session lock */
	unsigned int asked;		/* session lock */
	atomic_t arrived;
	bool thawed;
	wait_queue_head_t arrivals;	/* the session waits here */
	wait_queue_head_t held;		/* and the threads here */
};

/* hold.c */
struct cr_hold *cr_hold_create(struct mm_struct *mm);
void cr_hold_put(struct cr_hold *h);
void cr_hold_thaw(struct cr_hold *h);
int cr_hold_ask(struct cr_hold *h, struct task_struct *task);

/* Of the current thread, whose sighand cannot change under it. */
static inline spinlock_t *cr_siglock(void)
{
	return &rcu_dereference_protected(current->sighand, true)->siglock;
}

/* read.c: on the thread itself */
int cr_record_fill(struct cr_record *r);
void cr_record_free(struct cr_record *r);

#endif
