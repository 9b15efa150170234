/* SPDX-License-Identifier: GPL-2.0-or-later */
/* persist.c - persistent requests and generalised ones */
#include <errno.h>

#include "mpi/set.h"

static void remember(struct cr_mpi_request *v, const void *buf, int count,
		     MPI_Datatype type, int peer, int tag, MPI_Comm comm)
{
	v->buf = (void *)buf;
	v->count = count;
	v->datatype = type;
	v->peer = peer;
	v->tag = tag;
	v->comm = comm;
	v->need_status = v->type == CR_MPI_REQ_RECV_INIT &&
			 peer == MPI_ANY_SOURCE;
}

#define INIT(Name, buffer, kind, send_mode)                                 \
	int MPI_##Name(buffer buf, int count, MPI_Datatype type, int peer,  \
		       int tag, MPI_Comm comm, MPI_Request *request)        \
	{                                                                   \
		struct cr_mpi_request *v;                                   \
		MPI_Datatype lt;                                            \
		MPI_Comm lc;                                                \
		MPI_Request lr = NULL;                                      \
		int r;                                                      \
                                                                            \
		cr_mpi_enter(CR_MPI_CLASS_LOCAL);                           \
		lt = cr_mpi_lower_type(type);                               \
		lc = cr_mpi_lower_comm(comm);                               \
		r = CR_LOWER(cr_mpi_low.Name(buf, count, lt, peer, tag, lc, \
					     &lr));                         \
		if (r == MPI_SUCCESS) {                                     \
			v = cr_mpi_request_new(kind);                       \
			v->mode = send_mode;                                \
			v->o.head.lower = lr;                               \
			remember(v, buf, count, type, peer, tag, comm);     \
			*request = (MPI_Request)v;                          \
		}                                                           \
		cr_mpi_leave();                                             \
		return r;                                                   \
	}                                                                   \
	int PMPI_##Name(buffer buf, int count, MPI_Datatype type, int peer, \
			int tag, MPI_Comm comm, MPI_Request *request)       \
		__attribute__((alias("MPI_" #Name)))

INIT(Send_init, const void *, CR_MPI_REQ_SEND_INIT, CR_MPI_STANDARD);
INIT(Bsend_init, const void *, CR_MPI_REQ_SEND_INIT, CR_MPI_BUFFERED);
INIT(Ssend_init, const void *, CR_MPI_REQ_SEND_INIT, CR_MPI_SYNCHRONOUS);
INIT(Rsend_init, const void *, CR_MPI_REQ_SEND_INIT, CR_MPI_READY);
INIT(Recv_init, void *, CR_MPI_REQ_RECV_INIT, CR_MPI_STANDARD);

int MPI_Start(MPI_Request *request)
{
	struct cr_mpi_request *v;
	struct cr_mpi_drained *m = NULL;
	MPI_Request l;
	int r = MPI_SUCCESS;

	cr_mpi_enter(CR_MPI_CLASS_SEND);
	v = cr_mpi_request_of(*request);
	while (v->type == CR_MPI_REQ_RECV_INIT && cr_mpi_n_drained &&
	       cr_mpi_drained_take(v->peer, v->tag, v->comm, &m) < 0) {
		cr_mpi_leave();
		cr_mpi_enter(CR_MPI_CLASS_SEND);
	}
	if (m) {
		v->done = v->counted = v->active = 1;
		v->status.MPI_ERROR = cr_mpi_drained_deliver(
			m, v->buf, v->count, v->datatype, &v->status);
	} else {
		l = v->o.head.lower;
		r = CR_LOWER(cr_mpi_low.Start(&l));
		if (r == MPI_SUCCESS && !v->o.head.predefined) {
			v->o.head.lower = l;
			v->active = 1;
			v->order = cr_mpi_request_order();
			if (v->type == CR_MPI_REQ_SEND_INIT)
				cr_mpi_count(cr_mpi_sent, v->comm, v->peer);
		}
	}
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Start, (MPI_Request * request));

int MPI_Startall(int n, MPI_Request requests[])
{
	int r = MPI_SUCCESS;

	for (int i = 0; i < n && r == MPI_SUCCESS; i++)
		r = PMPI_Start(&requests[i]);
	return r;
}
CR_MPI_ALIAS(Startall, (int n, MPI_Request requests[]));

/*
 * Generalised requests need the program's functions called from inside the
 * lower half on completion; not supported yet, and never half done.
 */
int MPI_Grequest_start(MPI_Grequest_query_function *query,
		       MPI_Grequest_free_function *free_fn,
		       MPI_Grequest_cancel_function *cancel, void *extra,
		       MPI_Request *request)
{
	cr_mpi_die("MPI_Grequest_start is not supported under libcr_mpi");
}
CR_MPI_ALIAS(Grequest_start,
	     (MPI_Grequest_query_function * query,
	      MPI_Grequest_free_function *free_fn,
	      MPI_Grequest_cancel_function *cancel, void *extra,
	      MPI_Request *request));

int MPI_Grequest_complete(MPI_Request request)
{
	cr_mpi_die("MPI_Grequest_complete without MPI_Grequest_start");
}
CR_MPI_ALIAS(Grequest_complete, (MPI_Request request));
