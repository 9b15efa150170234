/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.h - waits for descriptors and for time, calls back */
#ifndef CR_LOOP_H
#define CR_LOOP_H

#include <stdbool.h>

struct cr_loop;

typedef void (*cr_loop_fd_cb)(int fd, short revents, void *arg);
typedef void (*cr_loop_timer_cb)(void *arg);

struct cr_loop *cr_loop_create(void);
void cr_loop_destroy(struct cr_loop *l);
/* events: POLLIN, POLLOUT.  One watch per descriptor.  0 or -errno. */
int cr_loop_watch(struct cr_loop *l, int fd, short events, cr_loop_fd_cb cb,
		  void *arg);
void cr_loop_unwatch(struct cr_loop *l, int fd);
/* Calls cb once after ms milliseconds; its number (> 0) or -ENOMEM. */
int cr_loop_after(struct cr_loop *l, long ms, cr_loop_timer_cb cb, void *arg);
/* Forgets the timer if it is still to come; 0 is no timer. */
void cr_loop_cancel(struct cr_loop *l, int timer);
void cr_loop_run(struct cr_loop *l);
void cr_loop_stop(struct cr_loop *l);
/* Milliseconds of CLOCK_MONOTONIC. */
long cr_loop_now(void);

#endif
