/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.h - requests as the program sees them, messages taken off the wire
 *
 * A request remembers what is needed to post a receive anew.  "done" says
 * that it is complete without the lower half: its message was drained by a
 * cut or the process was restarted.
 */
#ifndef CR_MPI_REQUEST_H
#define CR_MPI_REQUEST_H

#include "mpi/wrap.h"

enum cr_mpi_request_type {
	CR_MPI_REQ_SEND = 1,
	CR_MPI_REQ_RECV,
	CR_MPI_REQ_SEND_INIT, /* persistent */
	CR_MPI_REQ_RECV_INIT,
	CR_MPI_REQ_OTHER, /* cannot be checkpointed until it is complete */
};

enum cr_mpi_send_mode {
	CR_MPI_STANDARD,
	CR_MPI_BUFFERED,
	CR_MPI_SYNCHRONOUS,
	CR_MPI_READY,
};

struct cr_mpi_request {
	struct cr_mpi_object o;
	uint8_t type, mode;
	uint8_t active; /* started, and not yet waited for */
	uint8_t done;
	uint8_t counted;     /* its message was counted as received */
	uint8_t orphan;	     /* MPI_Request_free before it was complete */
	uint8_t need_status; /* source or cancellation must be looked at */
	uint8_t matched; /* by MPI_Mprobe: cannot be posted anew */
	uint8_t used;
	int count, peer, tag;
	MPI_Datatype datatype;
	void *buf;
	MPI_Comm comm;
	uint64_t order; /* of posting */
	const char *function;
	MPI_Status status;
	struct cr_mpi_request *free_next;
};

static inline bool cr_mpi_persistent(const struct cr_mpi_request *v)
{
	return v->type == CR_MPI_REQ_SEND_INIT ||
	       v->type == CR_MPI_REQ_RECV_INIT;
}

static inline bool cr_mpi_receives(const struct cr_mpi_request *v)
{
	return v->type == CR_MPI_REQ_RECV || v->type == CR_MPI_REQ_RECV_INIT;
}

struct cr_mpi_request *cr_mpi_request_new(int type);
void cr_mpi_request_put(struct cr_mpi_request *v);
/* f for every request in use, until it returns non-zero. */
int cr_mpi_request_each(int (*f)(struct cr_mpi_request *v, void *arg),
			void *arg);
uint64_t cr_mpi_request_order(void);
/* Is there a request that may still look at comm? */
bool cr_mpi_request_uses_comm(MPI_Comm comm);
/*
 * The lower half (or a drained message) completed v: counts it, and takes
 * the request from the program unless it is persistent.  lower: what the
 * lower half made of the handle.
 */
void cr_mpi_request_finish(MPI_Request *request, const MPI_Status *status);

/* ---- bookmarks: messages sent to and received from each rank ---- */

extern uint64_t *cr_mpi_sent CR_LOWER_HIDDEN;
extern uint64_t *cr_mpi_received CR_LOWER_HIDDEN;

static inline void cr_mpi_count(uint64_t *counts, MPI_Comm comm, int peer)
{
	struct cr_mpi_comm *c = cr_mpi_comm_of(comm);
	int world;

	if ((unsigned int)peer >= (unsigned int)c->n_peer)
		return;
	world = c->peer[peer];
	if (world < 0)
		return;
	if (cr_mpi_multiple)
		__atomic_fetch_add(&counts[world], 1, __ATOMIC_RELAXED);
	else
		counts[world]++;
}

/* ---- messages that a cut has taken off the wire ---- */

struct cr_mpi_drained {
	struct cr_mpi_drained *next;
	MPI_Comm comm;
	int source, tag;
	size_t size;
	char data[];
};

extern volatile int cr_mpi_n_drained CR_LOWER_HIDDEN;

void cr_mpi_drained_add(struct cr_mpi_drained *m);
/* First match without taking it; its envelope in status. */
bool cr_mpi_drained_probe(int source, int tag, MPI_Comm comm,
			  MPI_Status *status);
/*
 * Takes the first match.  1: taken, 0: none; -EAGAIN: the gate is closed,
 * leave and enter again.
 */
int cr_mpi_drained_take(int source, int tag, MPI_Comm comm,
			struct cr_mpi_drained **m);
/* For libcr's thread: no taker is under way afterwards. */
void cr_mpi_drained_settle(void);
/*
 * Inside: receives m into the program's buffer, with all that MPI does then
 * (types, truncation), and frees it.
 */
int cr_mpi_drained_deliver(struct cr_mpi_drained *m, void *buf, int count,
			   MPI_Datatype type, MPI_Status *status);

/* ---- matched messages (MPI_Mprobe) ---- */

struct cr_mpi_message {
	struct cr_mpi_object o;
	MPI_Comm comm;
	int source;
	MPI_Status status;
	struct cr_mpi_drained *drained; /* taken off the wire meanwhile */
};

#endif
