/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * drained.c - messages that a cut has taken off the wire
 *
 * They are older than everything still to come from the same sender, so
 * every receive and probe looks here first; among themselves they are kept
 * in the order in which the lower half would have matched them.
 */
#include <errno.h>
#include <stdlib.h>

#include "mpi/request.h"

volatile int cr_mpi_n_drained;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cr_mpi_drained *first, **last = &first;

void cr_mpi_drained_add(struct cr_mpi_drained *m)
{
	pthread_mutex_lock(&lock);
	m->next = NULL;
	*last = m;
	last = &m->next;
	cr_mpi_n_drained++;
	pthread_mutex_unlock(&lock);
}

static struct cr_mpi_drained **match(int source, int tag, MPI_Comm comm)
{
	struct cr_mpi_drained **p;

	for (p = &first; *p; p = &(*p)->next)
		if ((*p)->comm == comm &&
		    (source == MPI_ANY_SOURCE || source == (*p)->source) &&
		    (tag == MPI_ANY_TAG || tag == (*p)->tag))
			return p;
	return NULL;
}

bool cr_mpi_drained_probe(int source, int tag, MPI_Comm comm,
			  MPI_Status *status)
{
	struct cr_mpi_drained **p;
	MPI_Status s = { 0 };
	size_t size = 0;

	pthread_mutex_lock(&lock);
	p = match(source, tag, comm);
	if (p) {
		s.MPI_SOURCE = (*p)->source;
		s.MPI_TAG = (*p)->tag;
		size = (*p)->size;
	}
	pthread_mutex_unlock(&lock);
	if (!p)
		return false;
	if (status != MPI_STATUS_IGNORE) {
		int error = status->MPI_ERROR;
		MPI_Datatype byte = cr_mpi_lower_type(CR_PRE(ompi_mpi_byte));
		int r;

		r = CR_LOWER(cr_mpi_low.Status_set_elements_x(&s, byte,
							      size));
		(void)r;
		*status = s;
		status->MPI_ERROR = error;
	}
	return true;
}

int cr_mpi_drained_take(int source, int tag, MPI_Comm comm,
			struct cr_mpi_drained **m)
{
	struct cr_mpi_drained **p;
	int rc = 0;

	*m = NULL;
	pthread_mutex_lock(&lock);
	p = match(source, tag, comm);
	if (p && cr_mpi_gate && cr_mpi_self.ready) {
		rc = -EAGAIN;
	} else if (p) {
		/* from here on this thread must come out before a snapshot */
		cr_mpi_self.class = CR_MPI_CLASS_LOCAL;
		*m = *p;
		*p = (*m)->next;
		if (!*p)
			last = p;
		cr_mpi_n_drained--;
		rc = 1;
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

void cr_mpi_drained_settle(void)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
}

/* Does it have more than the receive has room for? */
static bool is_longer(const struct cr_mpi_drained *m, int count,
		      MPI_Datatype ltype)
{
	MPI_Count size = 0;

	CR_LOWER(cr_mpi_low.Type_size_x(ltype, &size));
	return size >= 0 && m->size > (size_t)size * (size_t)count;
}

int cr_mpi_drained_deliver(struct cr_mpi_drained *m, void *buf, int count,
			   MPI_Datatype type, MPI_Status *status)
{
	MPI_Datatype ltype = cr_mpi_lower_type(type);
	MPI_Datatype byte = cr_mpi_lower_type(CR_PRE(ompi_mpi_byte));
	MPI_Request rr, sr;
	MPI_Status s;
	static int next_tag;
	int r, tag = __atomic_add_fetch(&next_tag, 1, __ATOMIC_RELAXED) & 0x7fff;
	MPI_Comm self = cr_mpi_private_self;

	/* a message to ourselves: the receive does all that MPI would do */
	r = CR_LOWER(cr_mpi_low.Irecv(buf, count, ltype, 0, tag, self, &rr));
	if (r == MPI_SUCCESS)
		r = CR_LOWER(cr_mpi_low.Isend(m->data, m->size, byte, 0, tag,
					      self, &sr));
	if (r == MPI_SUCCESS) {
		r = CR_LOWER(cr_mpi_low.Wait(&rr, &s));
		CR_LOWER(cr_mpi_low.Wait(&sr, MPI_STATUS_IGNORE));
		s.MPI_SOURCE = m->source;
		s.MPI_TAG = m->tag;
		if (status != MPI_STATUS_IGNORE)
			*status = s;
	}
	/* of a message to ourselves Open MPI does not always tell */
	if (r == MPI_SUCCESS && is_longer(m, count, ltype))
		r = MPI_ERR_TRUNCATE;
	free(m);
	return r;
}
