/* SPDX-License-Identifier: GPL-2.0-or-later */
/* descriptors.h - for commands that are started with some of 0, 1, 2 closed */
#ifndef CR_DESCRIPTORS_H
#define CR_DESCRIPTORS_H

/*
 * What is opened later must not become a standard descriptor: messages would
 * go into it.  Those that are closed become ones that fail in use.
 */
int cr_descriptors_fill(void);

#endif
