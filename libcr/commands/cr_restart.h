/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_restart.h - what the command line of cr_restart says */
#ifndef CR_RESTART_H
#define CR_RESTART_H

#include <stdbool.h>
#include <stdio.h>

#include "restore/restore.h"

/* Exit status when the program did not run. */
#define CR_RESTART_FAILED 125

extern FILE *cr_restart_log; /* where messages go: standard error as a rule */

struct cr_restart_options {
	const char *file; /* NULL: fd */
	int fd;
	int verbose; /* -1: --quiet */
	struct cr_restore_options restore;
	struct cr_rstrt_relocate relocate;
	/* shell commands, or NULL */
	const char *on_success, *on_failure;
	const char *on_args, *on_temp, *on_env, *on_perm;
};

/*
 * Fills o.  Returns -1 to go on; otherwise the exit status (what there is to
 * say has been said).
 */
int cr_restart_parse(struct cr_restart_options *o, int argc, char **argv);

#endif
