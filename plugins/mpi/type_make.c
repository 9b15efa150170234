/* SPDX-License-Identifier: GPL-2.0-or-later */
/* type_make.c - the constructors of datatypes, as records */
#include <stdlib.h>
#include <string.h>

#include "mpi/type.h"

/* A record's integers, put one after the other. */
struct ints {
	int n, *v;
};

static void put(struct ints *s, const int *from, int n)
{
	if (n < 0)
		n = 0;
	s->v = realloc(s->v, (s->n + n + 1) * sizeof(int));
	if (!s->v)
		cr_mpi_die("out of memory");
	if (n)
		memcpy(s->v + s->n, from, n * sizeof(int));
	s->n += n;
}

static void put1(struct ints *s, int value)
{
	put(s, &value, 1);
}

static int make(int combiner, struct ints *s, int na, const MPI_Aint *a,
		int nt, const MPI_Datatype *types, MPI_Datatype *newtype)
{
	int r = cr_mpi_type_create(combiner, s->n, s->v, na, a, nt, types,
				   newtype);

	free(s->v);
	return r;
}

int MPI_Type_dup(MPI_Datatype type, MPI_Datatype *newtype)
{
	struct ints s = { 0 };
	int r = make(MPI_COMBINER_DUP, &s, 0, NULL, 1, &type, newtype);

	if (r != MPI_SUCCESS)
		return r;
	r = cr_mpi_attr_copy_all(type, *newtype);
	if (r != MPI_SUCCESS)
		PMPI_Type_free(newtype);
	return r;
}
CR_MPI_ALIAS(Type_dup, (MPI_Datatype type, MPI_Datatype *newtype));

int MPI_Type_contiguous(int count, MPI_Datatype type, MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, count);
	return make(MPI_COMBINER_CONTIGUOUS, &s, 0, NULL, 1, &type, newtype);
}
CR_MPI_ALIAS(Type_contiguous,
	     (int count, MPI_Datatype type, MPI_Datatype *newtype));

int MPI_Type_vector(int count, int length, int stride, MPI_Datatype type,
		    MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, count);
	put1(&s, length);
	put1(&s, stride);
	return make(MPI_COMBINER_VECTOR, &s, 0, NULL, 1, &type, newtype);
}
CR_MPI_ALIAS(Type_vector, (int count, int length, int stride,
			   MPI_Datatype type, MPI_Datatype *newtype));

int MPI_Type_create_hvector(int count, int length, MPI_Aint stride,
			    MPI_Datatype type, MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, count);
	put1(&s, length);
	return make(MPI_COMBINER_HVECTOR, &s, 1, &stride, 1, &type, newtype);
}
CR_MPI_ALIAS(Type_create_hvector, (int count, int length, MPI_Aint stride,
				   MPI_Datatype type, MPI_Datatype *newtype));
int MPI_Type_hvector(int count, int length, MPI_Aint stride, MPI_Datatype type,
		     MPI_Datatype *newtype)
	__attribute__((alias("MPI_Type_create_hvector")));
int PMPI_Type_hvector(int count, int length, MPI_Aint stride,
		      MPI_Datatype type, MPI_Datatype *newtype)
	__attribute__((alias("MPI_Type_create_hvector")));

int MPI_Type_indexed(int count, const int lengths[], const int displs[],
		     MPI_Datatype type, MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, count);
	put(&s, lengths, count);
	put(&s, displs, count);
	return make(MPI_COMBINER_INDEXED, &s, 0, NULL, 1, &type, newtype);
}
CR_MPI_ALIAS(Type_indexed, (int count, const int lengths[], const int displs[],
			    MPI_Datatype type, MPI_Datatype *newtype));

int MPI_Type_create_hindexed(int count, const int lengths[],
			     const MPI_Aint displs[], MPI_Datatype type,
			     MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, count);
	put(&s, lengths, count);
	return make(MPI_COMBINER_HINDEXED, &s, count, displs, 1, &type,
		    newtype);
}
CR_MPI_ALIAS(Type_create_hindexed,
	     (int count, const int lengths[], const MPI_Aint displs[],
	      MPI_Datatype type, MPI_Datatype *newtype));
int MPI_Type_hindexed(int count, int lengths[], MPI_Aint displs[],
		      MPI_Datatype type, MPI_Datatype *newtype)
	__attribute__((alias("MPI_Type_create_hindexed")));
int PMPI_Type_hindexed(int count, int lengths[], MPI_Aint displs[],
		       MPI_Datatype type, MPI_Datatype *newtype)
	__attribute__((alias("MPI_Type_create_hindexed")));

