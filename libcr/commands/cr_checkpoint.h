/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_checkpoint.h - between the files of cr_checkpoint */
#ifndef CR_CHECKPOINT_H
#define CR_CHECKPOINT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "capture/capture.h"

struct options {
	cr_scope_t scope;
	pid_t target;
	char path[PATH_MAX]; /* absolute */
	int fd;		     /* -F, or -1 */
	enum {
		EXISTING_REPLACE,
		EXISTING_OVERWRITE,
		EXISTING_BACKUP,
		EXISTING_REFUSE
	} existing;
	char backup[PATH_MAX]; /* EXISTING_BACKUP: its name, absolute */
	int signal;	       /* to the processes afterwards, 0: none */
	bool fsync, check_only, quiet;
	int verbose;
	double timeout; /* seconds, 0: none */
	int snapshot;	/* CR_SNAPSHOT_* */
	unsigned int flags; /* CR_CHKPT_* for the capture */
	enum cr_engine_choice engine;
	bool direct; /* past the page cache */
	bool drop_connections;
};

/* Parses; usage errors and --help end the program. */
void options_parse(struct options *o, int argc, char **argv);

/*
 * The work, in the helper.  lifeline: becomes readable when the command has
 * died or given up.  The result is an exit status; *code is 0 or a positive
 * error number.
 */
int work(const struct options *o, int lifeline, int *code);

#endif
