/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower_mpi.h - calls of the lower half's MPI, for test programs */
#ifndef CR_LOWER_TEST_MPI_H
#define CR_LOWER_TEST_MPI_H

#include <mpi.h>

#include "mpi/lower/test/test.h"

/* The lower half's functions and predefined handles. */
static struct {
	int (*Init_thread)(int *, char ***, int, int *);
	int (*Finalize)(void);
	int (*Comm_rank)(MPI_Comm, int *);
	int (*Comm_size)(MPI_Comm, int *);
	int (*Barrier)(MPI_Comm);
	int (*Send)(const void *, int, MPI_Datatype, int, int, MPI_Comm);
	int (*Recv)(void *, int, MPI_Datatype, int, int, MPI_Comm,
		    MPI_Status *);
	int (*Sendrecv)(const void *, int, MPI_Datatype, int, int, void *,
			int, MPI_Datatype, int, int, MPI_Comm, MPI_Status *);
	int (*Allreduce)(const void *, void *, int, MPI_Datatype, MPI_Op,
			 MPI_Comm);
	int (*Op_create)(MPI_User_function *, int, MPI_Op *);
	int (*Op_free)(MPI_Op *);
	int (*Abort)(MPI_Comm, int);
	int (*Iprobe)(int, int, MPI_Comm, int *, MPI_Status *);
	MPI_Comm world;
	MPI_Datatype byte, integer, real;
	MPI_Op sum;
} L;

static inline void lower_mpi_find(void)
{
#define FIND(name) CHECK((L.name = cr_lower_symbol("MPI_" #name)))
	FIND(Init_thread);
	FIND(Finalize);
	FIND(Comm_rank);
	FIND(Comm_size);
	FIND(Barrier);
	FIND(Send);
	FIND(Recv);
	FIND(Sendrecv);
	FIND(Allreduce);
	FIND(Op_create);
	FIND(Op_free);
	FIND(Abort);
	FIND(Iprobe);
#undef FIND
	CHECK((L.world = cr_lower_symbol("ompi_mpi_comm_world")));
	CHECK((L.byte = cr_lower_symbol("ompi_mpi_byte")));
	CHECK((L.integer = cr_lower_symbol("ompi_mpi_int")));
	CHECK((L.real = cr_lower_symbol("ompi_mpi_double")));
	CHECK((L.sum = cr_lower_symbol("ompi_mpi_op_sum")));
}

/* Boots a lower half with the program's own MPI library and starts MPI. */
static inline int lower_mpi_up(char **env, int level)
{
	struct cr_error err = { 0 };
	char path[4096];
	int provided = -1;

	CHECK(!cr_lower_library(path, sizeof(path), &err));
	if (cr_lower_boot(path, env, &err)) {
		fprintf(stderr, "boot: %s\n", err.text);
		_exit(1);
	}
	lower_mpi_find();
	CHECK(!CR_LOWER(L.Init_thread(NULL, NULL, level, &provided)));
	cr_lower_settled();
	if (cr_lower_check(true, &err)) {
		fprintf(stderr, "check: %s\n", err.text);
		_exit(1);
	}
	return provided;
}

static inline int lower_rank(void)
{
	int rank = -1;

	CR_LOWER(L.Comm_rank(L.world, &rank));
	return rank;
}

static inline int lower_size(void)
{
	int size = -1;

	CR_LOWER(L.Comm_size(L.world, &size));
	return size;
}

#endif
