// SPDX-License-Identifier: GPL-2.0-or-later
/* calls.c - how long calls take, in an MPI program of two ranks
 *
 * Prints a line "NAME NANOSECONDS" for each kind of call: the best of several
 * rounds, which is what the machine can do when nobody disturbs.
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

#define ROUNDS 7
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

/* both: both ranks take part, otherwise the second one is asleep. */
static void measure(const char *name, void (*f)(int), int n, int both)
{
	double best = 0, t;
	int i;

	if (rank > 1)
		return;
	for (i = 0; i < ROUNDS; i++) {
		if (both)
			pingpong(1, 8);
		t = now();
		f(n);
		t = (now() - t) / n;
		if (i == 0 || t < best)
			best = t;
	}
	if (rank == 0)
		printf("%s %.2f\n", name, best);
}

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	buffer = malloc(MIB);
	memset(buffer, 1, MIB);

	measure("pingpong8", latency, 10000, 1);
	measure("pingpong1M", bandwidth, 100, 1);
	if (argc > 1 && !strcmp(argv[1], "all")) {
		if (rank == 0) {
			measure("comm_rank", comm_rank, 1000000, 0);
			measure("malloc", do_malloc, 1000000, 0);
			measure("open", do_open, 20000, 0);
			measure("fork", do_fork, 200, 0);
			measure("thread", do_thread, 2000, 0);
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
