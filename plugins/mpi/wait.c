/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wait.c - waiting for requests: native blocking calls, rolled back
 *
 * With MPI_THREAD_MULTIPLE libcr's thread looks at requests while others are
 * inside; there a request must not be completed and freed at any moment, so
 * waiting is testing again and again, each time through the border.
 */
#include "mpi/objects.h"
#include "mpi/set.h"

/* Outside: an error of a request that was done without the lower half. */
static int tell_error(MPI_Comm comm, int error)
{
	return error == MPI_SUCCESS ? error : cr_mpi_error(comm, error);
}

/* Status of a single call: MPI_ERROR is left alone. */
static int take_done(MPI_Request *request, MPI_Status *status)
{
	MPI_Status st = cr_mpi_request_of(*request)->status;
	int error = st.MPI_ERROR;

	if (status != MPI_STATUS_IGNORE) {
		st.MPI_ERROR = status->MPI_ERROR;
		*status = st;
	}
	cr_mpi_request_finish(request, &st);
	return error;
}

int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
	struct cr_mpi_thread *me;
	struct cr_mpi_request *v;
	MPI_Status own, *s;
	MPI_Request l;
	int r;

	if (cr_mpi_multiple) {
		int flag = 0;

		do {
			r = PMPI_Test(request, &flag, status);
		} while (r == MPI_SUCCESS && !flag);
		return r;
	}
	me = cr_mpi_me();
	CR_MPI_SAVE(me);
	cr_mpi_enter_blocking(me, CR_MPI_CLASS_RECV, NULL);
	v = cr_mpi_request_of(*request);
	if (__builtin_expect(v->done, 0)) {
		MPI_Comm comm = v->comm;

		cr_mpi_pass_gate(me);
		r = take_done(request, status);
		cr_mpi_leave_blocking(me);
		return tell_error(comm, r);
	}
	s = status == MPI_STATUS_IGNORE && v->need_status ? &own : status;
	l = v->o.head.lower;
	r = CR_LOWER(cr_mpi_low.Wait(&l, s));
	cr_mpi_pass_gate(me);
	if (l != v->o.head.lower || cr_mpi_persistent(v))
		cr_mpi_request_finish(request, s);
	cr_mpi_leave_blocking(me);
	return r;
}
CR_MPI_ALIAS(Wait, (MPI_Request * request, MPI_Status *status));

/* After Waitall, or Testall that was true: takes what is complete. */
int cr_mpi_set_all_finish(struct cr_mpi_set *s, int r)
{
	bool all = r == MPI_SUCCESS;
	int error = MPI_SUCCESS;

	for (int i = 0; i < s->n; i++) {
		struct cr_mpi_request *v = cr_mpi_request_of(s->requests[i]);
		MPI_Status *st = s->statuses == MPI_STATUSES_IGNORE ?
					 MPI_STATUS_IGNORE : &s->statuses[i];

		if (v->done) {
			if (cr_mpi_set_take_done(s, i, st) != MPI_SUCCESS)
				error = MPI_ERR_IN_STATUS;
			else if (st != MPI_STATUS_IGNORE)
				st->MPI_ERROR = MPI_SUCCESS;
			continue;
		}
		if (all || s->lower[i] != v->o.head.lower ||
		    (cr_mpi_persistent(v) && st != MPI_STATUS_IGNORE &&
		     st->MPI_ERROR != MPI_ERR_PENDING))
			cr_mpi_set_finish(s, i, st);
	}
	return r == MPI_SUCCESS ? error : r;
}

int MPI_Waitall(int n, MPI_Request requests[], MPI_Status *statuses)
{
	struct cr_mpi_set s;
	int r;

	if (cr_mpi_multiple) {
		int flag = 0;

		do {
			r = PMPI_Testall(n, requests, &flag, statuses);
		} while (r == MPI_SUCCESS && !flag);
		return r;
	}
	cr_mpi_set_begin(&s, n, requests, statuses, false);
	CR_MPI_BLOCKING(CR_MPI_CLASS_RECV, NULL, cr_mpi_set_fill(&s);, r,
			cr_mpi_low.Waitall(n, s.lower, s.statuses),
			r = cr_mpi_set_all_finish(&s, r););
	cr_mpi_set_end(&s);
	return r;
}
CR_MPI_ALIAS(Waitall, (int n, MPI_Request requests[], MPI_Status *statuses));

