// SPDX-License-Identifier: GPL-2.0-or-later
/* calls.c - how long calls take, in an MPI program of two ranks
 *
 * Prints a line "NAME NANOSECONDS" for each kind of call.  Measures many
 * short bursts, each much shorter than a time slice, and tells the time that
 * one in fifty does not reach: other load makes some bursts longer, but
 * leaves that alone.
 */
#include <fcntl.h>
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BURSTS 200000 /* at most */
#define SECONDS 0.7   /* for each kind of call, */
#define ENOUGH 100    /* or longer if so many were not possible */
#define PATIENCE 4
#define MIB (1 << 20)

static int rank;
static char *buffer;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void comm_rank(int n)
{
	int r;

	while (n--)
		MPI_Comm_rank(MPI_COMM_WORLD, &r);
}

static void do_malloc(int n)
{
	void *volatile p[16];
	int i;

	for (i = 0; i < 16; i++)
		p[i] = malloc(100);
	while (n--) {
		i = n & 15;
		free(p[i]);
		p[i] = malloc(16 + 64 * (n & 31));
	}
	for (i = 0; i < 16; i++)
		free(p[i]);
}

static void do_open(int n)
{
	while (n--)
		close(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static void do_fork(int n)
{
	pid_t pid;

	while (n--) {
		pid = fork();
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

static void *nothing(void *arg)
{
	return arg;
}

static void do_thread(int n)
{
	pthread_t t;

	while (n--) {
		pthread_create(&t, NULL, nothing, NULL);
		pthread_join(t, NULL);
	}
}

static void pingpong(int n, int bytes)
{
	int peer = !rank;

	while (n--) {
		if (rank == 0)
			MPI_Send(buffer, bytes, MPI_CHAR, peer, 1,
				 MPI_COMM_WORLD);
		MPI_Recv(buffer, bytes, MPI_CHAR, peer, 1, MPI_COMM_WORLD,
			 MPI_STATUS_IGNORE);
		if (rank == 1)
			MPI_Send(buffer, bytes, MPI_CHAR, peer, 1,
				 MPI_COMM_WORLD);
	}
}

static void latency(int n)
{
	pingpong(n, 8);
}

static void bandwidth(int n)
{
	pingpong(n, MIB);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Bursts of n; both: rank 1 takes part, as long as rank 0 says. */
static void measure(const char *name, void (*f)(int), int n, int both)
{
	static double burst[BURSTS];
	/* two ranks run at the same time by chance if others do as well */
	int enough = both ? 10 * ENOUGH : ENOUGH;
	double start = now(), t;
	int k = 0, more = 1;

	while (more) {
		if (both)
			pingpong(2, 8);
		t = now();
		f(n);
		burst[k++] = (now() - t) / n;
		t = (now() - start) / 1e9;
		more = k < BURSTS &&
		       t < (k < enough ? PATIENCE : SECONDS);
		if (both && rank == 0)
			MPI_Send(&more, 1, MPI_INT, 1, 3, MPI_COMM_WORLD);
		else if (both)
			MPI_Recv(&more, 1, MPI_INT, 0, 3, MPI_COMM_WORLD,
				 MPI_STATUS_IGNORE);
	}
	qsort(burst, k, sizeof(burst[0]), compare);
	if (rank == 0)
		printf("%s %.2f\n", name, burst[k / 50]);
}

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	buffer = malloc(MIB);
	memset(buffer, 1, MIB);

	measure("pingpong8", latency, argc > 1 ? 50 : 20, 1);
	measure("pingpong1M", bandwidth, 2, 1);
	if (argc > 1) { /* all */
		if (rank == 0) {
			measure("comm_rank", comm_rank, 10000, 0);
			measure("malloc", do_malloc, 10000, 0);
			measure("open", do_open, 50, 0);
			measure("fork", do_fork, 1, 0);
			measure("thread", do_thread, 5, 0);
			MPI_Send(buffer, 1, MPI_CHAR, 1, 2, MPI_COMM_WORLD);
		} else {
			int done = 0;

			while (!done) { /* leave the processor to rank 0 */
				MPI_Iprobe(0, 2, MPI_COMM_WORLD, &done,
					   MPI_STATUS_IGNORE);
				usleep(10000);
			}
			MPI_Recv(buffer, 1, MPI_CHAR, 0, 2, MPI_COMM_WORLD,
				 MPI_STATUS_IGNORE);
		}
	}
	free(buffer);
	MPI_Finalize();
	return 0;
}
