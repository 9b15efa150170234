/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * children.c - an MPI program that reads its standard input, runs commands
 * and forks
 *
 *	children STOP < INPUT
 *
 * Before MPI_Init it forks a child that lives until the end; in each step it
 * runs a command and forks a child that uses memory and exits; now and then
 * the command looks for descriptors of MPI's, and rank 0 reads a line of its
 * input.  Goes on until a file STOP exists.
 */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int rank, size;

static void must(int yes, const char *what)
{
	if (yes)
		return;
	fprintf(stderr, "rank %d: %s\n", rank, what);
	MPI_Abort(MPI_COMM_WORLD, 3);
}

/* A child that has MPI's memory, but does not call it. */
static void fork_once(int value)
{
	int status, fds[2], got = 0;
	pid_t pid;

	must(pipe(fds) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		char *p = malloc(100000);

		memset(p, value, 100000);
		_exit(write(fds[1], &value, sizeof(value)) !=
			      sizeof(value) || p[99999] != (char)value);
	}
	must(pid > 0, "fork");
	must(read(fds[0], &got, sizeof(got)) == sizeof(got) && got == value,
	     "what the child wrote");
	must(waitpid(pid, &status, 0) == pid && status == 0,
	     "the child's end");
	close(fds[0]);
	close(fds[1]);
}

/* How many descriptors a command gets besides the usual three. */
static int inherited(void)
{
	return system("n=0; for f in 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
		      "19 20 21 22 23 24 25 26 27 28 29 30 31 32; do "
		      "! test -e /proc/self/fd/$f || n=$((n + 1)); done; "
		      "exit $n");
}

int main(int argc, char **argv)
{
	pid_t child = fork();
	char line[64], want[64];
	int stop = 0, sum, lines = 0, before = inherited();

	if (child == 0)
		for (;;)
			pause();
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	for (int step = 1; !stop; step++) {
		must(system("exit 3") == 3 << 8, "system");
		fork_once(step + rank);
		MPI_Allreduce(&step, &sum, 1, MPI_INT, MPI_SUM,
			      MPI_COMM_WORLD);
		must(sum == step * size, "sum");
		if (step % 10)
			continue;
		must(inherited() == before, "a command got a descriptor");
		if (rank == 0) {
			/* a restart has no input: what was read ends somewhere */
			if (fgets(line, sizeof(line), stdin) &&
			    strchr(line, '\n')) {
				snprintf(want, sizeof(want), "line %d\n",
					 ++lines);
				must(strcmp(line, want) == 0, line);
			}
			printf("step %d, %d lines\n", step, lines);
			fflush(stdout);
			stop = access(argv[1], F_OK) == 0;
		}
		MPI_Bcast(&stop, 1, MPI_INT, 0, MPI_COMM_WORLD);
	}
	MPI_Finalize();
	must(kill(child, SIGTERM) == 0, "kill");
	must(waitpid(child, NULL, 0) == child, "waitpid");
	if (rank == 0)
		printf("ends well\n");
	return 0;
}
