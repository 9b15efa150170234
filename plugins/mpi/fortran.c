/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fortran.c - where Debian's libmpi_mpifh goes past the C functions */
#include "mpi/attr.h"

int cr_mpi_attr_fortran_copy(struct cr_mpi_keyval *k, void *handle, int key,
			     MPI_Aint value, MPI_Aint *copied, int *flag)
{
	MPI_Fint object = k->kind == CR_MPI_TYPE ? PMPI_Type_c2f(handle) :
						   PMPI_Comm_c2f(handle);
	MPI_Fint fkey = key, fextra = k->fortran_extra, fvalue = value;
	MPI_Fint fcopied = 0, fflag = 0, error = MPI_SUCCESS;
	MPI_Aint extra = k->fortran_extra;

	if (k->fortran_int) {
		((void (*)(MPI_Fint *, MPI_Fint *, MPI_Fint *, MPI_Fint *,
			   MPI_Fint *, MPI_Fint *, MPI_Fint *))k->copy)(
			&object, &fkey, &fextra, &fvalue, &fcopied, &fflag,
			&error);
		*copied = fcopied;
	} else {
		((void (*)(MPI_Fint *, MPI_Fint *, MPI_Aint *, MPI_Aint *,
			   MPI_Aint *, MPI_Fint *, MPI_Fint *))k->copy)(
			&object, &fkey, &extra, &value, copied, &fflag,
			&error);
	}
	*flag = fflag != 0;
	return error;
}

int cr_mpi_attr_fortran_delete(struct cr_mpi_keyval *k, void *handle, int key,
			       MPI_Aint value)
{
	MPI_Fint object = k->kind == CR_MPI_TYPE ? PMPI_Type_c2f(handle) :
						   PMPI_Comm_c2f(handle);
	MPI_Fint fkey = key, fextra = k->fortran_extra, fvalue = value;
	MPI_Fint error = MPI_SUCCESS;
	MPI_Aint extra = k->fortran_extra;

	if (k->fortran_int)
		((void (*)(MPI_Fint *, MPI_Fint *, MPI_Fint *, MPI_Fint *,
			   MPI_Fint *))k->delete)(&object, &fkey, &fvalue,
						  &fextra, &error);
	else
		((void (*)(MPI_Fint *, MPI_Fint *, MPI_Aint *, MPI_Aint *,
			   MPI_Fint *))k->delete)(&object, &fkey, &value,
						  &extra, &error);
	return error;
}
