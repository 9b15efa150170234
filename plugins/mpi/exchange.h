/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exchange.h - libcr's threads of all ranks tell each other their state
 *
 * One step: everybody sends a message to everybody and waits for theirs.
 * Steps are numbered within an attempt.  An attempt may be given up by some
 * ranks while others go on for a moment, so what is left over from it must
 * not be taken for the next: each rank draws a nonce per attempt and says
 * it first (hello); a message carries the sender's and the receiver's, and
 * one with another nonce of the receiver's is dropped.
 */
#ifndef CR_MPI_EXCHANGE_H
#define CR_MPI_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cr_mpi_blob {
	void *data;
	size_t size;
};

/* A new attempt. */
void cr_mpi_exchange_begin(void);
/*
 * The next step: mine[p] goes to rank p (freed here), theirs[p] comes back
 * (to be freed by the caller; own entry included).  idle is called again and
 * again while it waits; when it returns non-zero, so does this.  The caller
 * holds the token when held is true, else it is taken for moments.
 */
int cr_mpi_exchange(struct cr_mpi_blob *mine, struct cr_mpi_blob *theirs,
		    bool held, int (*idle)(void *arg), void *arg);
void cr_mpi_exchange_free(struct cr_mpi_blob *blobs);
/* The lower half is gone, and with it everything under way. */
void cr_mpi_exchange_forget(void);

#endif
