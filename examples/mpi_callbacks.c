/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpi_callbacks.c - MPI in the checkpoint callbacks of an MPI program
 *
 *	mpicc -o mpi_callbacks mpi_callbacks.c -lcr
 *	mpirun -n 4 -x LD_PRELOAD=libcr_mpi.so \
 *		./mpi_callbacks STEPS [VETO [STOP]]
 *
 * Each rank counts steps and adds them up with the others.  Before a
 * checkpoint all ranks agree on the least number of steps done and write
 * it, together with what they have buffered, to a file; after it they find
 * out whether all of them were restarted.  If a file named VETO exists,
 * rank 1 says no, and so no checkpoint is taken on any rank.  If a file named
 * STOP exists, all end early.
 *
 * Callbacks run in a thread of libcr while the program's own threads go on,
 * perhaps in the middle of an MPI call.  So they have a communicator of
 * their own: messages and collectives of both never mix.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libcr.h>

static MPI_Comm callback_comm;
static int rank, size;
static volatile long steps;
static const char *veto;

static int callback(void *arg)
{
	long mine = steps, least = 0;
	int refuse, restarted, all, rc;

	/* MPI works here as always: all ranks are in their callbacks */
	refuse = veto && rank == 1 && access(veto, F_OK) == 0;
	MPI_Allreduce(&mine, &least, 1, MPI_LONG, MPI_MIN, callback_comm);
	fflush(NULL);

	rc = cr_checkpoint(refuse ? CR_CHECKPOINT_TEMP_FAILURE_CODE(7) :
				    CR_CHECKPOINT_READY);

	/* and here again, after the checkpoint or in the restarted program */
	restarted = rc > 0;
	MPI_Allreduce(&restarted, &all, 1, MPI_INT, MPI_SUM, callback_comm);
	if (rank == 0) {
		if (rc < 0)
			printf("callback: refused at least at step %ld\n",
			       least);
		else
			printf("callback: %d of %d restarted, least %ld, "
			       "mine %s\n", all, size, least,
			       least <= mine ? "not behind" : "behind");
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000, total = 0, sum;
	const char *stop_file = argc > 3 ? argv[3] : "";
	int stop;

	veto = argc > 2 ? argv[2] : NULL;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	MPI_Comm_dup(MPI_COMM_WORLD, &callback_comm);
	if (cr_init() < 0 ||
	    cr_register_callback(callback, NULL, CR_THREAD_CONTEXT) < 0) {
		fprintf(stderr, "rank %d: libcr is not usable\n", rank);
		MPI_Abort(MPI_COMM_WORLD, 1);
	}
	for (long i = 0; i < n; i++) {
		long value = i * (rank + 1);

		MPI_Allreduce(&value, &sum, 1, MPI_LONG, MPI_SUM,
			      MPI_COMM_WORLD);
		total += sum;
		steps = i + 1;
		if (i % 64 == 0)
			usleep(1000);
		if (steps % 1000)
			continue;
		if (rank == 0) {
			printf("step %ld\n", steps);
			fflush(stdout);
		}
		stop = access(stop_file, F_OK) == 0;
		MPI_Bcast(&stop, 1, MPI_INT, 0, MPI_COMM_WORLD);
		if (stop)
			break;
	}
	if (rank == 0)
		printf("total %ld after %ld steps\n", total, steps);
	MPI_Finalize();
	return 0;
}