int MPI_Type_create_indexed_block(int count, int length, const int displs[],
				  MPI_Datatype type, MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, count);
	put1(&s, length);
	put(&s, displs, count);
	return make(MPI_COMBINER_INDEXED_BLOCK, &s, 0, NULL, 1, &type,
		    newtype);
}
CR_MPI_ALIAS(Type_create_indexed_block,
	     (int count, int length, const int displs[], MPI_Datatype type,
	      MPI_Datatype *newtype));

int MPI_Type_create_hindexed_block(int count, int length,
				   const MPI_Aint displs[], MPI_Datatype type,
				   MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, count);
	put1(&s, length);
	return make(MPI_COMBINER_HINDEXED_BLOCK, &s, count, displs, 1, &type,
		    newtype);
}
CR_MPI_ALIAS(Type_create_hindexed_block,
	     (int count, int length, const MPI_Aint displs[],
	      MPI_Datatype type, MPI_Datatype *newtype));

int MPI_Type_create_struct(int count, const int lengths[],
			   const MPI_Aint displs[], const MPI_Datatype types[],
			   MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, count);
	put(&s, lengths, count);
	return make(MPI_COMBINER_STRUCT, &s, count, displs, count, types,
		    newtype);
}
CR_MPI_ALIAS(Type_create_struct,
	     (int count, const int lengths[], const MPI_Aint displs[],
	      const MPI_Datatype types[], MPI_Datatype *newtype));
int MPI_Type_struct(int count, int lengths[], MPI_Aint displs[],
		    MPI_Datatype types[], MPI_Datatype *newtype)
	__attribute__((alias("MPI_Type_create_struct")));
int PMPI_Type_struct(int count, int lengths[], MPI_Aint displs[],
		     MPI_Datatype types[], MPI_Datatype *newtype)
	__attribute__((alias("MPI_Type_create_struct")));

int MPI_Type_create_subarray(int ndims, const int sizes[],
			     const int subsizes[], const int starts[],
			     int order, MPI_Datatype type,
			     MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, ndims);
	put(&s, sizes, ndims);
	put(&s, subsizes, ndims);
	put(&s, starts, ndims);
	put1(&s, order);
	return make(MPI_COMBINER_SUBARRAY, &s, 0, NULL, 1, &type, newtype);
}
CR_MPI_ALIAS(Type_create_subarray,
	     (int ndims, const int sizes[], const int subsizes[],
	      const int starts[], int order, MPI_Datatype type,
	      MPI_Datatype *newtype));

int MPI_Type_create_darray(int size, int rank, int ndims, const int gsizes[],
			   const int distribs[], const int dargs[],
			   const int psizes[], int order, MPI_Datatype type,
			   MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, size);
	put1(&s, rank);
	put1(&s, ndims);
	put(&s, gsizes, ndims);
	put(&s, distribs, ndims);
	put(&s, dargs, ndims);
	put(&s, psizes, ndims);
	put1(&s, order);
	return make(MPI_COMBINER_DARRAY, &s, 0, NULL, 1, &type, newtype);
}
CR_MPI_ALIAS(Type_create_darray,
	     (int size, int rank, int ndims, const int gsizes[],
	      const int distribs[], const int dargs[], const int psizes[],
	      int order, MPI_Datatype type, MPI_Datatype *newtype));

int MPI_Type_create_resized(MPI_Datatype type, MPI_Aint lb, MPI_Aint extent,
			    MPI_Datatype *newtype)
{
	struct ints s = { 0 };
	MPI_Aint a[2] = { lb, extent };

	return make(MPI_COMBINER_RESIZED, &s, 2, a, 1, &type, newtype);
}
CR_MPI_ALIAS(Type_create_resized,
	     (MPI_Datatype type, MPI_Aint lb, MPI_Aint extent,
	      MPI_Datatype *newtype));

int MPI_Type_create_f90_real(int p, int r, MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, p);
	put1(&s, r);
	return make(MPI_COMBINER_F90_REAL, &s, 0, NULL, 0, NULL, newtype);
}
CR_MPI_ALIAS(Type_create_f90_real, (int p, int r, MPI_Datatype *newtype));

int MPI_Type_create_f90_complex(int p, int r, MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, p);
	put1(&s, r);
	return make(MPI_COMBINER_F90_COMPLEX, &s, 0, NULL, 0, NULL, newtype);
}
CR_MPI_ALIAS(Type_create_f90_complex, (int p, int r, MPI_Datatype *newtype));

int MPI_Type_create_f90_integer(int r, MPI_Datatype *newtype)
{
	struct ints s = { 0 };

	put1(&s, r);
	return make(MPI_COMBINER_F90_INTEGER, &s, 0, NULL, 0, NULL, newtype);
}
CR_MPI_ALIAS(Type_create_f90_integer, (int r, MPI_Datatype *newtype));
