/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spank_agent.h - starts cr_agent from inside slurmstepd */
#ifndef CR_SPANK_AGENT_H
#define CR_SPANK_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPANK_AGENT_BATCH_STEP 0xfffffffbu /* SLURM_BATCH_SCRIPT */

struct spank_agent {
	uint32_t job, step;
	uid_t uid;
	gid_t gid;
	const char *dir, *site;
	long period;
	int keep;
	bool first; /* first node of the step */
	char fault[64]; /* CR_AGENT_FAULT, for tests */
};

/* The directory in the environment variable, or as configured. */
const char *spank_agent_path(const char *variable, const char *configured);
/* Is there one at this socket? */
bool spank_agent_listens(const char *path);
/*
 * Returns when the agent listens: 0; else -errno with the reason in text.
 * Called with the user's effective ids and the right to take them for good.
 */
int spank_agent_start(const struct spank_agent *a, char *text, size_t size);

#endif
