/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* internal.h - between the files of libremote */
#ifndef CR_REMOTE_INTERNAL_H
#define CR_REMOTE_INTERNAL_H

#include "remote/remote.h"

/* What the kernel keeps to itself: results that ask for a restart. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

/* PTRACE_SETOPTIONS of a task outside cr_remote_clone3(). */
long cr_remote_options(const struct cr_task *t);

/* Blocks every signal, so that a call of ours is never turned away by one. */
int cr_remote_block_signals(struct cr_task *t);
/* A signal on its way to the program is kept for the release. */
void cr_remote_keep_signal(struct cr_task *t, int status);

#endif
