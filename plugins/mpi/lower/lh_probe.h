/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lh_probe.h - does the hook see what this libc does? (part of lh_main) */
#ifndef CR_LH_PROBE_H
#define CR_LH_PROBE_H

#include <stdbool.h>

/*
 * Tries libc's ways to make descriptors and memory.  NULL if everything was
 * seen, else the name of the first one that was not.
 */
const char *cr_lh_probe(bool (*fd_is_known)(int fd));

#endif
