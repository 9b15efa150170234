/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spawn.c - programs started by the program
 *
 * From then on a process cannot be checkpointed.  A restarted program cannot
 * start any: its launcher knows it as cr_restart, and it may live in
 * namespaces that what it starts is not in, so that the two would wait for
 * each other for ever.  It is told so by an error.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mpi/objects.h"

/* The same on all ranks, since all of them were restarted. */
static bool refused(const char *function, int root, int n, MPI_Comm comm,
		    MPI_Comm *intercomm, int errcodes[], int *r)
{
	int rank = -1;

	if (!cr_restarts())
		return false;
	PMPI_Comm_rank(comm, &rank);
	if (rank == root)
		fprintf(stderr,
			"libcr_mpi: rank %d: %s: a restarted program cannot "
			"start others\n",
			cr_mpi_rank, function);
	for (int i = 0; rank == root && errcodes && i < n; i++)
		errcodes[i] = MPI_ERR_SPAWN;
	*intercomm = CR_PRE(ompi_mpi_comm_null);
	*r = cr_mpi_error(comm, MPI_ERR_SPAWN);
	return true;
}

int MPI_Comm_spawn(const char *command, char *argv[], int maxprocs,
		   MPI_Info info, int root, MPI_Comm comm, MPI_Comm *intercomm,
		   int errcodes[])
{
	MPI_Comm lc, made = NULL;
	MPI_Info li;
	int r;

	if (refused("MPI_Comm_spawn", root, maxprocs, comm, intercomm, errcodes,
		    &r))
		return r;
	cr_mpi_refuse("MPI_Comm_spawn");
	CR_MPI_CALL(CR_MPI_CLASS_THROUGH, lc = cr_mpi_lower_comm(comm);
		    li = cr_mpi_lower_info(info);, r,
		    cr_mpi_low.Comm_spawn(command, argv, maxprocs, li, root, lc,
					  &made, errcodes),
		    if (r == MPI_SUCCESS)
			    *intercomm = cr_mpi_upper_comm(made););
	return r;
}
CR_MPI_ALIAS(Comm_spawn,
	     (const char *command, char *argv[], int maxprocs, MPI_Info info,
	      int root, MPI_Comm comm, MPI_Comm *intercomm, int errcodes[]));

int MPI_Comm_spawn_multiple(int count, char *commands[], char **argvs[],
			    const int maxprocs[], const MPI_Info infos[],
			    int root, MPI_Comm comm, MPI_Comm *intercomm,
			    int errcodes[])
{
	MPI_Comm lc, made = NULL;
	MPI_Info *li;
	int r, rank = -1, n = 0;

	/* these arguments count at root only */
	PMPI_Comm_rank(comm, &rank);
	if (rank != root)
		count = 0;
	for (int i = 0; i < count; i++)
		n += maxprocs[i];
	if (refused("MPI_Comm_spawn_multiple", root, n, comm, intercomm,
		    errcodes, &r))
		return r;
	cr_mpi_refuse("MPI_Comm_spawn_multiple");
	li = cr_mpi_alloc(count + 1, sizeof(*li));
	CR_MPI_CALL(CR_MPI_CLASS_THROUGH, lc = cr_mpi_lower_comm(comm);
		    for (int i = 0; infos && i < count; i++)
			    li[i] = cr_mpi_lower_info(infos[i]);
		    , r,
		    cr_mpi_low.Comm_spawn_multiple(count, commands, argvs,
						   maxprocs, li, root, lc,
						   &made, errcodes),
		    if (r == MPI_SUCCESS)
			    *intercomm = cr_mpi_upper_comm(made););
	free(li);
	return r;
}
CR_MPI_ALIAS(Comm_spawn_multiple,
	     (int count, char *commands[], char **argvs[],
	      const int maxprocs[], const MPI_Info infos[], int root,
	      MPI_Comm comm, MPI_Comm *intercomm, int errcodes[]));
