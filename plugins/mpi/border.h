/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * border.h - where a thread of the program goes into the lower half and back
 *
 * Every wrapper crosses through the macros at the end of this file.  A
 * thread says what it is about to do (its class), then looks whether the
 * border is closed; the closer first closes, then makes all threads pass a
 * memory barrier (membarrier(2)), then looks at what they say.  So one of
 * the two always sees the other, and the open border costs no fence.
 *
 * Blocking calls that other ranks may keep waiting fill a rollback slot
 * before they cross: a checkpoint may find the thread inside, and the
 * restarted thread does the call again from its start.  That is right as
 * long as the call has had no effect that counts; therefore a thread that
 * comes back passes the gate before anything is counted or handed to the
 * program.  When the gate is closed, it parks there and stays one that "has
 * not come back".
 */
#ifndef CR_MPI_BORDER_H
#define CR_MPI_BORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "libcr_ext.h"
#include "mpi/lower/lower.h"

struct cr_mpi_comm;

enum cr_mpi_class {
	CR_MPI_CLASS_LOCAL,   /* comes back by itself */
	CR_MPI_CLASS_SEND,    /* comes back when the receiver drains */
	CR_MPI_CLASS_RECV,    /* receive or wait: rolled back */
	CR_MPI_CLASS_COLL,    /* collective: rolled back */
	CR_MPI_CLASS_THROUGH, /* must come back before the snapshot */
};

enum cr_mpi_state {
	CR_MPI_OUTSIDE,
	CR_MPI_INSIDE,
	CR_MPI_LEAVING, /* back, and about to look at the gate */
	CR_MPI_PARKED,	/* before the closed gate */
	CR_MPI_HELD,	/* before the closed border */
};

struct cr_mpi_thread {
	int ready;    /* registered, not in a callback, not libcr's thread */
	int helper;   /* libcr's thread */
	int nested;   /* depth of callbacks from the lower half */
	int was_ready;
	volatile int state;
	volatile int class;
	struct cr_mpi_comm *volatile comm; /* of a collective */
	struct cr_rollback *slot;
	struct cr_mpi_thread *next, **link;
};

extern __thread struct cr_mpi_thread cr_mpi_self
	__attribute__((tls_model("initial-exec"))) CR_LOWER_HIDDEN;

/* Why the border is closed. */
enum {
	CR_MPI_HOLD_ALL = 1,   /* nobody enters */
	CR_MPI_HOLD_COLL = 2,  /* collectives only up to their target */
	CR_MPI_HOLD_TOKEN = 4, /* libcr's thread is inside */
	CR_MPI_HOLD_DOWN = 8,  /* before MPI_Init or after MPI_Finalize */
};
extern volatile int cr_mpi_closed CR_LOWER_HIDDEN;
extern volatile int cr_mpi_gate CR_LOWER_HIDDEN; /* 1: closed */
extern int cr_mpi_multiple CR_LOWER_HIDDEN;	 /* MPI_THREAD_MULTIPLE */

#define cr_mpi_barrier() __asm__ volatile("" : : : "memory")

/* Slow paths and the closer's side (border.c). */
void cr_mpi_prepare(void);
void cr_mpi_enter_other(int class);
void cr_mpi_leave_other(void);
void cr_mpi_hold(int class, struct cr_mpi_comm *comm);
void cr_mpi_park(void);
void cr_mpi_rolled_back(void);

/* Callbacks from the lower half: crossings in them belong to the outer one */
void cr_mpi_nest(void);
void cr_mpi_unnest(void);

/* For quiesce and restart. */
void cr_mpi_close(int why);
void cr_mpi_open(int why);
void cr_mpi_gate_close(void);
void cr_mpi_gate_open(void);
void cr_mpi_wake(void); /* held threads look again */
struct cr_mpi_census {
	int unsafe;  /* inside and not to be rolled back, or on the way out */
	int through; /* in calls that must come back first */
	int local;   /* in calls that may just be posting a receive */
};
void cr_mpi_count_threads(struct cr_mpi_census *census);
bool cr_mpi_want_collective(struct cr_mpi_comm *comm);
/* libcr's thread goes in and out; -ECANCELED when cancelled() says so. */
int cr_mpi_helper_take(bool (*cancelled)(void *arg), void *arg);
void cr_mpi_helper_give(void);
void cr_mpi_helper_reset(void); /* in a restored process */
void cr_mpi_fork_child(void);

/*
 * The calling thread, as an address: what is looked at after the way back
 * need not wait for the new FS base.
 */
