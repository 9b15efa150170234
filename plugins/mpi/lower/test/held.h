/* SPDX-License-Identifier: GPL-2.0-or-later */
/* held.h - a border that a coordinator closes, for programs with real libcr */
#ifndef CR_LOWER_TEST_HELD_H
#define CR_LOWER_TEST_HELD_H

#include <linux/membarrier.h>
#include <stdatomic.h>

#include "mpi/lower/test/test.h"

static atomic_int closed;
static __thread struct cr_rollback *slot;

/* The calling thread's slot. */
static inline void cross(void)
{
	if (!slot)
		CHECK(!cr_lower_attach());
	slot = cr_lower_self.slot;
	CHECK(slot);
}

static inline void border(void)
{
	for (;;) {
		slot->active = 1;
		__asm__ volatile("" : : : "memory");
		if (!atomic_load_explicit(&closed, memory_order_relaxed))
			return;
		slot->active = 0;
		usleep(1000);
	}
}

#define ROLL_BACK_TO_HERE()                     \
	do {                                    \
		cross();                        \
		if (cr_lower_save(slot)) {      \
			slot->active = 0;       \
			cr_lower_rolled_back(); \
		}                               \
	} while (0)

static inline bool never(void *arg)
{
	return false;
}

static inline int quiesce(void *arg, char *reason, size_t size)
{
	struct cr_error err = { 0 };
	int rc;

	atomic_store(&closed, 1);
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	rc = cr_lower_check(false, &err);
	if (!rc)
		rc = cr_lower_hold(never, NULL, &err);
	if (rc) {
		atomic_store(&closed, 0);
		snprintf(reason, size, "%s", err.text);
	}
	return rc;
}

#endif
