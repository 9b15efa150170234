/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drain.h - takes messages off the wire and looks after pending requests */
#ifndef CR_MPI_DRAIN_H
#define CR_MPI_DRAIN_H

#include <stddef.h>

#include "mpi/request.h"

/*
 * All inside, by libcr's thread, while nobody is on the way to post a
 * receive.
 */

/* Takes what no posted receive matches.  -errno with a reason. */
int cr_mpi_drain(char *reason, size_t size);

struct cr_mpi_pending {
	int unfinished;	      /* matched receives that are still coming in */
	const char *function; /* of a request that we cannot make anew */
};
/* Counts receives that are complete though not waited for yet. */
void cr_mpi_settle(struct cr_mpi_pending *pending);

/* At a restart, with everything else rebuilt: requests are made anew. */
int cr_mpi_request_rebuild(struct cr_error *err);

#endif
