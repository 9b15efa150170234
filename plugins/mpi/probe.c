/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe.c - probes and matched receives
 *
 * A blocking probe is a loop of nonblocking ones, as it is inside Open MPI:
 * the message that it waits for may be drained by a cut meanwhile.
 */
#include <stdlib.h>

#include "mpi/set.h"

int MPI_Iprobe(int source, int tag, MPI_Comm comm, int *flag,
	       MPI_Status *status)
{
	MPI_Comm lc;
	int r = MPI_SUCCESS;

	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	if (cr_mpi_n_drained &&
	    cr_mpi_drained_probe(source, tag, comm, status)) {
		*flag = 1;
	} else {
		lc = cr_mpi_lower_comm(comm);
		r = CR_LOWER(cr_mpi_low.Iprobe(source, tag, lc, flag, status));
	}
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Iprobe, (int source, int tag, MPI_Comm comm, int *flag,
		      MPI_Status *status));

int MPI_Probe(int source, int tag, MPI_Comm comm, MPI_Status *status)
{
	int r, flag = 0;

	do {
		r = PMPI_Iprobe(source, tag, comm, &flag, status);
	} while (r == MPI_SUCCESS && !flag);
	return r;
}
CR_MPI_ALIAS(Probe, (int source, int tag, MPI_Comm comm, MPI_Status *status));

static MPI_Message message_new(MPI_Comm comm, const MPI_Status *status,
			       MPI_Message lower,
			       struct cr_mpi_drained *drained)
{
	struct cr_mpi_message *m = cr_mpi_alloc(1, sizeof(*m));

	cr_mpi_object_init(&m->o, CR_MPI_MESSAGE);
	m->o.head.lower = lower;
	m->comm = comm;
	m->source = drained ? drained->source : status->MPI_SOURCE;
	if (status)
		m->status = *status;
	m->drained = drained;
	return (MPI_Message)m;
}

int MPI_Improbe(int source, int tag, MPI_Comm comm, int *flag,
		MPI_Message *message, MPI_Status *status)
{
	struct cr_mpi_drained *m = NULL;
	MPI_Message lm = NULL, none;
	MPI_Status st;
	MPI_Comm lc;
	int r = MPI_SUCCESS, got;

	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	while (cr_mpi_n_drained) {
		cr_mpi_drained_probe(source, tag, comm, status);
		got = cr_mpi_drained_take(source, tag, comm, &m);
		if (got >= 0)
			break;
		cr_mpi_leave();
		cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	}
	if (m) {
		*flag = 1;
		*message = message_new(comm, NULL, NULL, m);
		cr_mpi_leave();
		return r;
	}
	lc = cr_mpi_lower_comm(comm);
	none = cr_mpi_lower(CR_PRE(ompi_message_no_proc));
	r = CR_LOWER(cr_mpi_low.Improbe(source, tag, lc, flag, &lm, &st));
	if (r == MPI_SUCCESS && *flag) {
		if (status != MPI_STATUS_IGNORE) {
			st.MPI_ERROR = status->MPI_ERROR;
			*status = st;
		}
		if (lm == none) {
			*message = CR_PRE(ompi_message_no_proc);
		} else {
			/* matched: no drain will see it any more */
			cr_mpi_count(cr_mpi_received, comm, st.MPI_SOURCE);
			*message = message_new(comm, &st, lm, NULL);
		}
	}
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Improbe, (int source, int tag, MPI_Comm comm, int *flag,
		       MPI_Message *message, MPI_Status *status));

int MPI_Mprobe(int source, int tag, MPI_Comm comm, MPI_Message *message,
	       MPI_Status *status)
{
	int r, flag = 0;

	do {
		r = PMPI_Improbe(source, tag, comm, &flag, message, status);
	} while (r == MPI_SUCCESS && !flag);
	return r;
}
CR_MPI_ALIAS(Mprobe, (int source, int tag, MPI_Comm comm,
		      MPI_Message *message, MPI_Status *status));

static void message_end(MPI_Message *message)
{
	struct cr_mpi_message *m = (struct cr_mpi_message *)*message;

	if (!m->o.head.predefined) {
		m->o.head.lower = NULL; /* was never hashed */
		cr_mpi_object_destroy(&m->o);
	}
	*message = CR_PRE(ompi_message_null);
}

int MPI_Imrecv(void *buf, int count, MPI_Datatype type, MPI_Message *message,
	       MPI_Request *request)
{
	struct cr_mpi_message *m;
	struct cr_mpi_request *v;
	MPI_Request lr = NULL;
	MPI_Message lm;
	MPI_Datatype lt;
	int r = MPI_SUCCESS;

	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	m = CR_MPI_OBJECT(cr_mpi_message, *message);
	lm = m->o.head.lower;
	lt = cr_mpi_lower_type(type);
	if (!m->drained)
		r = CR_LOWER(cr_mpi_low.Imrecv(buf, count, lt, &lm, &lr));
	if (r == MPI_SUCCESS) {
		v = cr_mpi_request_new(CR_MPI_REQ_RECV);
		v->o.head.lower = lr;
		v->active = v->counted = 1;
		v->peer = m->source;
		v->comm = m->comm;
		v->buf = buf;
		v->count = count;
		v->datatype = type;
		if (m->drained) {
			v->done = 1;
			v->status.MPI_ERROR = cr_mpi_drained_deliver(
				m->drained, buf, count, type, &v->status);
		}
		v->matched = 1;
		message_end(message);
		*request = (MPI_Request)v;
	}
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Imrecv, (void *buf, int count, MPI_Datatype type,
		      MPI_Message *message, MPI_Request *request));

/* As the message is here, receiving it does not wait for anybody else. */
int MPI_Mrecv(void *buf, int count, MPI_Datatype type, MPI_Message *message,
	      MPI_Status *status)
{
	struct cr_mpi_message *m;
	MPI_Message lm;
	MPI_Datatype lt;
	int r;

	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	m = CR_MPI_OBJECT(cr_mpi_message, *message);
	if (m->drained) {
		r = cr_mpi_drained_deliver(m->drained, buf, count, type,
					   status);
		message_end(message);
	} else {
		lm = m->o.head.lower;
		lt = cr_mpi_lower_type(type);
		r = CR_LOWER(cr_mpi_low.Mrecv(buf, count, lt, &lm, status));
		if (lm != m->o.head.lower)
			message_end(message);
	}
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Mrecv, (void *buf, int count, MPI_Datatype type,
		     MPI_Message *message, MPI_Status *status));
