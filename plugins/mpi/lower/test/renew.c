/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * renew.c - many lower halves one after the other, and nothing grows
 *
 * fork() stands for checkpoint and restart: the child has the program's
 * memory and none of the lower half's.  Usage: renew [GENERATIONS [DIR]];
 * with DIR, each generation takes the environment that a launch of its own
 * left in DIR/GENERATION/RANK (see ranks), else it is alone.
 */
#include "mpi/lower/test/lower_mpi.h"

#define ENTRIES 4096

static void work(int rank, int size)
{
	static char a[300000], b[300000];
	int next = (rank + 1) % size, previous = (rank + size - 1) % size, n;
	double x = rank + 1, y = 0;

	for (n = 8; n <= 262144; n *= 8) {
		memset(a, rank + n, (size_t)n);
		CHECK(!CR_LOWER(L.Sendrecv(a, n, L.byte, next, 1, b, n,
					   L.byte, previous, 1, L.world,
					   MPI_STATUS_IGNORE)));
		CHECK(b[n - 1] == (char)(previous + n));
	}
	CHECK(!CR_LOWER(L.Allreduce(&x, &y, 1, L.real, L.sum, L.world)));
	CHECK(y == size * (size + 1) / 2);
}

static bool is_launchers(const char *entry)
{
	return !strncmp(entry, "OMPI_", 5) || !strncmp(entry, "PMIX_", 5) ||
	       !strncmp(entry, "ORTE_", 5);
}

/* Our environment with the launch variables of another launch. */
static char **environment(const char *dir, int generation, int rank)
{
	static char *env[ENTRIES];
	char path[4096], *line = NULL;
	size_t size = 0;
	int n = 0, i;
	FILE *f;

	if (!dir)
		return environ;
	for (i = 0; environ[i]; i++)
		if (!is_launchers(environ[i]))
			env[n++] = environ[i];
	snprintf(path, sizeof(path), "%s/%d/%d", dir, generation, rank);
	for (i = 0; !(f = fopen(path, "re")); i++) {
		CHECK(i < 3000);
		usleep(10000);
	}
	while (getdelim(&line, &size, '\0', f) > 0 && n < ENTRIES - 1)
		if (is_launchers(line))
			env[n++] = strdup(line);
	free(line);
	fclose(f);
	env[n] = NULL;
	return env;
}

/* The launcher of this generation is to be started. */
static void ask_for(const char *dir, int generation)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/want.%d", dir, generation);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void compare(const struct census *first, const struct census *now)
{
	CHECK(now->fds <= first->fds && now->tasks <= first->tasks);
	CHECK(now->maps <= first->maps + 2);
	CHECK(now->arena_maps <= first->arena_maps + 4);
}

int main(int argc, char **argv)
{
	int last = argc > 1 ? atoi(argv[1]) : 20, generation, status;
	const char *dir = argc > 2 ? argv[2] : NULL;
	struct census first = { 0 }, now;
	int rank = 0, first_rank, size;
	pid_t pid;

	lower_mpi_up(environ, MPI_THREAD_SERIALIZED);
	first_rank = lower_rank();
	work(first_rank, lower_size());
	for (generation = 1; generation <= last; generation++) {
		if (dir)
			ask_for(dir, generation);
		fflush(stdout);
		pid = fork();
		CHECK(pid >= 0);
		if (pid) {
			CHECK(waitpid(pid, &status, 0) == pid);
			if (generation > 1)
				_exit(WIFEXITED(status) ?
					      WEXITSTATUS(status) : 1);
			CHECK(!status);
			CHECK(!CR_LOWER(L.Finalize()));
			return 0;
		}
		CHECK(!cr_lower_abandon(true));
		lower_mpi_up(environment(dir, generation, first_rank),
			     MPI_THREAD_SERIALIZED);
		rank = lower_rank();
		size = lower_size();
		CHECK(rank == first_rank);
		work(rank, size);
		take_census(&now);
		if (generation == 1)
			first = now;
		else
			compare(&first, &now);
		if (rank == 0 && (generation == 1 || generation == last))
			printf("generation %d: %d ranks, fds %d, threads %d, "
			       "maps %d and %d in the arena\n",
			       generation, size, now.fds, now.tasks, now.maps,
			       now.arena_maps);
	}
	if (dir)
		ask_for(dir, generation);
	CHECK(!CR_LOWER(L.Finalize()));
	fflush(stdout);
	_exit(0);
}
