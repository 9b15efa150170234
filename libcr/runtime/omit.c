/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* omit.c - libcr_omit: the process that loads it vanishes from checkpoints */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcr.h"
#include "libcr_ext.h"

int cr_omit_link_me;

__attribute__((constructor)) static void omit(void)
{
	int rc = cr_omit_process();

	if (!rc)
		return;
	fprintf(stderr, "libcr_omit: cannot leave checkpoints: %s\n",
		strerror(-rc));
	exit(EXIT_FAILURE);
}
