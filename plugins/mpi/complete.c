/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete.c - is a request of the lower half complete, whoever waits for it?
 *
 * MPI_Request_get_status() of Open MPI 4 takes every request for complete
 * that a thread is waiting for: the word that says "complete" (1) then holds
 * the address of the wait instead of 0.  So that word is looked at itself.
 * Where it is, is checked at each start with a message to ourselves.
 */
#include <errno.h>
#include <stdint.h>

#include "mpi/complete.h"
#include "mpi/wrap.h"

#define PENDING 0
#define COMPLETE 1
#define OFFSET_FIRST 0x40 /* ompi_request_t.req_complete is among these */
#define OFFSET_LAST 0x80
#define TRIES 100000

static long offset = -1;

static uintptr_t word(MPI_Request l, long at)
{
	return __atomic_load_n((uintptr_t *)((char *)l + at),
			       __ATOMIC_ACQUIRE);
}

bool cr_mpi_lower_complete(MPI_Request l)
{
	return word(l, offset) == COMPLETE;
}

int cr_mpi_complete_init(MPI_Comm self, struct cr_error *err)
{
	MPI_Datatype byte = cr_mpi_lower_type(CR_PRE(ompi_mpi_byte));
	bool pending[(OFFSET_LAST - OFFSET_FIRST) / 8];
	char in[3] = { 0 }, out[3] = { 0 }; /* the status must not become 1 */
	MPI_Request l;
	int r, flag = 0, found = 0;
	long at;

	r = CR_LOWER(cr_mpi_low.Irecv(in, 3, byte, 0, 0, self, &l));
	for (at = OFFSET_FIRST; !r && at < OFFSET_LAST; at += 8)
		pending[(at - OFFSET_FIRST) / 8] = word(l, at) == PENDING;
	if (!r)
		r = CR_LOWER(cr_mpi_low.Send(out, 3, byte, 0, 0, self));
	for (int i = 0; !r && !flag && i < TRIES; i++)
		r = CR_LOWER(cr_mpi_low.Request_get_status(
			l, &flag, MPI_STATUS_IGNORE));
	for (at = OFFSET_FIRST; !r && flag && at < OFFSET_LAST; at += 8) {
		if (pending[(at - OFFSET_FIRST) / 8] &&
		    word(l, at) == COMPLETE) {
			offset = at;
			found++;
		}
	}
	if (!r && flag)
		r = CR_LOWER(cr_mpi_low.Wait(&l, MPI_STATUS_IGNORE));
	if (r || found != 1)
		return cr_error_set(err, -ENOTSUP,
				    "requests of this MPI library are of an "
				    "unknown form");
	return 0;
}
