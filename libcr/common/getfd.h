/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* getfd.h - a duplicate of a descriptor of another process */
#ifndef CR_GETFD_H
#define CR_GETFD_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Descriptor fd of the process that the thread tid belongs to, as one of the
 * caller's, or -errno.  A thread that is not the main thread can be asked
 * since Linux 6.9 only (before: -EINVAL), and a main thread that has ended
 * has no descriptors.
 */
int cr_getfd(pid_t tid, int fd);
/* Can any thread be asked? */
bool cr_getfd_of_threads(void);

#endif
