/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * coll.c - collectives that overwrite their input, and those with arrays of
 * datatypes
 *
 * A collective that is rolled back is done again from its start, so what it
 * read must still be there.  With MPI_IN_PLACE it has been overwritten: a
 * copy is kept until the thread is back, and a restarted call begins by
 * putting it back.
 */
#include <stdlib.h>
#include <string.h>

#include "mpi/objects.h"
#include "mpi/type.h"

/* Copy of count elements at buf, with all gaps between them. */
struct keep {
	char *copy, *from;
	size_t size;
	char small[1024];
};

static void keep(struct keep *k, void *buf, long count, MPI_Datatype type)
{
	MPI_Aint lb = 0, extent = 0, true_lb = 0, true_extent = 0;

	k->size = 0;
	k->copy = k->small;
	PMPI_Type_get_extent(type, &lb, &extent);
	PMPI_Type_get_true_extent(type, &true_lb, &true_extent);
	if (count <= 0 || extent < 0)
		return;
	k->from = (char *)buf + true_lb;
	k->size = true_extent + (count - 1) * extent;
	if (k->size > sizeof(k->small))
		k->copy = cr_mpi_alloc(k->size, 1);
	memcpy(k->copy, k->from, k->size);
}

static void put_back(struct keep *k)
{
	memcpy(k->from, k->copy, k->size);
}

static void forget(struct keep *k)
{
	if (k->copy != k->small)
		free(k->copy);
}

/*
 * A collective with translate and call as CR_MPI_COLL has them; in_place:
 * count elements of type at buf are input too.
 */
#define REDUCE(comm, in_place, buf, count, type, r, translate, call)      \
	do {                                                              \
		struct keep k_;                                           \
		if (!(in_place)) {                                        \
			CR_MPI_COLL(comm, translate, r, call);            \
		} else {                                                  \
			keep(&k_, buf, count, type);                      \
			CR_MPI_COLL(comm, put_back(&k_); translate, r,    \
				    call);                                \
			forget(&k_);                                      \
		}                                                         \
	} while (0)

static long sum(const int *counts, int n)
{
	long total = 0;

	for (int i = 0; i < n; i++)
		total += counts[i];
	return total;
}

#define TRANSLATE                        \
	lt = cr_mpi_lower_type(type);    \
	lo = cr_mpi_lower_op(op);        \
	lc = cr_mpi_lower_comm(comm);

