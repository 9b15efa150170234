/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib.h - child processes under test, and calls in them that must succeed */
#ifndef CR_REMOTE_TEST_LIB_H
#define CR_REMOTE_TEST_LIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "remote/remote.h"

/* Shared with the child processes under test. */
struct shared {
	volatile int ready, caught, value, result, error;
	volatile double took;
	int futex;
};
extern struct shared *sh;

int setup(void **state);
double now(void);
/* A child that runs f and has set sh->ready. */
pid_t spawn(void (*f)(void));
/* For spawn: sh->result says whether its registers stayed until sh->value. */
void spin(void);
/* Waits until the task sleeps in the kernel. */
void wait_asleep(pid_t pid);
void hold(struct cr_task *t, pid_t pid);
int64_t call(struct cr_task *t, long nr, uint64_t a, uint64_t b, uint64_t c);
void release(struct cr_task *t);
void kill_child(pid_t pid);

#endif
