/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attr.h - keys of attributes, for C and Fortran */
#ifndef CR_MPI_ATTR_H
#define CR_MPI_ATTR_H

#include "mpi/objects.h"

enum cr_mpi_attr_origin { CR_MPI_ATTR_C, CR_MPI_ATTR_FORTRAN };

#define CR_MPI_ATTR_DUP ((void *)1) /* copies the value as it is */

struct cr_mpi_keyval {
	int kind; /* CR_MPI_COMM or CR_MPI_TYPE */
	int refs; /* the key and each attribute */
	void *copy, *delete; /* C: by MPI_Comm_... types; NULL: nothing */
	void *extra;
	bool fortran;	  /* functions of Fortran with INTEGER or ... */
	bool fortran_int; /* ... those of MPI-1, default INTEGERs */
	MPI_Aint fortran_extra;
};

struct cr_mpi_keyval *cr_mpi_keyval(int key);
int cr_mpi_keyval_new(const struct cr_mpi_keyval *from);
int cr_mpi_keyval_free(int *key);
int cr_mpi_attr_set(void *handle, int key, int origin, void *value);
int cr_mpi_attr_get_c(void *handle, int key, void *value, int *flag);
int cr_mpi_attr_get_fortran(void *handle, int key, MPI_Aint *value, int *flag);
int cr_mpi_attr_delete(void *handle, int key);

/* fortran.c: run Fortran's functions */
int cr_mpi_attr_fortran_copy(struct cr_mpi_keyval *k, void *handle, int key,
			     MPI_Aint value, MPI_Aint *copied, int *flag);
int cr_mpi_attr_fortran_delete(struct cr_mpi_keyval *k, void *handle, int key,
			       MPI_Aint value);

#endif
