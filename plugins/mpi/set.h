/* SPDX-License-Identifier: GPL-2.0-or-later */
/* set.h - an array of requests on its way to the lower half and back */
#ifndef CR_MPI_SET_H
#define CR_MPI_SET_H

#include <stdlib.h>

#include "mpi/request.h"

#define CR_MPI_SOME 32 /* so many without malloc */

struct cr_mpi_set {
	int n, n_done;		/* done: complete without the lower half */
	MPI_Request *requests;	/* the program's */
	MPI_Request *lower;
	MPI_Status *statuses;	/* the program's, ours or IGNORE */
	MPI_Request some[CR_MPI_SOME];
	MPI_Status few[CR_MPI_SOME];
	void *more, *many;
};

static inline struct cr_mpi_request *cr_mpi_request_of(MPI_Request r)
{
	return CR_MPI_OBJECT(cr_mpi_request, r);
}

/* Makes room; statuses of our own where the program wants none but we do. */
static inline void cr_mpi_set_begin(struct cr_mpi_set *s, int n,
				    MPI_Request *requests,
				    MPI_Status *statuses, bool indexed)
{
	bool need = indexed;

	s->n = n < 0 ? 0 : n;
	s->requests = requests;
	s->more = s->many = NULL;
	s->lower = s->some;
	if (s->n > CR_MPI_SOME)
		s->lower = s->more = cr_mpi_alloc(s->n, sizeof(*s->lower));
	s->statuses = statuses;
	if (statuses != MPI_STATUSES_IGNORE)
		return;
	for (int i = 0; i < s->n && !need; i++)
		need = cr_mpi_request_of(requests[i])->need_status;
	if (!need)
		return;
	s->statuses = s->few;
	if (s->n > CR_MPI_SOME)
		s->statuses = s->many = cr_mpi_alloc(s->n,
						     sizeof(*s->statuses));
}

/* Once inside: translates. */
static inline void cr_mpi_set_fill(struct cr_mpi_set *s)
{
	s->n_done = 0;
	for (int i = 0; i < s->n; i++) {
		struct cr_mpi_request *v = cr_mpi_request_of(s->requests[i]);

		if (__builtin_expect(v->done, 0)) {
			s->n_done++;
			s->lower[i] = cr_mpi_lower(CR_PRE(ompi_request_null));
		} else {
			s->lower[i] = v->o.head.lower;
		}
	}
}

static inline void cr_mpi_set_end(struct cr_mpi_set *s)
{
	free(s->more);
	free(s->many);
}

/* Request i was completed by the lower half with status. */
static inline void cr_mpi_set_finish(struct cr_mpi_set *s, int i,
				     const MPI_Status *status)
{
	struct cr_mpi_request *v = cr_mpi_request_of(s->requests[i]);

	/* a persistent collective stays, too */
	if (s->lower[i] != v->o.head.lower || cr_mpi_persistent(v))
		cr_mpi_request_finish(&s->requests[i], status);
}

/* Request i is done without the lower half; its error in the result. */
static inline int cr_mpi_set_take_done(struct cr_mpi_set *s, int i,
				       MPI_Status *status)
{
	MPI_Status st = cr_mpi_request_of(s->requests[i])->status;
	int error = st.MPI_ERROR;

	if (status != MPI_STATUS_IGNORE)
		*status = st;
	cr_mpi_request_finish(&s->requests[i], &st);
	return error;
}

int cr_mpi_set_all_finish(struct cr_mpi_set *s, int r);

#endif
