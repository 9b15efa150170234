/* SPDX-License-Identifier: GPL-2.0-or-later */
/* type.h - the record of a derived datatype */
#ifndef CR_MPI_TYPE_H
#define CR_MPI_TYPE_H

#include "mpi/objects.h"
#include "mpi/request.h"

struct cr_mpi_type {
	struct cr_mpi_object o;
	int combiner, ni, na, nt;
	int *i;
	MPI_Aint *a;
	MPI_Datatype *t; /* handles of the program, each with a reference */
	bool committed, freed, f90;
};

int cr_mpi_type_create(int combiner, int ni, const int *i, int na,
		       const MPI_Aint *a, int nt, const MPI_Datatype *types,
		       MPI_Datatype *newtype);

#endif
