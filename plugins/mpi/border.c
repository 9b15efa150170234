/* SPDX-License-Identifier: GPL-2.0-or-later */
/* border.c - threads held at, let through and counted at the border */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mpi/border.h"
#include "mpi/wrap.h"

__thread struct cr_mpi_thread cr_mpi_self;
volatile int cr_mpi_closed = CR_MPI_HOLD_DOWN;
volatile int cr_mpi_gate;
int cr_mpi_multiple;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cr_mpi_thread *threads;
static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static volatile int epoch;
static int helper_depth;

static void futex_wait(volatile int *word, int value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void cr_mpi_wake(void)
{
	__atomic_add_fetch(&epoch, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &epoch, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* All threads of this process have passed a full barrier afterwards. */
static void barrier_everywhere(void)
{
	/* registered anew: the registration is not part of an image */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
		    0, 0) == 0 &&
	    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0)
		return;
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static void thread_gone_cb(void *arg)
{
	struct cr_mpi_thread *t = arg;

	pthread_mutex_lock(&lock);
	if (t->link) {
		*t->link = t->next;
		if (t->next)
			t->next->link = t->link;
		t->link = NULL;
	}
	pthread_mutex_unlock(&lock);
	if (t->slot)
		cr_rollback_put(t->slot);
	cr_lower_set_slot(NULL);
	t->slot = NULL;
	t->ready = 0;
}

static void make_key(void)
{
	pthread_key_create(&key, thread_gone_cb);
}

/* In a child of fork() only the calling thread is left, and no MPI. */
void cr_mpi_fork_child(void)
{
	pthread_mutex_init(&lock, NULL);
	threads = NULL;
	cr_mpi_self.link = NULL;
	cr_mpi_self.ready = 0;
	cr_mpi_self.slot = NULL;
	cr_mpi_gate = 0;
	helper_depth = 0;
}

/* First crossing of a thread: makes it known, unless it is libcr's. */
void cr_mpi_prepare(void)
{
	struct cr_mpi_thread *t = &cr_mpi_self;

	if (t->nested || t->helper || t->ready)
		return;
	if (cr_helper_tid() == (pid_t)syscall(SYS_gettid)) {
		t->helper = 1;
		return;
	}
	pthread_once(&key_once, make_key);
	t->slot = cr_rollback_slot();
	if (!t->slot) {
		/* it can still run, only not be rolled back */
		static struct cr_rollback none;

		cr_not_checkpointable("more threads call MPI at the same time "
				      "than there are rollback slots");
		t->slot = &none;
	} else {
		pthread_setspecific(key, t);
		cr_lower_set_slot(t->slot);
	}
	pthread_mutex_lock(&lock);
	t->next = threads;
	t->link = &threads;
	if (threads)
		threads->link = &t->next;
	threads = t;
	pthread_mutex_unlock(&lock);
	t->ready = 1;
}

static void refuse_down(void)
{
	if (cr_mpi_closed & CR_MPI_HOLD_DOWN)
		cr_mpi_die("an MPI function was called before MPI_Init or "
			   "after MPI_Finalize");
}

void cr_mpi_enter_other(int class)
{
	struct cr_mpi_thread *t = &cr_mpi_self;

	cr_mpi_prepare();
	if (t->ready) {
		if (class == CR_MPI_CLASS_RECV || class == CR_MPI_CLASS_COLL)
			t->slot->active = 0; /* cannot be: SAVE prepared */
		t->class = class;
		t->state = CR_MPI_INSIDE;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (cr_mpi_closed)
			cr_mpi_hold(class, NULL);
		return;
	}
	refuse_down();
	if (t->helper && !t->nested)
		cr_mpi_helper_take(NULL, NULL);
}

void cr_mpi_leave_other(void)
{
	struct cr_mpi_thread *t = &cr_mpi_self;

	if (t->helper && !t->nested)
		cr_mpi_helper_give();
}

static bool permitted(int class, struct cr_mpi_comm *comm)
{
	int why = cr_mpi_closed;

	if (why & (CR_MPI_HOLD_ALL | CR_MPI_HOLD_TOKEN))
		return false;
	if (why & CR_MPI_HOLD_COLL && class == CR_MPI_CLASS_COLL)
		return comm && comm->entered < comm->target;
	return true;
}

/* Called as if inside; comes back when it may really go in. */
void cr_mpi_hold(int class, struct cr_mpi_comm *comm)
{
	struct cr_mpi_thread *t = &cr_mpi_self;
	bool blocking = class == CR_MPI_CLASS_RECV ||
			class == CR_MPI_CLASS_COLL;

	refuse_down();
	while (!permitted(class, comm)) {
		if (blocking)
			t->slot->active = 0;
		cr_mpi_barrier();
		t->state = CR_MPI_HELD;
		for (;;) {
			int e = epoch;

			__atomic_thread_fence(__ATOMIC_SEQ_CST);
			if (permitted(class, comm))
				break;
			futex_wait(&epoch, e);
		}
		t->state = CR_MPI_INSIDE;
		if (blocking)
			t->slot->active = 1;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
}

/* Back from the lower half while the gate is closed. */
void cr_mpi_park(void)
{
	struct cr_mpi_thread *t = &cr_mpi_self;

	while (cr_mpi_gate) {
		int e = epoch;

		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!cr_mpi_gate)
			break;
		t->state = CR_MPI_PARKED;
		futex_wait(&epoch, e);
		t->state = CR_MPI_LEAVING;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
}

/* The thread was inside when the image was made; it begins its call anew. */
void cr_mpi_rolled_back(void)
{
	cr_mpi_self.slot->active = 0;
	cr_lower_rolled_back();
	cr_mpi_self.nested = 0;
	cr_mpi_self.ready = 1;
	cr_mpi_self.state = CR_MPI_OUTSIDE;
}

void cr_mpi_nest(void)
{
	if (!cr_mpi_self.nested++)
		cr_mpi_self.was_ready = cr_mpi_self.ready;
	cr_mpi_self.ready = 0;
}

void cr_mpi_unnest(void)
{
	if (!--cr_mpi_self.nested)
		cr_mpi_self.ready = cr_mpi_self.was_ready;
}

void cr_mpi_close(int why)
{
	__atomic_or_fetch(&cr_mpi_closed, why, __ATOMIC_SEQ_CST);
	barrier_everywhere();
}

void cr_mpi_open(int why)
{
	__atomic_and_fetch(&cr_mpi_closed, ~why, __ATOMIC_SEQ_CST);
	cr_mpi_wake();
}

/*
 * Afterwards no thread counts anything until the gate opens: each is still
 * inside, parked, or was through before and has done its counting.
 */
void cr_mpi_gate_close(void)
{
	struct cr_mpi_thread *t;
	bool moving;

	__atomic_store_n(&cr_mpi_gate, 1, __ATOMIC_SEQ_CST);
	barrier_everywhere();
	do {
		moving = false;
		pthread_mutex_lock(&lock);
		for (t = threads; t; t = t->next)
			moving |= t->state == CR_MPI_LEAVING;
		pthread_mutex_unlock(&lock);
		if (moving)
			usleep(20);
	} while (moving);
}

void cr_mpi_gate_open(void)
{
	__atomic_store_n(&cr_mpi_gate, 0, __ATOMIC_SEQ_CST);
	cr_mpi_wake();
}

/* With border and gate closed: what keeps this rank from being at rest? */
void cr_mpi_count_threads(struct cr_mpi_census *census)
{
	struct cr_mpi_thread *t;

	memset(census, 0, sizeof(*census));
	pthread_mutex_lock(&lock);
	for (t = threads; t; t = t->next) {
		int state = t->state, class = t->class;

		if (state == CR_MPI_OUTSIDE || state == CR_MPI_HELD)
			continue;
		if (class == CR_MPI_CLASS_THROUGH)
			census->through++;
		else if (class == CR_MPI_CLASS_COLL ||
			 (class == CR_MPI_CLASS_RECV && state == CR_MPI_INSIDE))
			continue;
		else
			census->unsafe++;
		census->local += class == CR_MPI_CLASS_LOCAL;
	}
	pthread_mutex_unlock(&lock);
}

/* Is a thread held that wants to begin a collective on comm? */
bool cr_mpi_want_collective(struct cr_mpi_comm *comm)
{
	struct cr_mpi_thread *t;
	bool want = false;

	pthread_mutex_lock(&lock);
	for (t = threads; t; t = t->next)
		want |= t->state == CR_MPI_HELD &&
			t->class == CR_MPI_CLASS_COLL && t->comm == comm;
	pthread_mutex_unlock(&lock);
	return want;
}

static bool inside_cb(void *arg)
{
	struct cr_mpi_thread *t;
	bool inside = false;

	pthread_mutex_lock(&lock);
	for (t = threads; t; t = t->next)
		/* one that is leaving may be counting, which we do as well */
		inside |= t->state == CR_MPI_INSIDE ||
			  t->state == CR_MPI_LEAVING;
	pthread_mutex_unlock(&lock);
	return inside;
}

static bool never_cb(void *arg)
{
	return false;
}

int cr_mpi_helper_take(bool (*cancelled)(void *arg), void *arg)
{
	int rc;

	if (cr_mpi_multiple || helper_depth++)
		return 0;
	cr_mpi_close(CR_MPI_HOLD_TOKEN);
	rc = cr_lower_token_take(inside_cb, cancelled ? cancelled : never_cb,
				 arg);
	if (rc < 0) {
		helper_depth--;
		cr_mpi_open(CR_MPI_HOLD_TOKEN);
	}
	return rc;
}

void cr_mpi_helper_give(void)
{
	if (cr_mpi_multiple || --helper_depth)
		return;
	cr_lower_token_give();
	cr_mpi_open(CR_MPI_HOLD_TOKEN);
}

/* The token of the old lower half is gone with it. */
void cr_mpi_helper_reset(void)
{
	helper_depth = 0;
}
