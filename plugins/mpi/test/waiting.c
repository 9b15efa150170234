/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * waiting.c - ranks that wait, each in another call, for one that computes
 *
 *	waiting DIR
 *
 * For four ranks.  Rank 0 computes without MPI until a file DIR/go exists.
 * Rank 1 waits in a receive, 2 in MPI_Waitany, 3 in a collective with rank
 * 0; its threads wait, too, in a probe and in a collective of two.  All that
 * in rounds, until DIR/stop exists.  For any level of threads, but those of
 * rank 3 only with MPI_THREAD_MULTIPLE (argument "multiple").
 */
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int rank, size, round_;
static const char *dir;
static MPI_Comm pair, probed;

static int there(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void must(int yes, const char *what)
{
	if (yes)
		return;
	fprintf(stderr, "rank %d, round %d: %s\n", rank, round_, what);
	MPI_Abort(MPI_COMM_WORLD, 3);
}

static void compute(void)
{
	char name[16];

	snprintf(name, sizeof(name), "go.%d", round_);
	printf("computing %d\n", round_);
	fflush(stdout);
	while (!there(name))
		for (volatile int i = 0; i < 1000000; i++)
			;
}

static void *probe(void *arg)
{
	MPI_Status st;
	int value = 0;

	MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, probed, &st);
	MPI_Recv(&value, 1, MPI_INT, st.MPI_SOURCE, st.MPI_TAG, probed,
		 MPI_STATUS_IGNORE);
	must(st.MPI_SOURCE == 0 && st.MPI_TAG == 7 && value == round_, "probe");
	return NULL;
}

static void *collective(void *arg)
{
	int value = rank == 0 ? round_ : -1;

	MPI_Bcast(&value, 1, MPI_INT, 0, pair);
	must(value == round_, "collective of two");
	return NULL;
}

int main(int argc, char **argv)
{
	int multiple = argc > 2 && !strcmp(argv[2], "multiple");
	int level, value, sum, stop = 0, i;
	MPI_Request q[2];
	pthread_t t[2];

	MPI_Init_thread(&argc, &argv,
			multiple ? MPI_THREAD_MULTIPLE : MPI_THREAD_FUNNELED,
			&level);
	dir = argv[1];
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	MPI_Comm_split(MPI_COMM_WORLD, rank == 0 || rank == 3, 0, &pair);
	MPI_Comm_dup(MPI_COMM_WORLD, &probed);
	for (round_ = 1; !stop; round_++) {
		value = -1;
		switch (rank) {
		case 0:
			compute();
			MPI_Send(&round_, 1, MPI_INT, 1, 1, MPI_COMM_WORLD);
			MPI_Send(&round_, 1, MPI_INT, 2, 3, MPI_COMM_WORLD);
			if (multiple) {
				MPI_Send(&round_, 1, MPI_INT, 3, 7, probed);
				collective(NULL);
			}
			stop = there("stop");
			break;
		case 1:
			MPI_Recv(&value, 1, MPI_INT, MPI_ANY_SOURCE,
				 MPI_ANY_TAG, MPI_COMM_WORLD,
				 MPI_STATUS_IGNORE);
			must(value == round_, "receive");
			break;
		case 2:
			MPI_Irecv(&sum, 1, MPI_INT, 0, 2, MPI_COMM_WORLD,
				  &q[0]);
			MPI_Irecv(&value, 1, MPI_INT, 0, 3, MPI_COMM_WORLD,
				  &q[1]);
			MPI_Waitany(2, q, &i, MPI_STATUS_IGNORE);
			must(i == 1 && value == round_, "wait");
			MPI_Cancel(&q[0]);
			MPI_Wait(&q[0], MPI_STATUS_IGNORE);
			break;
		default:
			if (!multiple)
				break;
			pthread_create(&t[0], NULL, probe, NULL);
			pthread_create(&t[1], NULL, collective, NULL);
		}
		sum = round_;
		MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT, MPI_SUM,
			      MPI_COMM_WORLD);
		must(sum == round_ * size, "sum");
		MPI_Bcast(&stop, 1, MPI_INT, 0, MPI_COMM_WORLD);
		for (i = 0; multiple && rank == 3 && i < 2; i++)
			pthread_join(t[i], NULL);
	}
	MPI_Finalize();
	if (rank == 0)
		printf("ends well\n");
	return 0;
}
