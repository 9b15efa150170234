/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * drain.c - messages in flight and requests, at the cut and at the restart
 *
 * Receives that are posted match first, inside the lower half; what comes
 * for no posted receive is taken with MPI_Improbe and MPI_Mrecv and kept.
 * By that every send of a peer completes, too.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/complete.h"
#include "mpi/drain.h"

/* Receives the matched message lm into a record. */
static struct cr_mpi_drained *take(MPI_Message lm, MPI_Status *st,
				   MPI_Comm comm, char *reason, size_t size)
{
	MPI_Datatype byte = cr_mpi_lower_type(CR_PRE(ompi_mpi_byte));
	struct cr_mpi_drained *m;
	MPI_Count n = 0;
	int r;

	CR_LOWER(cr_mpi_low.Get_elements_x(st, byte, &n));
	if (n < 0 || n > INT_MAX) {
		/* it stays matched, so it is not lost, but cannot be kept */
		snprintf(reason, size, "a message of more than 2 GiB from "
			 "rank %d is under way", st->MPI_SOURCE);
		return NULL;
	}
	m = cr_mpi_alloc(1, sizeof(*m) + n);
	m->comm = comm;
	m->source = st->MPI_SOURCE;
	m->tag = st->MPI_TAG;
	m->size = n;
	r = CR_LOWER(cr_mpi_low.Mrecv(m->data, n, byte, &lm,
				      MPI_STATUS_IGNORE));
	if (r != MPI_SUCCESS) {
		snprintf(reason, size, "a message cannot be drained: MPI "
			 "error %d", r);
		free(m);
		return NULL;
	}
	return m;
}

static int drain_comm(struct cr_mpi_object *o, char *reason, size_t size)
{
	struct cr_mpi_drained *m;
	MPI_Comm lower = o->head.lower;

	while (lower) {
		MPI_Message lm = NULL;
		MPI_Status st;
		int flag = 0;

		CR_LOWER(cr_mpi_low.Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, lower,
					    &flag, &lm, &st));
		if (!flag)
			break;
		m = take(lm, &st, o->handle, reason, size);
		if (!m)
			return -EIO;
		cr_mpi_count(cr_mpi_received, m->comm, m->source);
		cr_mpi_drained_add(m);
	}
	return 0;
}

/* Messages that the program has probed for and not received yet. */
static int drain_matched(char *reason, size_t size)
{
	struct cr_mpi_object *o;

	for (o = cr_mpi_objects[CR_MPI_MESSAGE]; o; o = o->next) {
		struct cr_mpi_message *v = (struct cr_mpi_message *)o;

		if (!o->head.lower || v->drained)
			continue;
		v->drained = take(o->head.lower, &v->status, v->comm, reason,
				  size);
		if (!v->drained)
			return -EIO;
		o->head.lower = NULL;
	}
	return 0;
}

int cr_mpi_drain(char *reason, size_t size)
{
	struct cr_mpi_object *o;
	int rc;

	rc = drain_comm(&cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_world))->o,
			reason, size);
	if (rc == 0)
		rc = drain_comm(&cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_self))->o,
				reason, size);
	for (o = cr_mpi_objects[CR_MPI_COMM]; o && rc == 0; o = o->next)
		rc = drain_comm(o, reason, size);
	if (rc == 0)
		rc = drain_matched(reason, size);
	return rc;
}

static int settle_one(struct cr_mpi_request *v, void *arg)
{
	struct cr_mpi_pending *pending = arg;
	MPI_Request l = v->o.head.lower;
	MPI_Status st = { 0 };
	int flag = 0;

	if (!v->active || v->done || !l ||
	    (!cr_mpi_receives(v) && v->type != CR_MPI_REQ_OTHER))
		return 0;
	if (v->counted && !v->matched)
		return 0;
	CR_LOWER(cr_mpi_low.Request_get_status(l, &flag, &st));
	flag = flag && cr_mpi_lower_complete(l);
	if (v->type == CR_MPI_REQ_OTHER) {
		if (!flag)
			pending->function = v->function;
		else
			v->status = st;
		v->counted = flag;
		return 0;
	}
	if (!flag) {
		pending->unfinished += v->matched;
		return 0;
	}
	v->status = st;
	if (!v->counted && !st._cancelled)
		cr_mpi_count(cr_mpi_received, v->comm,
			     v->peer == MPI_ANY_SOURCE ? st.MPI_SOURCE :
							 v->peer);
	v->counted = 1;
	v->matched = 0; /* complete: it needs nothing any more */
	if (v->orphan) {
		CR_LOWER(cr_mpi_low.Request_free(&l));
		cr_mpi_request_put(v);
	}
	return 0;
}

