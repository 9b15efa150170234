// SPDX-License-Identifier: GPL-2.0-or-later
/* heat2d.c - heat flowing through a square plate, an ordinary MPI program
 *
 * usage: heat2d [-n SIZE] [-i ITERATIONS] [-o FILE] [-p PREFIX] [-s STOP]
 *
 * The plate has SIZE x SIZE points; each rank has a block of rows.  In each
 * iteration neighbours exchange their border rows while the inside is being
 * computed; every hundredth one all ranks agree on the change (residual).
 * At the end rank 0 writes the field to FILE: SIZE*SIZE doubles, the same
 * bits for any number of ranks.  With -p, a thread in each rank writes once
 * a second how far it is, to PREFIX.RANK.  With -s, it ends early, at the next
 * report, when a file STOP appears.
 *
 * Nothing in here knows of checkpoints.
 */
#define _GNU_SOURCE
#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct {
	int size, iterations;
	const char *output, *progress, *stop;
} opt = { 512, 2000, "heat2d.out", NULL, NULL };

static int rank, ranks;
static int first, rows;		/* my rows: first .. first + rows - 1 */

/* Row r of my block, 0 .. rows + 1; the first and last are my neighbours'. */
#define ROW(field, r) ((field) + (size_t)(r) * opt.size)

/* --- the thread that reports -------------------------------------------- */

static atomic_int iteration;
static int finished;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t finish = PTHREAD_COND_INITIALIZER;

static void *report(void *arg)
{
	struct timespec t;
	char name[4096];
	FILE *f;

	snprintf(name, sizeof(name), "%s.%d", opt.progress, rank);
	f = fopen(name, "w");
	if (!f) {
		perror(name);
		return NULL;
	}
	pthread_mutex_lock(&lock);
	while (!finished) {
		fprintf(f, "rank %d: iteration %d of %d\n", rank,
			atomic_load(&iteration), opt.iterations);
		fflush(f);
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_sec++;
		pthread_cond_timedwait(&finish, &lock, &t);
	}
	pthread_mutex_unlock(&lock);
	fprintf(f, "rank %d: done\n", rank);
	fclose(f);
	return NULL;
}

/* --- the plate ----------------------------------------------------------- */

/* Cold, but for a hot edge on top and a warm spot off the centre. */
static double initial(int y, int x)
{
	int dy = y - opt.size / 3, dx = x - opt.size / 2;

	if (y == 0)
		return 100.0;
	return dy * dy + dx * dx < opt.size * opt.size / 64 ? 50.0 : 0.0;
}

static void fill(double *field)
{
	int r, x;

	for (r = 0; r < rows + 2; r++)
		for (x = 0; x < opt.size; x++)
			ROW(field, r)[x] = initial(first + r - 1, x);
}

/* One row forward in time; edges of the plate stay.  Gives the change. */
static double step_row(const double *old, double *new, int r)
{
	const double *up = ROW(old, r - 1), *mid = ROW(old, r);
	const double *down = ROW(old, r + 1);
	double change = 0, d;
	int x, y = first + r - 1;

	if (y == 0 || y == opt.size - 1)
		return 0;
	for (x = 1; x < opt.size - 1; x++) {
		d = 0.2 * (up[x] + down[x] + mid[x - 1] + mid[x + 1] - 4 * mid[x]);
		ROW(new, r)[x] = mid[x] + d;
		change += d * d;
	}
	return change;
}

/* All my rows forward: the inside while the borders travel. */
static double step(double *old, double *new)
{
	int above = rank > 0 ? rank - 1 : MPI_PROC_NULL;
	int below = rank < ranks - 1 ? rank + 1 : MPI_PROC_NULL;
	double change = 0;
	MPI_Request req[4];
	int r;

	MPI_Irecv(ROW(old, 0), opt.size, MPI_DOUBLE, above, 1,
		  MPI_COMM_WORLD, &req[0]);
	MPI_Irecv(ROW(old, rows + 1), opt.size, MPI_DOUBLE, below, 2,
		  MPI_COMM_WORLD, &req[1]);
	MPI_Isend(ROW(old, 1), opt.size, MPI_DOUBLE, above, 2,
		  MPI_COMM_WORLD, &req[2]);
	MPI_Isend(ROW(old, rows), opt.size, MPI_DOUBLE, below, 1,
		  MPI_COMM_WORLD, &req[3]);
	for (r = 2; r < rows; r++)
		change += step_row(old, new, r);
	MPI_Waitall(4, req, MPI_STATUSES_IGNORE);
	change += step_row(old, new, 1);
	if (rows > 1)
		change += step_row(old, new, rows);
	return change;
}

