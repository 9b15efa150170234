/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobctl.h - what the coordinator wants of the scheduler
 *
 * The only door to Slurm's daemons; another scheduler would bring another
 * jobctl_*.c.
 */
#ifndef CR_JOBCTL_H
#define CR_JOBCTL_H

#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

struct cr_jobctl_info {
	uid_t uid;
	char work_dir[1024], batch_host[256];
	uint32_t restarts;
	char state[32];
	int batch, running, pending;
};

/* Who administers the scheduler (SlurmUser). */
uid_t cr_jobctl_admin(void);
int cr_jobctl_info(uint32_t job, struct cr_jobctl_info *info,
		   struct cr_error *err);
/*
 * Which job "12", "12_3" (a task of an array) is.  A job that Slurm does not
 * know any more is what its number says; -ENOTSUP: not to be checkpointed.
 */
int cr_jobctl_find(const char *text, uint32_t *job, struct cr_error *err);
int cr_jobctl_requeue(uint32_t job, struct cr_error *err);
/* Ends a job. */
int cr_jobctl_cancel(uint32_t job, struct cr_error *err);
/* A requeued job need not wait for its old credentials to expire. */
int cr_jobctl_start_now(uint32_t job, struct cr_error *err);
/* The directory the plugin was configured with ("dir="), or "". */
void cr_jobctl_site(char *dir, size_t size);

#endif
