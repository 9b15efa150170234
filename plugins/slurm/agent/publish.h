/* SPDX-License-Identifier: GPL-2.0-or-later */
/* publish.h - where a job's coordinator is to be found: agent.json */
#ifndef CR_PUBLISH_H
#define CR_PUBLISH_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "plugins/slurm/agent/frame.h"

struct cr_publish {
	uint32_t job;
	uid_t uid;
	char host[CR_FRAME_NAME], address[64];
	int port; /* 0: the coordinator has gone */
	char directory[PATH_MAX];
	pid_t pid;
};

/* An address of this host that others can reach. */
void cr_publish_address(char address[64]);
/* Into directory/agent.json and, if site is not "", SITE/JOB.agent. */
int cr_publish_write(const struct cr_publish *p, const char *site,
		     struct cr_error *err);
/* From a file, which must belong to uid; -ENOENT if it is not there. */
int cr_publish_read(struct cr_publish *p, const char *path, uint32_t job,
		    uid_t uid, struct cr_error *err);
void cr_publish_remove(const struct cr_publish *p, const char *site);

#endif
