/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * phases.c - before MPI_Init, with MPI, after MPI_Finalize
 *
 *	phases DIR
 *
 * Each phase ends when a file of its name appears in DIR: init, work, stop.
 */
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *dir;

static int there(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void idle_until(const char *name)
{
	for (int i = 0; !there(name); i++) {
		if (i % 20 == 0) {
			printf("before %s\n", name);
			fflush(stdout);
		}
		usleep(10000);
	}
}

int main(int argc, char **argv)
{
	int rank, size, sum = 0, stop = 0, flag;

	dir = argv[1];
	idle_until("init");
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	for (int step = 1; !stop; step++) {
		MPI_Allreduce(&step, &sum, 1, MPI_INT, MPI_SUM,
			      MPI_COMM_WORLD);
		if (sum != step * size)
			MPI_Abort(MPI_COMM_WORLD, 3);
		if (step % 20)
			continue;
		usleep(10000);
		stop = there("work");
		MPI_Bcast(&stop, 1, MPI_INT, 0, MPI_COMM_WORLD);
		if (rank == 0 && step % 400 == 0) {
			printf("before work\n");
			fflush(stdout);
		}
	}
	MPI_Finalize();
	idle_until("stop");
	MPI_Finalized(&flag);
	if (rank == 0)
		printf("ends %s\n", flag ? "well" : "wrong");
	return 0;
}
