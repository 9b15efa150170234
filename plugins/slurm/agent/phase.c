/* SPDX-License-Identifier: GPL-2.0-or-later */
/* phase.c - the steps of a generation (doc/job-protocol.md) */
#include "plugins/slurm/agent/phase.h"

#include <string.h>

static const char *const phase_names[] = {
	"NONE",	  "CHECK", "REQUEST", "QUIESCE", "SNAPSHOT",
	"RESUME", "STORE", "COMMIT",  "FINISH",  "ABORT",
};

const char *cr_phase_name(enum cr_phase phase)
{
	return phase_names[phase];
}

enum cr_phase cr_phase_parse(const char *name)
{
	for (int i = CR_PHASE_CHECK; i <= CR_PHASE_ABORT; i++)
		if (!strcmp(name, phase_names[i]))
			return i;
	return CR_PHASE_NONE;
}
