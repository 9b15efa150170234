/* SPDX-License-Identifier: GPL-2.0-or-later */
/* command.h - the verbs of slurm-checkpoint */
#ifndef CR_COMMAND_H
#define CR_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "plugins/slurm/agent/conn.h"
#include "plugins/slurm/agent/jobctl.h"
#include "plugins/slurm/agent/publish.h"

struct cr_command {
	uint32_t job;
	int generation; /* show: which, 0: the newest */
	int max_wait;
	const char *image_dir, *dir;
	bool json, quiet;
	struct cr_jobctl_info info;
	bool has_info;
	struct cr_publish publish;
};

/* ask.c: verbs that the job's coordinator answers */
int cr_command_ask(struct cr_command *c, const char *op);
/* files.c: verbs that only read the directory */
int cr_command_list(struct cr_command *c);
int cr_command_show(struct cr_command *c);
/* restart.c */
int cr_command_restart(struct cr_command *c);

/* locate.c */
/* Who owns the job and where its agent and files are. */
int cr_command_locate(struct cr_command *c, struct cr_error *err);
/* The job's directory of generations. */
int cr_command_jobdir(struct cr_command *c, char dir[PATH_MAX],
		      struct cr_error *err);
/* One line to standard error; returns 1. */
int cr_command_fail(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

#endif
