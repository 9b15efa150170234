/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.h - what may take long is done by a child, so that the loop goes on */
#ifndef CR_CHILD_H
#define CR_CHILD_H

#include "common/error.h"
#include "plugins/slurm/agent/loop.h"

/* In the child: 0 or -errno with err. */
typedef int (*cr_child_work)(void *arg, struct cr_error *err);
/* In the loop, once the child has ended. */
typedef void (*cr_child_done)(int code, const char *text, void *arg);

/*
 * Forks a child that does the work; done is called from the loop, later.
 * 0 or -errno with err, and then done is never called.
 */
int cr_child_start(struct cr_loop *l, cr_child_work work, cr_child_done done,
		   void *arg, struct cr_error *err);

/* Closes what a child has of ours but standard descriptors, log and keep:
 * a connection must end when the agent does. */
void cr_child_close_others(int keep);

#endif