/* from everybody, for everybody */
#define REDUCTION(Name)                                                   \
	int MPI_##Name(const void *sendbuf, void *recvbuf, int count,     \
		       MPI_Datatype type, MPI_Op op, MPI_Comm comm)       \
	{                                                                 \
		MPI_Datatype lt;                                          \
		MPI_Comm lc;                                              \
		MPI_Op lo;                                                \
		int r;                                                    \
                                                                          \
		REDUCE(comm, sendbuf == MPI_IN_PLACE, recvbuf, count,     \
		       type, r, TRANSLATE,                                \
		       cr_mpi_low.Name(sendbuf, recvbuf, count, lt, lo,   \
				       lc));                              \
		return r;                                                 \
	}                                                                 \
	int PMPI_##Name(const void *sendbuf, void *recvbuf, int count,    \
			MPI_Datatype type, MPI_Op op, MPI_Comm comm)      \
		__attribute__((alias("MPI_" #Name)))

REDUCTION(Allreduce);
REDUCTION(Scan);
REDUCTION(Exscan);

int MPI_Reduce(const void *sendbuf, void *recvbuf, int count,
	       MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm)
{
	MPI_Datatype lt;
	MPI_Comm lc;
	MPI_Op lo;
	int r;

	REDUCE(comm, sendbuf == MPI_IN_PLACE, recvbuf, count, type, r,
	       TRANSLATE,
	       cr_mpi_low.Reduce(sendbuf, recvbuf, count, lt, lo, root, lc));
	return r;
}
CR_MPI_ALIAS(Reduce, (const void *sendbuf, void *recvbuf, int count,
		      MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm));

int MPI_Reduce_scatter(const void *sendbuf, void *recvbuf,
		       const int recvcounts[], MPI_Datatype type, MPI_Op op,
		       MPI_Comm comm)
{
	MPI_Datatype lt;
	MPI_Comm lc;
	MPI_Op lo;
	int r;

	REDUCE(comm, sendbuf == MPI_IN_PLACE, recvbuf,
	       sum(recvcounts, cr_mpi_comm_of(comm)->size), type, r, TRANSLATE,
	       cr_mpi_low.Reduce_scatter(sendbuf, recvbuf, recvcounts, lt, lo,
					 lc));
	return r;
}
CR_MPI_ALIAS(Reduce_scatter,
	     (const void *sendbuf, void *recvbuf, const int recvcounts[],
	      MPI_Datatype type, MPI_Op op, MPI_Comm comm));

int MPI_Reduce_scatter_block(const void *sendbuf, void *recvbuf, int count,
			     MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
	MPI_Datatype lt;
	MPI_Comm lc;
	MPI_Op lo;
	int r;

	REDUCE(comm, sendbuf == MPI_IN_PLACE, recvbuf,
	       (long)count * cr_mpi_comm_of(comm)->size, type, r, TRANSLATE,
	       cr_mpi_low.Reduce_scatter_block(sendbuf, recvbuf, count, lt, lo,
					       lc));
	return r;
}
CR_MPI_ALIAS(Reduce_scatter_block,
	     (const void *sendbuf, void *recvbuf, int count, MPI_Datatype type,
	      MPI_Op op, MPI_Comm comm));

int MPI_Alltoall(const void *sendbuf, int sendcount, MPI_Datatype sendtype,
		 void *recvbuf, int recvcount, MPI_Datatype recvtype,
		 MPI_Comm comm)
{
	MPI_Datatype ls, lr;
	MPI_Comm lc;
	int r;

	REDUCE(comm, sendbuf == MPI_IN_PLACE, recvbuf,
	       (long)recvcount * cr_mpi_comm_of(comm)->size, recvtype, r,
	       ls = cr_mpi_lower_type(sendtype);
	       lr = cr_mpi_lower_type(recvtype);
	       lc = cr_mpi_lower_comm(comm);,
	       cr_mpi_low.Alltoall(sendbuf, sendcount, ls, recvbuf, recvcount,
				   lr, lc));
	return r;
}
CR_MPI_ALIAS(Alltoall, (const void *sendbuf, int sendcount,
			MPI_Datatype sendtype, void *recvbuf, int recvcount,
			MPI_Datatype recvtype, MPI_Comm comm));

/* Elements that Alltoallv in place reads and writes, from recvbuf on. */
static long reach(const int *counts, const int *displs, int n)
{
	long end = 0;

	for (int i = 0; i < n; i++)
		if (counts[i] > 0 && (long)displs[i] + counts[i] > end)
			end = (long)displs[i] + counts[i];
	return end;
}

int MPI_Alltoallv(const void *sendbuf, const int sendcounts[],
		  const int sdispls[], MPI_Datatype sendtype, void *recvbuf,
		  const int recvcounts[], const int rdispls[],
		  MPI_Datatype recvtype, MPI_Comm comm)
{
	MPI_Datatype ls, lr;
	MPI_Comm lc;
	int r;

	REDUCE(comm, sendbuf == MPI_IN_PLACE, recvbuf,
	       reach(recvcounts, rdispls, cr_mpi_comm_of(comm)->size),
	       recvtype, r, ls = cr_mpi_lower_type(sendtype);
	       lr = cr_mpi_lower_type(recvtype);
	       lc = cr_mpi_lower_comm(comm);,
	       cr_mpi_low.Alltoallv(sendbuf, sendcounts, sdispls, ls, recvbuf,
				    recvcounts, rdispls, lr, lc));
	return r;
}
CR_MPI_ALIAS(Alltoallv,
	     (const void *sendbuf, const int sendcounts[], const int sdispls[],
	      MPI_Datatype sendtype, void *recvbuf, const int recvcounts[],
	      const int rdispls[], MPI_Datatype recvtype, MPI_Comm comm));
