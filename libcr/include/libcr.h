/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libcr.h - checkpoint and restart of process trees: the programmer's interface */
#ifndef LIBCR_H
#define LIBCR_H

typedef enum {
	CR_SCOPE_PROC = 0,
	CR_SCOPE_PGRP,
	CR_SCOPE_SESS,
	CR_SCOPE_TREE,
} cr_scope_t;

/* At most so many path changes at a restart. */
#define CR_MAX_RSTRT_RELOC 16
struct cr_rstrt_relocate_pair {
	char *oldpath;
	char *newpath;
};
struct cr_rstrt_relocate {
	int count;
	struct cr_rstrt_relocate_pair path[CR_MAX_RSTRT_RELOC];
};

#endif