static inline __attribute__((always_inline)) struct cr_mpi_thread *
cr_mpi_me(void)
{
	struct cr_mpi_thread *me = &cr_mpi_self;

	__asm__ volatile("" : "+r"(me));
	return me;
}

static inline __attribute__((always_inline)) void
cr_mpi_enter_as(struct cr_mpi_thread *me, int class)
{
	if (__builtin_expect(!me->ready, 0)) {
		cr_mpi_enter_other(class);
		return;
	}
	me->class = class;
	me->state = CR_MPI_INSIDE;
	cr_mpi_barrier();
	if (__builtin_expect(cr_mpi_closed, 0))
		cr_mpi_hold(class, NULL);
}

static inline __attribute__((always_inline)) void
cr_mpi_leave_as(struct cr_mpi_thread *me)
{
	cr_mpi_barrier();
	if (__builtin_expect(!me->ready, 0))
		cr_mpi_leave_other();
	else
		me->state = CR_MPI_OUTSIDE;
}

static inline __attribute__((always_inline)) void cr_mpi_enter(int class)
{
	cr_mpi_enter_as(&cr_mpi_self, class);
}

static inline __attribute__((always_inline)) void cr_mpi_leave(void)
{
	cr_mpi_leave_as(&cr_mpi_self);
}

static inline __attribute__((always_inline)) void
cr_mpi_enter_blocking(struct cr_mpi_thread *me, int class,
		      struct cr_mpi_comm *comm)
{
	if (__builtin_expect(!me->ready, 0)) {
		cr_mpi_enter_other(class);
		return;
	}
	me->class = class;
	me->comm = comm;
	me->state = CR_MPI_INSIDE;
	me->slot->active = 1;
	cr_mpi_barrier();
	if (__builtin_expect(cr_mpi_closed, 0))
		cr_mpi_hold(class, comm);
}

/* Back from the lower half; nothing counts before this. */
static inline __attribute__((always_inline)) void
cr_mpi_pass_gate(struct cr_mpi_thread *me)
{
	if (__builtin_expect(!me->ready, 0))
		return;
	me->state = CR_MPI_LEAVING;
	cr_mpi_barrier();
	if (__builtin_expect(cr_mpi_gate, 0))
		cr_mpi_park();
}

static inline __attribute__((always_inline)) void
cr_mpi_leave_blocking(struct cr_mpi_thread *me)
{
	cr_mpi_barrier();
	if (__builtin_expect(!me->ready, 0)) {
		cr_mpi_leave_other();
		return;
	}
	me->slot->active = 0;
	cr_mpi_barrier();
	me->state = CR_MPI_OUTSIDE;
}

/*
 * Fills the slot; comes back here at a restart.  A macro, since the frame
 * that calls cr_lower_save() must not return before the call is done.
 */
#define CR_MPI_SAVE(me)                                              \
	do {                                                         \
		if (__builtin_expect(!(me)->ready, 0))               \
			cr_mpi_prepare();                            \
		if ((me)->ready && cr_lower_save((me)->slot))        \
			cr_mpi_rolled_back();                        \
	} while (0)

/*
 * CR_MPI_CALL(class, translate, result, call, commit): a call that comes
 * back by itself.  The statements translate handles once the border is
 * passed, and keep the books before the thread is outside again.
 */
#define CR_MPI_CALL(class, translate, result, call, commit) \
	do {                                                \
		struct cr_mpi_thread *me_ = cr_mpi_me();    \
		cr_mpi_enter_as(me_, class);                \
		translate                                   \
		(result) = CR_LOWER(call);                  \
		commit                                      \
		cr_mpi_leave_as(me_);                       \
	} while (0)
#define CR_MPI_LOCAL(translate, result, call) \
	CR_MPI_CALL(CR_MPI_CLASS_LOCAL, translate, result, call, )

/*
 * CR_MPI_BLOCKING(class, comm, translate, result, call, commit): commit is
 * what counts, done when the gate is passed and before the thread is
 * outside.
 */
#define CR_MPI_BLOCKING(class, comm, translate, result, call, commit) \
	do {                                                          \
		struct cr_mpi_thread *me_ = cr_mpi_me();              \
		CR_MPI_SAVE(me_);                                     \
		cr_mpi_enter_blocking(me_, class, comm);              \
		translate                                             \
		(result) = CR_LOWER(call);                            \
		cr_mpi_pass_gate(me_);                                \
		commit                                                \
		cr_mpi_leave_blocking(me_);                           \
	} while (0)

#endif
