/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cut.h - coming to rest together with all other ranks, and going on */
#ifndef CR_MPI_CUT_H
#define CR_MPI_CUT_H

#include "mpi/wrap.h"

/* After MPI_Init: libcr will ask us before it takes a snapshot. */
void cr_mpi_cut_init(void);
/* Tells the agent of the node, if there is one, that this is a rank. */
int cr_mpi_register(void);
/* In a restored process, in libcr's thread: MPI comes up again. */
void cr_mpi_restart(void);

#endif