/* All ranks end at the same iteration: rank 0 looks for the others, too. */
static int stopped(void)
{
	int stop;

	if (!opt.stop)
		return 0;
	stop = access(opt.stop, F_OK) == 0;
	MPI_Bcast(&stop, 1, MPI_INT, 0, MPI_COMM_WORLD);
	return stop;
}

static double *iterate(double *old, double *new)
{
	double change, all = 0, *t;
	int i;

	for (i = 1; i <= opt.iterations; i++) {
		change = step(old, new);
		t = old, old = new, new = t;
		atomic_store(&iteration, i);
		if (i % 100 && i != opt.iterations)
			continue;
		MPI_Allreduce(&change, &all, 1, MPI_DOUBLE, MPI_SUM,
			      MPI_COMM_WORLD);
		if (rank == 0 && (i % 1000 == 0 || i == opt.iterations)) {
			printf("iteration %d residual %.17g\n", i, all);
			fflush(stdout);
		}
		if (i % 1000 == 0 && stopped())
			opt.iterations = i;
	}
	return old;
}

/* --- the result ---------------------------------------------------------- */

static int first_row_of(int r)
{
	return (int)((long)opt.size * r / ranks);
}

static int write_field(double *field)
{
	int *counts = calloc(ranks, sizeof(*counts));
	int *starts = calloc(ranks, sizeof(*starts));
	size_t points = (size_t)opt.size * opt.size;
	double *all = rank == 0 ? malloc(points * sizeof(*all)) : NULL;
	int r, ok = 1;
	FILE *f;

	for (r = 0; r < ranks; r++) {
		starts[r] = first_row_of(r) * opt.size;
		counts[r] = first_row_of(r + 1) * opt.size - starts[r];
	}
	MPI_Gatherv(ROW(field, 1), rows * opt.size, MPI_DOUBLE, all, counts,
		    starts, MPI_DOUBLE, 0, MPI_COMM_WORLD);
	if (rank == 0) {
		f = fopen(opt.output, "w");
		ok = f && fwrite(all, sizeof(*all), points, f) == points;
		if (!f || fclose(f) != 0 || !ok) {
			perror(opt.output);
			ok = 0;
		}
	}
	free(all);
	free(counts);
	free(starts);
	return ok;
}

int main(int argc, char **argv)
{
	double *a, *b, t;
	pthread_t reporter;
	int level, c, ok;

	MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	while ((c = getopt(argc, argv, "n:i:o:p:s:")) != -1) {
		switch (c) {
		case 'n': opt.size = atoi(optarg); break;
		case 'i': opt.iterations = atoi(optarg); break;
		case 'o': opt.output = optarg; break;
		case 'p': opt.progress = optarg; break;
		case 's': opt.stop = optarg; break;
		default: MPI_Abort(MPI_COMM_WORLD, 2);
		}
	}
	if (opt.size < ranks || opt.size > 30000) {
		fprintf(stderr, "heat2d: size %d, with %d ranks?\n", opt.size,
			ranks);
		MPI_Abort(MPI_COMM_WORLD, 2);
	}
	first = first_row_of(rank);
	rows = first_row_of(rank + 1) - first;

	a = malloc((size_t)(rows + 2) * opt.size * sizeof(*a));
	b = malloc((size_t)(rows + 2) * opt.size * sizeof(*b));
	if (!a || !b)
		MPI_Abort(MPI_COMM_WORLD, 1);
	fill(a);
	fill(b);
	if (opt.progress)
		pthread_create(&reporter, NULL, report, NULL);

	t = MPI_Wtime();
	ok = write_field(iterate(a, b));
	if (rank == 0 && ok)
		printf("done: %s, %.1f s\n", opt.output, MPI_Wtime() - t);

	if (opt.progress) {
		pthread_mutex_lock(&lock);
		finished = 1;
		pthread_cond_signal(&finish);
		pthread_mutex_unlock(&lock);
		pthread_join(reporter, NULL);
	}
	free(a);
	free(b);
	MPI_Finalize();
	return ok ? 0 : 1;
}
