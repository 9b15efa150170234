/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ended.c - the even ranks end with MPI, the odd ones go on for a while
 *
 *	ended DIR
 *
 * They end when a file DIR/stop exists; the last line tells that.
 */
#include <mpi.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[4096];
	int rank, sum, one = 1;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
	MPI_Finalize();
	if (rank % 2 == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/stop", argv[1]);
	for (int i = 0; access(path, F_OK) < 0; i++) {
		if (i % 50 == 0) {
			printf("rank %d of %d at %d\n", rank, sum, i);
			fflush(stdout);
		}
		usleep(10000);
	}
	printf("rank %d ends\n", rank);
	return 0;
}