/* Index of the first that is done without the lower half. */
static int first_done(struct cr_mpi_set *s)
{
	for (int i = 0; i < s->n; i++)
		if (cr_mpi_request_of(s->requests[i])->done)
			return i;
	return MPI_UNDEFINED;
}

int MPI_Waitany(int n, MPI_Request requests[], int *index, MPI_Status *status)
{
	struct cr_mpi_thread *me;
	struct cr_mpi_set s;
	MPI_Status st;
	int r, i = MPI_UNDEFINED;

	if (cr_mpi_multiple) {
		int flag = 0;

		do {
			r = PMPI_Testany(n, requests, index, &flag, status);
		} while (r == MPI_SUCCESS && !flag);
		return r;
	}
	cr_mpi_set_begin(&s, n, requests, MPI_STATUSES_IGNORE, false);
	me = cr_mpi_me();
	CR_MPI_SAVE(me);
	cr_mpi_enter_blocking(me, CR_MPI_CLASS_RECV, NULL);
	cr_mpi_set_fill(&s);
	if (s.n_done) {
		cr_mpi_pass_gate(me);
		i = first_done(&s);
		r = take_done(&requests[i], status);
	} else {
		r = CR_LOWER(cr_mpi_low.Waitany(n, s.lower, &i, &st));
		cr_mpi_pass_gate(me);
		if (status != MPI_STATUS_IGNORE) {
			st.MPI_ERROR = status->MPI_ERROR;
			*status = st;
		}
		if (i >= 0 && i < s.n)
			cr_mpi_set_finish(&s, i, &st);
	}
	cr_mpi_leave_blocking(me);
	cr_mpi_set_end(&s);
	*index = i;
	return r;
}
CR_MPI_ALIAS(Waitany, (int n, MPI_Request requests[], int *index,
		       MPI_Status *status));

/* Takes the out[] of Waitsome or Testsome, and those done without it. */
static int finish_some(struct cr_mpi_set *s, int r, int *outcount,
		       int indices[])
{
	int count = *outcount == MPI_UNDEFINED ? 0 : *outcount;

	for (int k = 0; k < count; k++)
		cr_mpi_set_finish(s, indices[k], &s->statuses[k]);
	for (int i = 0; s->n_done && i < s->n; i++) {
		if (!cr_mpi_request_of(s->requests[i])->done)
			continue;
		if (cr_mpi_set_take_done(s, i, &s->statuses[count]) !=
		    MPI_SUCCESS)
			r = MPI_ERR_IN_STATUS;
		indices[count++] = i;
		s->n_done--;
		*outcount = count;
	}
	return r;
}

int MPI_Waitsome(int n, MPI_Request requests[], int *outcount, int indices[],
		 MPI_Status statuses[])
{
	struct cr_mpi_thread *me;
	struct cr_mpi_set s;
	int r;

	if (cr_mpi_multiple) {
		do {
			r = PMPI_Testsome(n, requests, outcount, indices,
					  statuses);
		} while (r == MPI_SUCCESS && *outcount == 0);
		return r;
	}
	cr_mpi_set_begin(&s, n, requests, statuses, true);
	me = cr_mpi_me();
	CR_MPI_SAVE(me);
	cr_mpi_enter_blocking(me, CR_MPI_CLASS_RECV, NULL);
	cr_mpi_set_fill(&s);
	if (s.n_done)
		r = CR_LOWER(cr_mpi_low.Testsome(n, s.lower, outcount, indices,
						 s.statuses));
	else
		r = CR_LOWER(cr_mpi_low.Waitsome(n, s.lower, outcount, indices,
						 s.statuses));
	cr_mpi_pass_gate(me);
	r = finish_some(&s, r, outcount, indices);
	cr_mpi_leave_blocking(me);
	cr_mpi_set_end(&s);
	return r;
}
CR_MPI_ALIAS(Waitsome, (int n, MPI_Request requests[], int *outcount,
			int indices[], MPI_Status statuses[]));

int MPI_Testsome(int n, MPI_Request requests[], int *outcount, int indices[],
		 MPI_Status statuses[])
{
	struct cr_mpi_set s;
	int r;

	cr_mpi_set_begin(&s, n, requests, statuses, true);
	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	cr_mpi_set_fill(&s);
	r = CR_LOWER(cr_mpi_low.Testsome(n, s.lower, outcount, indices,
					 s.statuses));
	r = finish_some(&s, r, outcount, indices);
	cr_mpi_leave();
	cr_mpi_set_end(&s);
	return r;
}
CR_MPI_ALIAS(Testsome, (int n, MPI_Request requests[], int *outcount,
			int indices[], MPI_Status statuses[]));

int MPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
{
	struct cr_mpi_request *v;
	MPI_Status own, *s;
	MPI_Request l;
	int r;

	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	v = cr_mpi_request_of(*request);
	if (__builtin_expect(v->done, 0)) {
		MPI_Comm comm = v->comm;

		r = take_done(request, status);
		*flag = 1;
		cr_mpi_leave();
		return tell_error(comm, r);
	}
	s = status == MPI_STATUS_IGNORE && v->need_status ? &own : status;
	l = v->o.head.lower;
	r = CR_LOWER(cr_mpi_low.Test(&l, flag, s));
	if (l != v->o.head.lower || (*flag && cr_mpi_persistent(v)))
		cr_mpi_request_finish(request, s);
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Test, (MPI_Request * request, int *flag, MPI_Status *status));

int MPI_Testall(int n, MPI_Request requests[], int *flag,
		MPI_Status statuses[])
{
	struct cr_mpi_set s;
	int r;

	cr_mpi_set_begin(&s, n, requests, statuses, false);
	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	cr_mpi_set_fill(&s);
	r = CR_LOWER(cr_mpi_low.Testall(n, s.lower, flag, s.statuses));
	if (*flag || r != MPI_SUCCESS)
		r = cr_mpi_set_all_finish(&s, r);
	cr_mpi_leave();
	cr_mpi_set_end(&s);
	return r;
}
CR_MPI_ALIAS(Testall, (int n, MPI_Request requests[], int *flag,
		       MPI_Status statuses[]));

int MPI_Testany(int n, MPI_Request requests[], int *index, int *flag,
		MPI_Status *status)
{
	struct cr_mpi_set s;
	MPI_Status st;
	int r, i = MPI_UNDEFINED;

	cr_mpi_set_begin(&s, n, requests, MPI_STATUSES_IGNORE, false);
	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	cr_mpi_set_fill(&s);
	if (s.n_done) {
		i = first_done(&s);
		*flag = 1;
		r = take_done(&requests[i], status);
	} else {
		r = CR_LOWER(cr_mpi_low.Testany(n, s.lower, &i, flag, &st));
		if (status != MPI_STATUS_IGNORE && *flag) {
			st.MPI_ERROR = status->MPI_ERROR;
			*status = st;
		}
		if (*flag && i >= 0 && i < s.n)
			cr_mpi_set_finish(&s, i, &st);
	}
	cr_mpi_leave();
	cr_mpi_set_end(&s);
	*index = i;
	return r;
}
CR_MPI_ALIAS(Testany, (int n, MPI_Request requests[], int *index, int *flag,
		       MPI_Status *status));

int MPI_Request_get_status(MPI_Request request, int *flag, MPI_Status *status)
{
	struct cr_mpi_request *v;
	MPI_Request l;
	int r = MPI_SUCCESS;

	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	v = cr_mpi_request_of(request);
	if (v->done) {
		*flag = 1;
		if (status != MPI_STATUS_IGNORE)
			*status = v->status;
	} else {
		l = v->o.head.lower;
		r = CR_LOWER(cr_mpi_low.Request_get_status(l, flag, status));
	}
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Request_get_status,
	     (MPI_Request request, int *flag, MPI_Status *status));

int MPI_Cancel(MPI_Request *request)
{
	struct cr_mpi_request *v;
	MPI_Request l;
	int r = MPI_SUCCESS;

	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	v = cr_mpi_request_of(*request);
	if (!v->done) { /* else too late */
		l = v->o.head.lower;
		v->need_status = 1;
		r = CR_LOWER(cr_mpi_low.Cancel(&l));
	}
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Cancel, (MPI_Request * request));

int MPI_Request_free(MPI_Request *request)
{
	struct cr_mpi_request *v;
	MPI_Request l;
	int r = MPI_SUCCESS;

	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	v = cr_mpi_request_of(*request);
	if (!v->done && v->active && cr_mpi_receives(v)) {
		/* it goes on, and its message will count */
		v->orphan = 1;
	} else if (!v->o.head.predefined) {
		l = v->o.head.lower;
		if (l)
			r = CR_LOWER(cr_mpi_low.Request_free(&l));
		cr_mpi_request_put(v);
	}
	*request = CR_PRE(ompi_request_null);
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Request_free, (MPI_Request * request));
