/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.c - the pool of requests, and their end */
#include <stdlib.h>
#include <string.h>

#include "mpi/request.h"

#define CHUNK 256

struct chunk {
	struct chunk *next;
	struct cr_mpi_request request[CHUNK];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct chunk *chunks;
static struct cr_mpi_request *free_list;
static uint64_t order;
uint64_t *cr_mpi_sent, *cr_mpi_received;

static void pool_lock(void)
{
	if (cr_mpi_multiple)
		pthread_mutex_lock(&lock);
}

static void pool_unlock(void)
{
	if (cr_mpi_multiple)
		pthread_mutex_unlock(&lock);
}

static void pool_grow(void)
{
	struct chunk *c = cr_mpi_alloc(1, sizeof(*c));

	c->next = chunks;
	chunks = c;
	for (int i = CHUNK - 1; i >= 0; i--) {
		struct cr_mpi_request *v = &c->request[i];

		v->o.head.magic = CR_MPI_MAGIC;
		v->o.head.kind = CR_MPI_REQUEST;
		v->o.head.object = &v->o;
		v->o.handle = v;
		v->o.fint = -1;
		v->free_next = free_list;
		free_list = v;
	}
}

struct cr_mpi_request *cr_mpi_request_new(int type)
{
	struct cr_mpi_request *v;

	pool_lock();
	if (!free_list)
		pool_grow();
	v = free_list;
	free_list = v->free_next;
	pool_unlock();
	v->type = type;
	v->active = v->done = v->counted = v->orphan = v->need_status = 0;
	v->matched = 0;
	v->function = NULL;
	v->o.head.lower = NULL;
	v->used = 1;
	return v;
}

void cr_mpi_request_put(struct cr_mpi_request *v)
{
	if (v->o.fint >= 0)
		cr_mpi_fint_drop(&v->o);
	pool_lock();
	v->used = 0;
	v->free_next = free_list;
	free_list = v;
	pool_unlock();
}

int cr_mpi_request_each(int (*f)(struct cr_mpi_request *v, void *arg),
			void *arg)
{
	int rc = 0;

	for (struct chunk *c = chunks; c && !rc; c = c->next)
		for (int i = 0; i < CHUNK && !rc; i++)
			if (c->request[i].used)
				rc = f(&c->request[i], arg);
	return rc;
}

static int uses_comm(struct cr_mpi_request *v, void *comm)
{
	return v->comm == comm &&
	       (cr_mpi_persistent(v) || (cr_mpi_receives(v) && v->active));
}

bool cr_mpi_request_uses_comm(MPI_Comm comm)
{
	return cr_mpi_request_each(uses_comm, comm) != 0;
}

uint64_t cr_mpi_request_order(void)
{
	return cr_mpi_multiple ?
		       __atomic_fetch_add(&order, 1, __ATOMIC_RELAXED) :
		       order++;
}

void cr_mpi_request_finish(MPI_Request *request, const MPI_Status *status)
{
	struct cr_mpi_request *v = (struct cr_mpi_request *)*request;

	if (v->o.head.predefined)
		return;
	if (cr_mpi_receives(v) && v->active && !v->counted) {
		int source = v->need_status ? status->MPI_SOURCE : v->peer;

		if (!v->need_status || !status->_cancelled)
			cr_mpi_count(cr_mpi_received, v->comm, source);
	}
	if (cr_mpi_persistent(v)) {
		v->active = v->done = v->counted = 0;
		return;
	}
	cr_mpi_request_put(v);
	*request = CR_PRE(ompi_request_null);
}

MPI_Request cr_mpi_request_other(MPI_Request lower, const char *function)
{
	struct cr_mpi_request *v = cr_mpi_request_new(CR_MPI_REQ_OTHER);

	v->o.head.lower = lower;
	v->function = function;
	v->active = 1;
	return (MPI_Request)v;
}
