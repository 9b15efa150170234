/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ask.h - from the arguments of a request to the command that serves it */
#ifndef CR_ASK_H
#define CR_ASK_H

#include "libcr.h"

/* 0, or -errno for what cannot be asked. */
int cr_ask_check(const cr_checkpoint_args_t *args);
/*
 * Starts cr_checkpoint; path, if not NULL, instead of args->cr_fd.  log and
 * result: ends of pipes, or -1.
 */
int cr_ask_run(const cr_checkpoint_args_t *args, const char *path, int log,
	       int result);

#endif
