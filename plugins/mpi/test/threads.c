/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * threads.c - several threads of each rank in MPI at the same time
 *
 *	threads STOP
 *	threads STEPS STEPS STEPS
 *
 * Thread t of a rank talks to thread t of the others, on a communicator of
 * its own: rings, reductions and wildcards; a checksum at the end.  It takes
 * so many steps, or goes on until a file STOP exists and says then how many
 * they were.
 */
#include <limits.h>
#include <mpi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 3

static int rank, size;
static const char *stop_file = "";
static long steps[THREADS] = { LONG_MAX, LONG_MAX, LONG_MAX };
static MPI_Comm comm[THREADS];
static uint64_t sums[THREADS];

static void *work(void *arg)
{
	int t = (int)(intptr_t)arg, n = 1 << (4 * t + 2);
	uint64_t sum = t + 1, seed = getpid() + t;
	uint64_t *a = calloc(n, 8), *b = calloc(n, 8);
	int stop;

	for (long step = 0; step < steps[t]; step++) {
		MPI_Request q[2];
		uint64_t least;

		for (int i = 0; i < n; i++)
			a[i] = sum + i + rank;
		MPI_Irecv(b, n, MPI_UINT64_T, MPI_ANY_SOURCE, step % 7,
			  comm[t], &q[0]);
		seed = seed * 6364136223846793005ull + 1;
		if (seed >> 60 == 3)
			usleep(seed >> 33 & 1023);
		MPI_Isend(a, n, MPI_UINT64_T, (rank + 1) % size, step % 7,
			  comm[t], &q[1]);
		MPI_Waitall(2, q, MPI_STATUSES_IGNORE);
		for (int i = 0; i < n; i++)
			sum = (sum ^ b[i]) * 0x100000001b3ull + 1;
		if (step % 5 == 0) {
			MPI_Allreduce(&sum, &least, 1, MPI_UINT64_T, MPI_MIN,
				      comm[t]);
			sum ^= least;
		}
		MPI_Sendrecv(&sum, 1, MPI_UINT64_T, (rank + 1) % size, 9,
			     &least, 1, MPI_UINT64_T, (rank + size - 1) % size,
			     9, comm[t], MPI_STATUS_IGNORE);
		sum += least * 3;
		if (step % 100 != 99)
			continue;
		if (rank == 0 && t == 0) {
			printf("step %ld\n", step + 1);
			fflush(stdout);
		}
		stop = access(stop_file, F_OK) == 0;
		MPI_Bcast(&stop, 1, MPI_INT, 0, comm[t]);
		if (stop)
			steps[t] = step + 1;
	}
	sums[t] = sum;
	free(a);
	free(b);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];
	uint64_t mine = 0, total = 0;
	int level;

	if (argc == 2)
		stop_file = argv[1];
	for (int t = 0; t < THREADS && argc == THREADS + 1; t++)
		steps[t] = atol(argv[t + 1]);
	MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &level);
	if (level != MPI_THREAD_MULTIPLE)
		return 77;
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	for (int t = 0; t < THREADS; t++)
		MPI_Comm_dup(MPI_COMM_WORLD, &comm[t]);
	for (int t = 0; t < THREADS; t++)
		pthread_create(&thread[t], NULL, work, (void *)(intptr_t)t);
	for (int t = 0; t < THREADS; t++) {
		pthread_join(thread[t], NULL);
		mine = mine * 31 + sums[t];
	}
	MPI_Reduce(&mine, &total, 1, MPI_UINT64_T, MPI_BXOR, 0,
		   MPI_COMM_WORLD);
	if (rank == 0)
		printf("checksum %016llx after %ld %ld %ld steps\n",
		       (unsigned long long)total, steps[0], steps[1], steps[2]);
	MPI_Finalize();
	return 0;
}
