/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.h - where every communicator stands with its collectives
 *
 * Pure computation on what all ranks reported, the same on each of them.
 */
#ifndef CR_MPI_TABLE_H
#define CR_MPI_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* One member's view of one communicator. */
struct cr_mpi_standing {
	uint64_t id;
	uint64_t entered, done; /* collectives begun, and left */
	uint32_t size;		/* members in all */
	uint16_t want;		/* a thread is held that would begin the next */
	uint16_t freed;
};

/* All members together. */
struct cr_mpi_line {
	uint64_t id, target; /* collectives that all must complete */
	uint64_t max_done, min_entered, min_done;
	uint32_t size, reported, want, freed;
};

struct cr_mpi_lines {
	struct cr_mpi_line *line; /* sorted by id */
	int n;
	bool behind;	/* somebody has left a collective that others must
			   still complete */
	bool at_rest;	/* each collective was left by all or by nobody, and
			   none can be left without another rank entering */
	uint64_t motion; /* changes whenever anything moves */
};

int cr_mpi_lines_make(struct cr_mpi_lines *lines,
		      const struct cr_mpi_standing *all, int n);
/* For when all stand still although some are behind: one collective more. */
void cr_mpi_lines_raise(struct cr_mpi_lines *lines);
const struct cr_mpi_line *cr_mpi_lines_find(const struct cr_mpi_lines *lines,
					    uint64_t id);
void cr_mpi_lines_free(struct cr_mpi_lines *lines);

#endif