void cr_mpi_settle(struct cr_mpi_pending *pending)
{
	memset(pending, 0, sizeof(*pending));
	cr_mpi_request_each(settle_one, pending);
}

/* ---- at a restart ---- */

static void empty_status(MPI_Status *st)
{
	memset(st, 0, sizeof(*st));
	st->MPI_SOURCE = MPI_ANY_SOURCE;
	st->MPI_TAG = MPI_ANY_TAG;
}

static int post(struct cr_mpi_request *v)
{
	MPI_Datatype lt = cr_mpi_lower_type(v->datatype);
	MPI_Comm lc = cr_mpi_lower_comm(v->comm);
	MPI_Request l = NULL;
	int r;

	switch (v->type) {
	case CR_MPI_REQ_RECV:
		r = CR_LOWER(cr_mpi_low.Irecv(v->buf, v->count, lt, v->peer,
					      v->tag, lc, &l));
		break;
	case CR_MPI_REQ_RECV_INIT:
		r = CR_LOWER(cr_mpi_low.Recv_init(v->buf, v->count, lt,
						  v->peer, v->tag, lc, &l));
		if (r == MPI_SUCCESS && v->active && !v->counted)
			r = CR_LOWER(cr_mpi_low.Start(&l));
		break;
	default:
		switch (v->mode) {
		case CR_MPI_BUFFERED:
			r = CR_LOWER(cr_mpi_low.Bsend_init(
				v->buf, v->count, lt, v->peer, v->tag, lc,
				&l));
			break;
		case CR_MPI_SYNCHRONOUS:
			r = CR_LOWER(cr_mpi_low.Ssend_init(
				v->buf, v->count, lt, v->peer, v->tag, lc,
				&l));
			break;
		case CR_MPI_READY:
			r = CR_LOWER(cr_mpi_low.Rsend_init(
				v->buf, v->count, lt, v->peer, v->tag, lc,
				&l));
			break;
		default:
			r = CR_LOWER(cr_mpi_low.Send_init(
				v->buf, v->count, lt, v->peer, v->tag, lc,
				&l));
		}
	}
	v->o.head.lower = l;
	return r;
}

struct collected {
	struct cr_mpi_request **v;
	int n;
};

static int collect(struct cr_mpi_request *v, void *arg)
{
	struct collected *c = arg;
	bool persistent = cr_mpi_persistent(v);

	v->o.head.lower = NULL;
	if (v->active && !v->done &&
	    (v->counted || !cr_mpi_receives(v))) {
		/* all messages of the cut have arrived */
		if (!v->counted)
			empty_status(&v->status);
		v->status.MPI_ERROR = v->counted ? v->status.MPI_ERROR :
						   MPI_SUCCESS;
		v->done = 1;
	}
	if (persistent || (v->active && !v->done)) {
		c->v = realloc(c->v, (c->n + 1) * sizeof(*c->v));
		if (!c->v)
			cr_mpi_die("out of memory");
		c->v[c->n++] = v;
	}
	return 0;
}

static int by_order(const void *a, const void *b)
{
	const struct cr_mpi_request *x = *(struct cr_mpi_request *const *)a;
	const struct cr_mpi_request *y = *(struct cr_mpi_request *const *)b;

	return x->order < y->order ? -1 : x->order > y->order;
}

int cr_mpi_request_rebuild(struct cr_error *err)
{
	struct collected c = { 0 };
	int rc = 0;

	cr_mpi_request_each(collect, &c);
	/* in the order in which the program posted them: so they match */
	if (c.n)
		qsort(c.v, c.n, sizeof(*c.v), by_order);
	for (int i = 0; i < c.n && rc == 0; i++)
		if (post(c.v[i]) != MPI_SUCCESS)
			rc = cr_error_set(err, -EIO,
					  "a request cannot be made again "
					  "(peer %d, tag %d)", c.v[i]->peer,
					  c.v[i]->tag);
	free(c.v);
	return rc;
}
