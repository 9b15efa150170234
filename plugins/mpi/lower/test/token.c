/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * token.c - a second thread borrows the lower half again and again
 *
 * The program's thread of rank 0 waits in a receive, that of rank 1 is
 * outside or in a call of its own; meanwhile a helper of each rank takes the
 * token and they meet in a barrier and pass messages.
 */
#include <stdatomic.h>

#include "mpi/lower/test/lower_mpi.h"

#define ROUNDS 200

static int rank, other;
static atomic_int active, closed, done;

static void border(void)
{
	atomic_store(&active, 1);
	while (atomic_load(&closed)) {
		atomic_store(&active, 0);
		while (atomic_load(&closed))
			sched_yield();
		atomic_store(&active, 1);
	}
}

static bool inside(void *arg)
{
	return atomic_load(&active);
}

static bool cancelled(void *arg)
{
	return false;
}

static void *help(void *arg)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		int x = i, y = -1;

		atomic_store(&closed, 1);
		CHECK(!cr_lower_token_take(inside, cancelled, NULL));
		CHECK(!CR_LOWER(L.Sendrecv(&x, 1, L.integer, other, 9, &y, 1,
					   L.integer, other, 9, L.world,
					   MPI_STATUS_IGNORE)));
		CHECK(x == y);
		cr_lower_token_give();
		atomic_store(&closed, 0);
		if (i % 8 == 0)
			usleep(500);
	}
	atomic_store(&done, 1);
	return NULL;
}

int main(void)
{
	struct cr_error err = { 0 };
	int i, size, x, y, go = 1;
	pthread_t helper;
	long calls = 0;

	lower_mpi_up(environ, MPI_THREAD_SINGLE);
	CHECK(!cr_lower_token_init(&err));
	rank = lower_rank();
	size = lower_size();
	CHECK(size == 2);
	other = 1 - rank;
	CHECK(!CR_LOWER(L.Barrier(L.world)));
	CHECK(!pthread_create(&helper, NULL, help, NULL));
	for (i = 0; go; i++) {
		/* rank 1 stays away now and then: rank 0 waits inside */
		if (rank == 1 && i % 50 == 0)
			usleep(2000);
		if (rank == 1)
			go = !atomic_load(&done);
		x = y = i;
		border();
		if (rank == 1)
			CR_LOWER(L.Send(&go, 1, L.integer, 0, 1, L.world));
		else
			CR_LOWER(L.Recv(&go, 1, L.integer, 1, 1, L.world,
					MPI_STATUS_IGNORE));
		atomic_store(&active, 0);
		border();
		CR_LOWER(L.Sendrecv(&x, 1, L.integer, other, 2, &y, 1,
				    L.integer, other, 2, L.world,
				    MPI_STATUS_IGNORE));
		atomic_store(&active, 0);
		CHECK(x == y);
		calls++;
	}
	pthread_join(helper, NULL);
	CHECK(!CR_LOWER(L.Barrier(L.world)));
	CHECK(!CR_LOWER(L.Finalize()));
	if (rank == 0)
		printf("token lent %d times in %ld rounds of the program\n",
		       ROUNDS, calls);
	return 0;
}
