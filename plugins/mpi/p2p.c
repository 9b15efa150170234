/* SPDX-License-Identifier: GPL-2.0-or-later */
/* p2p.c - sends and receives, blocking and not */
#include <errno.h>
#include <stdlib.h>

#include "mpi/objects.h"
#include "mpi/request.h"

/* ---- sends: they come back by themselves, at the latest when drained ---- */

#define SEND(Name)                                                           \
	int MPI_##Name(const void *buf, int count, MPI_Datatype type,        \
		       int dest, int tag, MPI_Comm comm)                     \
	{                                                                    \
		MPI_Datatype lt;                                             \
		MPI_Comm lc;                                                 \
		struct cr_mpi_thread *me = cr_mpi_me();                      \
		int r;                                                       \
                                                                             \
		cr_mpi_enter_as(me, CR_MPI_CLASS_SEND);                      \
		lt = cr_mpi_lower_type(type);                                \
		lc = cr_mpi_lower_comm(comm);                                \
		r = CR_LOWER(cr_mpi_low.Name(buf, count, lt, dest, tag, lc)); \
		if (r == MPI_SUCCESS)                                        \
			cr_mpi_count(cr_mpi_sent, comm, dest);               \
		cr_mpi_leave_as(me);                                         \
		return r;                                                    \
	}                                                                    \
	int PMPI_##Name(const void *buf, int count, MPI_Datatype type,       \
			int dest, int tag, MPI_Comm comm)                    \
		__attribute__((alias("MPI_" #Name)))

SEND(Send);
SEND(Bsend);
SEND(Ssend);
SEND(Rsend);

#define ISEND(Name)                                                          \
	int MPI_##Name(const void *buf, int count, MPI_Datatype type,        \
		       int dest, int tag, MPI_Comm comm,                     \
		       MPI_Request *request)                                 \
	{                                                                    \
		struct cr_mpi_request *v;                                    \
		MPI_Datatype lt;                                             \
		MPI_Comm lc;                                                 \
		MPI_Request lr = NULL;                                       \
		struct cr_mpi_thread *me = cr_mpi_me();                      \
		int r;                                                       \
                                                                             \
		cr_mpi_enter_as(me, CR_MPI_CLASS_SEND);                      \
		lt = cr_mpi_lower_type(type);                                \
		lc = cr_mpi_lower_comm(comm);                                \
		r = CR_LOWER(cr_mpi_low.Name(buf, count, lt, dest, tag, lc,  \
					     &lr));                          \
		if (r == MPI_SUCCESS) {                                      \
			cr_mpi_count(cr_mpi_sent, comm, dest);               \
			v = cr_mpi_request_new(CR_MPI_REQ_SEND);             \
			v->active = 1;                                       \
			v->o.head.lower = lr;                                \
			*request = (MPI_Request)v;                           \
		}                                                            \
		cr_mpi_leave_as(me);                                         \
		return r;                                                    \
	}                                                                    \
	int PMPI_##Name(const void *buf, int count, MPI_Datatype type,       \
			int dest, int tag, MPI_Comm comm,                    \
			MPI_Request *request)                                \
		__attribute__((alias("MPI_" #Name)))

ISEND(Isend);
ISEND(Ibsend);
ISEND(Issend);
ISEND(Irsend);

/* ---- receives ---- */

int MPI_Irecv(void *buf, int count, MPI_Datatype type, int source, int tag,
	      MPI_Comm comm, MPI_Request *request)
{
	struct cr_mpi_request *v;
	struct cr_mpi_drained *m = NULL;
	MPI_Request lr = NULL;
	MPI_Datatype lt;
	MPI_Comm lc;
	int r = MPI_SUCCESS;

	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	while (__builtin_expect(cr_mpi_n_drained, 0) &&
	       cr_mpi_drained_take(source, tag, comm, &m) < 0) {
		cr_mpi_leave();
		cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	}
	lt = cr_mpi_lower_type(type);
	lc = cr_mpi_lower_comm(comm);
	if (__builtin_expect(!m, 1))
		r = CR_LOWER(cr_mpi_low.Irecv(buf, count, lt, source, tag, lc,
					      &lr));
	if (r == MPI_SUCCESS) {
		v = cr_mpi_request_new(CR_MPI_REQ_RECV);
		v->o.head.lower = lr;
		v->buf = buf;
		v->count = count;
		v->datatype = type;
		v->peer = source;
		v->tag = tag;
		v->comm = comm;
		v->need_status = source == MPI_ANY_SOURCE;
		v->order = cr_mpi_request_order();
		v->active = 1;
		if (__builtin_expect(m != NULL, 0)) {
			v->done = v->counted = 1;
			v->status.MPI_ERROR = cr_mpi_drained_deliver(
				m, buf, count, type, &v->status);
		}
		*request = (MPI_Request)v;
	}
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Irecv, (void *buf, int count, MPI_Datatype type, int source,
		     int tag, MPI_Comm comm, MPI_Request *request));

int MPI_Recv(void *buf, int count, MPI_Datatype type, int source, int tag,
	     MPI_Comm comm, MPI_Status *status)
{
	struct cr_mpi_thread *me;
	struct cr_mpi_drained *m = NULL;
	MPI_Status own, *s = status == MPI_STATUS_IGNORE ? &own : status;
	MPI_Datatype lt;
	MPI_Comm lc;
	int r, error;

	if (cr_mpi_multiple) {
		/*
		 * Others may be inside while libcr's thread drains: the
		 * receive must be seen to be posted (or not) by then.
		 */
		MPI_Request request;

		r = PMPI_Irecv(buf, count, type, source, tag, comm, &request);
		return r == MPI_SUCCESS ? PMPI_Wait(&request, status) : r;
	}
	error = s->MPI_ERROR;
	me = cr_mpi_me();
	CR_MPI_SAVE(me);
again:
	m = NULL;
	cr_mpi_enter_blocking(me, CR_MPI_CLASS_RECV, NULL);
	if (__builtin_expect(cr_mpi_n_drained, 0)) {
		r = cr_mpi_drained_take(source, tag, comm, &m);
		if (r < 0) {
			cr_mpi_leave_blocking(me);
			goto again;
		}
	}
	if (__builtin_expect(m != NULL, 0)) {
		r = cr_mpi_drained_deliver(m, buf, count, type, s);
		cr_mpi_pass_gate(me);
	} else {
		lt = cr_mpi_lower_type(type);
		lc = cr_mpi_lower_comm(comm);
		s->MPI_SOURCE = MPI_PROC_NULL;
		r = CR_LOWER(cr_mpi_low.Recv(buf, count, lt, source, tag, lc,
					     s));
		cr_mpi_pass_gate(me);
		cr_mpi_count(cr_mpi_received, comm, s->MPI_SOURCE);
	}
	s->MPI_ERROR = error; /* single calls leave it alone */
	cr_mpi_leave_blocking(me);
	/* of others the lower half has told */
	return m && r != MPI_SUCCESS ? cr_mpi_error(comm, r) : r;
}
CR_MPI_ALIAS(Recv, (void *buf, int count, MPI_Datatype type, int source,
		    int tag, MPI_Comm comm, MPI_Status *status));

/* ---- both: in parts, so that the send part is never done twice ---- */

int MPI_Sendrecv(const void *sendbuf, int sendcount, MPI_Datatype sendtype,
		 int dest, int sendtag, void *recvbuf, int recvcount,
		 MPI_Datatype recvtype, int source, int recvtag, MPI_Comm comm,
		 MPI_Status *status)
{
	MPI_Request request;
	int r, r2;

	r = PMPI_Irecv(recvbuf, recvcount, recvtype, source, recvtag, comm,
		      &request);
	if (r != MPI_SUCCESS)
		return r;
	r = PMPI_Send(sendbuf, sendcount, sendtype, dest, sendtag, comm);
	if (r != MPI_SUCCESS) {
		PMPI_Cancel(&request);
		PMPI_Request_free(&request);
		return r;
	}
	r2 = PMPI_Wait(&request, status);
	return r2;
}
CR_MPI_ALIAS(Sendrecv,
	     (const void *sendbuf, int sendcount, MPI_Datatype sendtype,
	      int dest, int sendtag, void *recvbuf, int recvcount,
	      MPI_Datatype recvtype, int source, int recvtag, MPI_Comm comm,
	      MPI_Status *status));

int MPI_Sendrecv_replace(void *buf, int count, MPI_Datatype type, int dest,
			 int sendtag, int source, int recvtag, MPI_Comm comm,
			 MPI_Status *status)
{
	int size = 0, position = 0, r;
	void *copy;

	r = PMPI_Pack_size(count, type, comm, &size);
	if (r != MPI_SUCCESS)
		return r;
	copy = cr_mpi_alloc(size, 1);
	r = PMPI_Pack(buf, count, type, copy, size, &position, comm);
	if (r == MPI_SUCCESS)
		r = PMPI_Sendrecv(copy, position, CR_PRE(ompi_mpi_packed), dest,
				 sendtag, buf, count, type, source, recvtag,
				 comm, status);
	free(copy);
	return r;
}
CR_MPI_ALIAS(Sendrecv_replace,
	     (void *buf, int count, MPI_Datatype type, int dest, int sendtag,
	      int source, int recvtag, MPI_Comm comm, MPI_Status *status));
