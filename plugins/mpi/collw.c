/* SPDX-License-Identifier: GPL-2.0-or-later */
/* collw.c - collectives and others with arrays of handles */
#include <stdlib.h>

#include "mpi/objects.h"

/* Inside: n handles translated into room. */
static void translate(MPI_Datatype *room, const MPI_Datatype *types, int n)
{
	for (int i = 0; i < n; i++)
		room[i] = cr_mpi_lower_type(types[i]);
}

/* How many peers an array of a collective (neighbour or not) is for. */
static void degrees(MPI_Comm comm, bool neighbor, int *in, int *out)
{
	struct cr_mpi_comm *c = cr_mpi_comm_of(comm);

	*in = *out = c->inter ? c->n_peer : c->size;
	if (!neighbor)
		return;
	switch (c->topology) {
	case CR_MPI_TOPO_CART:
		*in = *out = 2 * c->ndims;
		break;
	case CR_MPI_TOPO_GRAPH:
		PMPI_Graph_neighbors_count(comm, c->rank, in);
		*out = *in;
		break;
	case CR_MPI_TOPO_DIST_GRAPH:
		*in = c->indegree;
		*out = c->outdegree;
		break;
	case CR_MPI_TOPO_NONE:
		break;
	}
}

int MPI_Alltoallw(const void *sendbuf, const int sendcounts[],
		  const int sdispls[], const MPI_Datatype sendtypes[],
		  void *recvbuf, const int recvcounts[], const int rdispls[],
		  const MPI_Datatype recvtypes[], MPI_Comm comm)
{
	struct cr_mpi_comm *c = cr_mpi_comm_of(comm);
	int n = c->inter ? c->n_peer : c->size, r;
	MPI_Datatype *ls, *lr;
	void *copy = NULL;
	MPI_Comm lc;

	if (sendbuf == MPI_IN_PLACE) {
		/* the same, but with an input that stays: packed copies */
		int total = 0, at = 0, size, position;
		int *counts = cr_mpi_ints(NULL, n), *at_ = cr_mpi_ints(NULL, n);

		ls = cr_mpi_alloc(n, sizeof(*ls));
		for (int i = 0; i < n; i++) {
			PMPI_Pack_size(recvcounts[i], recvtypes[i], comm,
				       &size);
			total += size;
		}
		copy = cr_mpi_alloc(total, 1);
		for (int i = 0; i < n; i++) {
			position = 0;
			PMPI_Pack((char *)recvbuf + rdispls[i], recvcounts[i],
				  recvtypes[i], (char *)copy + at, total - at,
				  &position, comm);
			ls[i] = CR_PRE(ompi_mpi_packed);
			counts[i] = position;
			at_[i] = at;
			at += position;
		}
		r = PMPI_Alltoallw(copy, counts, at_, ls, recvbuf, recvcounts,
				   rdispls, recvtypes, comm);
		free(counts);
		free(at_);
		free(ls);
		free(copy);
		return r;
	}
	ls = cr_mpi_alloc(n, sizeof(*ls));
	lr = cr_mpi_alloc(n, sizeof(*lr));
	CR_MPI_COLL(comm, translate(ls, sendtypes, n);
		    translate(lr, recvtypes, n);
		    lc = cr_mpi_lower_comm(comm);, r,
		    cr_mpi_low.Alltoallw(sendbuf, sendcounts, sdispls, ls,
					 recvbuf, recvcounts, rdispls, lr,
					 lc));
	free(ls);
	free(lr);
	return r;
}
CR_MPI_ALIAS(Alltoallw,
	     (const void *sendbuf, const int sendcounts[], const int sdispls[],
	      const MPI_Datatype sendtypes[], void *recvbuf,
	      const int recvcounts[], const int rdispls[],
	      const MPI_Datatype recvtypes[], MPI_Comm comm));

int MPI_Neighbor_alltoallw(const void *sendbuf, const int sendcounts[],
			   const MPI_Aint sdispls[],
			   const MPI_Datatype sendtypes[], void *recvbuf,
			   const int recvcounts[], const MPI_Aint rdispls[],
			   const MPI_Datatype recvtypes[], MPI_Comm comm)
{
	MPI_Datatype *ls, *lr;
	int in, out, r;
	MPI_Comm lc;

	degrees(comm, true, &in, &out);
	ls = cr_mpi_alloc(out, sizeof(*ls));
	lr = cr_mpi_alloc(in, sizeof(*lr));
	CR_MPI_COLL(comm, translate(ls, sendtypes, out);
		    translate(lr, recvtypes, in);
		    lc = cr_mpi_lower_comm(comm);, r,
		    cr_mpi_low.Neighbor_alltoallw(sendbuf, sendcounts, sdispls,
						  ls, recvbuf, recvcounts,
						  rdispls, lr, lc));
	free(ls);
	free(lr);
	return r;
}
CR_MPI_ALIAS(Neighbor_alltoallw,
	     (const void *sendbuf, const int sendcounts[],
	      const MPI_Aint sdispls[], const MPI_Datatype sendtypes[],
	      void *recvbuf, const int recvcounts[], const MPI_Aint rdispls[],
	      const MPI_Datatype recvtypes[], MPI_Comm comm));

/*
 * Nonblocking and persistent ones: the lower half may read the arrays until
 * the request is complete, so they are never freed; such programs are few,
 * and the arrays small.
 */
#define ALLTOALLW(prefix, name, disp, neighbor)                               \
	int prefix##name(const void *sendbuf, const int sendcounts[],         \
			 const disp sdispls[],                                \
			 const MPI_Datatype sendtypes[], void *recvbuf,       \
			 const int recvcounts[], const disp rdispls[],        \
			 const MPI_Datatype recvtypes[], MPI_Comm comm,       \
			 MPI_Request *request)                                \
	{                                                                     \
		MPI_Datatype *ls, *lr;                                        \
		MPI_Request l = NULL;                                         \
		MPI_Comm lc;                                                  \
		int in, out, r;                                               \
                                                                              \
		degrees(comm, neighbor, &in, &out);                           \
		ls = cr_mpi_alloc(out, sizeof(*ls));                          \
		lr = cr_mpi_alloc(in, sizeof(*lr));                           \
		CR_MPI_CALL(CR_MPI_CLASS_LOCAL,                               \
			    lc = cr_mpi_lower_comm(comm);                     \
			    if (sendbuf != MPI_IN_PLACE)                      \
				    translate(ls, sendtypes, out);            \
			    translate(lr, recvtypes, in);, r,                 \
			    cr_mpi_low.name(sendbuf, sendcounts, sdispls, ls, \
					    recvbuf, recvcounts, rdispls, lr, \
					    lc, &l),                          \
			    if (r == MPI_SUCCESS) *request =                  \
				    cr_mpi_request_other(l, #prefix #name);); \
		return r;                                                     \
	}                                                                     \
	int P##prefix##name(const void *sendbuf, const int sendcounts[],      \
			    const disp sdispls[],                             \
			    const MPI_Datatype sendtypes[], void *recvbuf,    \
			    const int recvcounts[], const disp rdispls[],     \
			    const MPI_Datatype recvtypes[], MPI_Comm comm,    \
			    MPI_Request *request)                             \
		__attribute__((alias(#prefix #name)))

ALLTOALLW(MPI_, Ialltoallw, int, false);
ALLTOALLW(MPI_, Ineighbor_alltoallw, MPI_Aint, true);
