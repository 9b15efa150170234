/* SPDX-License-Identifier: GPL-2.0-or-later */
/* complete.h - is a request of the lower half complete, whoever waits for it? */
#ifndef CR_MPI_COMPLETE_H
#define CR_MPI_COMPLETE_H

#include <stdbool.h>

#include "mpi/wrap.h"

/*
 * After each start of the lower half, with a communicator of ours that has
 * only this process.  -ENOTSUP: the MPI library is of an unknown form.
 */
int cr_mpi_complete_init(MPI_Comm self, struct cr_error *err);
bool cr_mpi_lower_complete(MPI_Request l);

#endif
