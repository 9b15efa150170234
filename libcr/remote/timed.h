/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* timed.h - system calls that wait for a limited time (libremote only) */
#ifndef CR_REMOTE_TIMED_H
#define CR_REMOTE_TIMED_H

#include "remote/internal.h"

enum cr_time_format {
	CR_TIME_MS,	  /* the argument itself: milliseconds, an int */
	CR_TIME_TIMESPEC, /* it points to one */
	CR_TIME_TIMEVAL,
	CR_TIME_SOCKET /* SO_RCVTIMEO of the descriptor that it is */
};

struct cr_timed {
	long nr;
	int arg; /* number of the argument with the time-out */
	enum cr_time_format format;
	int left; /* points to where the kernel writes what is left; 0: none */
};

/* Argument n, 0 to 5. */
uint64_t cr_timed_arg(const struct user_regs_struct *r, int n);
void cr_timed_set_arg(struct user_regs_struct *r, int n, uint64_t value);
/*
 * The call with these arguments, if it is one that waits for a time from its
 * beginning on; NULL: it is none, or waits until a point in time, or not for
 * the time of a clock that runs by itself.
 */
const struct cr_timed *cr_timed_find(long nr, const struct user_regs_struct *r);
#define CR_TIMED_MOST (INT64_MAX / 2) /* who waits longer waits for ever */
/* Nanoseconds from memory; -1: no time-out, or one that is none. */
int64_t cr_timed_read(pid_t pid, enum cr_time_format format, uint64_t addr);
/* Both ways, never less. */
int64_t cr_timed_from_ms(uint64_t arg);
uint64_t cr_timed_to_ms(int64_t ns);
/* In the format of the memory that the call reads; its length. */
size_t cr_timed_pack(enum cr_time_format format, int64_t ns, uint64_t out[2]);

#endif
