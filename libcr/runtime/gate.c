/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gate.c - critical sections
 *
 * One word holds how many threads are in a section and whether a request is
 * waiting for them (PENDING) or taking place (ACTIVE).  PENDING becomes
 * ACTIVE only when the number is zero, and while it is ACTIVE nobody gets in,
 * so one compare-and-swap decides every race.  Everything here is
 * async-signal-safe and keeps errno.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/runtime.h"

#define PENDING 0x40000000u
#define ACTIVE 0x80000000u
#define COUNT 0x3fffffffu

/*
 * A thread that wants to enter while a request is waiting stands back for so
 * long, so that busy sections cannot keep a request out for ever.  Not
 * longer: a thread inside may be waiting for this one.
 */
#define COURTESY_MS 100
#define TICK_MS 50

static _Atomic uint32_t gate;

void cr_futex_wait(_Atomic uint32_t *word, uint32_t value, long timeout_ms)
{
	struct timespec ts = { timeout_ms / 1000, timeout_ms % 1000 * 1000000 };
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
		timeout_ms < 0 ? NULL : &ts);
	errno = saved;
}

void cr_futex_wake(_Atomic uint32_t *word)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX);
	errno = saved;
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* 0, or 1 if it would have to wait and must not. */
static int gate_enter(bool wait, long courtesy)
{
	uint32_t v = atomic_load(&gate);
	long deadline = 0, left;

	for (;;) {
		left = courtesy;
		if ((v & PENDING) && deadline)
			left = deadline - now_ms();
		if (!(v & ACTIVE) && (!(v & PENDING) || left <= 0)) {
			if (atomic_compare_exchange_weak(&gate, &v, v + 1))
				return 0;
			continue;
		}
		if (!wait)
			return 1;
		if (!deadline && (v & PENDING))
			deadline = now_ms() + courtesy;
		cr_futex_wait(&gate, v, v & ACTIVE ? -1 : left);
		v = atomic_load(&gate);
	}
}

void cr_gate_leave(void)
{
	uint32_t v = atomic_fetch_sub(&gate, 1) - 1;

	if (v != PENDING)
		return;
	/* the request has waited for this: let it begin */
	cr_futex_wake(&gate);
	while (v == PENDING) {
		cr_futex_wait(&gate, v, -1);
		v = atomic_load(&gate);
	}
}

bool cr_gate_close(bool (*cancelled)(void))
{
	uint32_t v = atomic_fetch_or(&gate, PENDING) | PENDING;
	bool closed = false;

	while (!closed && !cancelled()) {
		if (v == PENDING) {
			closed = atomic_compare_exchange_strong(&gate, &v,
								ACTIVE);
			continue;
		}
		cr_futex_wait(&gate, v, TICK_MS);
		v = atomic_load(&gate);
	}
	if (!closed)
		atomic_fetch_and(&gate, ~PENDING);
	cr_futex_wake(&gate);
	return closed;
}

void cr_gate_open(void)
{
	atomic_store(&gate, 0);
	cr_futex_wake(&gate);
}

int cr_gate_state(void)
{
	uint32_t v = atomic_load(&gate);

	if (v & ACTIVE)
		return CR_STATE_ACTIVE;
	return v & PENDING ? CR_STATE_PENDING : CR_STATE_IDLE;
}

void cr_gate_forked(unsigned int depth)
{
	atomic_store(&gate, depth ? 1 : 0);
}

int cr_status(void)
{
	return cr_gate_state();
}

/* The depth that id's sections count in; NULL with errno. */
static unsigned int *depth_of(cr_client_id_t id)
{
	if (cr_frame) {
		if (id == CR_ID_CALLBACK || (cr_self && id == cr_self->id))
			return &cr_frame->depth;
		errno = EINVAL;
		return NULL;
	}
	if (id == CR_ID_CALLBACK) {
		errno = CR_ENOTCB;
		return NULL;
	}
	if (!cr_self) {
		errno = CR_ENOINIT;
		return NULL;
	}
	if (id != cr_self->id) {
		errno = EINVAL;
		return NULL;
	}
	return &cr_self->depth;
}

/*
 * A signal handler may come between gate and depth, and have sections of
 * its own: the gate is entered before the depth says so, and left after.
 * Such a handler does not stand back, since its thread may be inside.
 */
static int enter_outermost(bool wait)
{
	bool interrupted = cr_self->at_gate;
	int rc;

	cr_self->at_gate = true;
	rc = gate_enter(wait, interrupted ? 0 : COURTESY_MS);
	if (!rc)
		cr_self->depth = 1;
	atomic_signal_fence(memory_order_seq_cst);
	cr_self->at_gate = interrupted;
	return rc;
}

static void leave_outermost(void)
{
	bool interrupted = cr_self->at_gate;

	cr_self->at_gate = true;
	cr_self->depth = 0;
	atomic_signal_fence(memory_order_seq_cst);
	cr_gate_leave();
	cr_self->at_gate = interrupted;
}

static int enter(cr_client_id_t id, bool wait)
{
	unsigned int *depth = depth_of(id);

	if (!depth)
		return -1;
	if (!cr_frame && !*depth)
		return enter_outermost(wait);
	++*depth;
	return 0;
}

int cr_enter_cs(cr_client_id_t id)
{
	return enter(id, true);
}

int cr_tryenter_cs(cr_client_id_t id)
{
	return enter(id, false);
}

int cr_leave_cs(cr_client_id_t id)
{
	unsigned int *depth = depth_of(id);

	if (!depth)
		return -1;
	if (!*depth) {
		errno = EPERM;
		return -1;
	}
	if (!cr_frame && *depth == 1)
		leave_outermost();
	else
		--*depth;
	return 0;
}
