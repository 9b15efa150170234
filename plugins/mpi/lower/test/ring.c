/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring.c - MPI in the lower half does what MPI does
 *
 * Alone or with any number of ranks: messages around a ring, reductions, a
 * reduction with a function of the program, several threads, and the fork of
 * a process that uses MPI.
 */
#include "mpi/lower/test/lower_mpi.h"

#define LARGEST (1 << 20)

static __thread int canary = 42;
static int calls, rank, size, next, previous;

static void larger(void *in, void *inout, int *n, MPI_Datatype *type)
{
	unsigned long lower = cr_lower_callback_begin();
	int *a = in, *b = inout, i;

	CHECK(lower && canary == 42 && !cr_lower_inside());
	free(malloc(100));
	calls++;
	for (i = 0; i < *n; i++)
		if (a[i] > b[i])
			b[i] = a[i];
	cr_lower_callback_end(lower);
}

static void exchange(char *a, char *b, int n, int tag)
{
	MPI_Status status;

	memset(a, rank + tag, (size_t)n);
	CHECK(!CR_LOWER(L.Sendrecv(a, n, L.byte, next, tag, b, n, L.byte,
				   previous, tag, L.world, &status)));
	CHECK(b[0] == (char)(previous + tag));
	CHECK(b[n - 1] == (char)(previous + tag));
	CHECK(status.MPI_SOURCE == previous && status.MPI_TAG == tag);
}

static void reduce(void)
{
	int one = rank + 1, all = 0;
	double x = rank + 1, y = 0;
	MPI_Op op;

	CHECK(!CR_LOWER(L.Allreduce(&one, &all, 1, L.integer, L.sum,
				    L.world)));
	CHECK(all == size * (size + 1) / 2);
	CHECK(!CR_LOWER(L.Allreduce(&x, &y, 1, L.real, L.sum, L.world)));
	CHECK(y == size * (size + 1) / 2);
	CHECK(!CR_LOWER(L.Op_create(larger, 1, &op)));
	CHECK(!CR_LOWER(L.Allreduce(&one, &all, 1, L.integer, op, L.world)));
	CHECK(all == size && (size == 1 || calls > 0));
	CHECK(!CR_LOWER(L.Op_free(&op)));
}

static void *talk(void *arg)
{
	static __thread char a[70000], b[70000];
	int tag = 100 + (int)(long)arg, i;

	for (i = 0; i < 200; i++)
		exchange(a, b, i % 50 ? 64 : 70000, tag);
	return NULL;
}

static void *ask(void *arg)
{
	CHECK(lower_rank() == rank);
	return NULL;
}

static void run_threads(int provided)
{
	pthread_t t[4];
	int i;

	if (provided == MPI_THREAD_MULTIPLE) {
		for (i = 0; i < 4; i++)
			CHECK(!pthread_create(&t[i], NULL, talk,
					      (void *)(long)i));
		for (i = 0; i < 4; i++)
			pthread_join(t[i], NULL);
	}
	for (i = 0; i < 100; i++) {
		CHECK(!pthread_create(&t[0], NULL, ask, NULL));
		pthread_join(t[0], NULL);
	}
}

static void run_children(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(cr_lower.generation != 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(system("exit 3") == 3 << 8);
}

/* For the test of segment.c. */
static void list_libraries(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long start;
	char line[4352];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-", &start) == 1 &&
		    cr_lower_owns((void *)start) && strstr(line, " r-xp ") &&
		    strchr(line, '/'))
			fputs(strchr(line, '/'), stdout);
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	static char a[LARGEST], b[LARGEST];
	struct cr_error err = { 0 };
	int provided, n, k;

	provided = lower_mpi_up(environ, argc > 1 ? MPI_THREAD_MULTIPLE :
						    MPI_THREAD_SERIALIZED);
	CHECK(!cr_lower.switching || !cr_lower.fsgsbase || getenv("CR_MPI_GS"));
	rank = lower_rank();
	size = lower_size();
	next = (rank + 1) % size;
	previous = (rank + size - 1) % size;
	for (n = 8; n <= LARGEST; n *= 8)
		for (k = 0; k < 20; k++)
			exchange(a, b, n, k);
	reduce();
	run_children();
	exchange(a, b, LARGEST, 1);
	run_threads(provided);
	CHECK(!CR_LOWER(L.Barrier(L.world)));
	if (getenv("CR_LOWER_LIST"))
		list_libraries();
	CHECK(!cr_lower_check(false, &err));
	CHECK(!CR_LOWER(L.Finalize()));
	cr_lower_flush();
	if (rank == 0)
		printf("%d ranks, level %d: right\n", size, provided);
	return 0;
}
