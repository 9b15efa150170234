/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kill.h - leaves nothing of a tree behind */
#ifndef CR_RESTORE_KILL_H
#define CR_RESTORE_KILL_H

#include <stddef.h>
#include <sys/types.h>

/* The children of this process, malloc'ed; 0 or -errno. */
int cr_children(pid_t **children, size_t *n);
/*
 * Kills and reaps every descendant but the children named and theirs.  The
 * caller is a subreaper (prctl(2)) or the first process of its namespace.
 */
void cr_kill_descendants(const pid_t *but, size_t n_but);

#endif
