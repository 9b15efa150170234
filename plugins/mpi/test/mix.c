/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mix.c - an MPI program whose result shows every message lost, doubled or
 * swapped
 *
 *	mix STEPS|STOP [SEED [KINDS]]
 *
 * It takes so many steps, or goes on until a file STOP exists and says then
 * how many they were: so it never ends before a test is done with it.
 * Each step is one of many patterns, chosen by a random number that all
 * ranks share; what is sent depends on all that was received before.  The
 * last line of rank 0 is a checksum over everything.  KINDS, a string of the
 * letters below, restricts the patterns.
 */
#include <limits.h>
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mix.h"

int rank, size;
uint64_t shared, own, sum;
uint64_t *a, *b;
MPI_Comm world2;
long step;

uint64_t draw(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

void add(const uint64_t *v, int n)
{
	for (int i = 0; i < n; i++)
		sum = (sum ^ v[i]) * 0x100000001b3ull + 1;
}

void fill(uint64_t *v, int n)
{
	for (int i = 0; i < n; i++)
		v[i] = sum + i + rank;
}

int words(void)
{
	int bits = draw(&shared) % 17;

	return 1 + draw(&shared) % (1u << bits);
}

void pause_some(void)
{
	uint64_t r = draw(&own);

	if (r % 8 == 0)
		usleep(r / 8 % 3000);
	else if (r % 8 == 1)
		for (volatile int i = 0; i < 20000; i++)
			;
}

void must(int true_, const char *what)
{
	if (true_)
		return;
	fprintf(stderr, "rank %d, step %ld: %s\n", rank, step, what);
	MPI_Abort(MPI_COMM_WORLD, 5);
}

/* h: halo, nonblocking */
static void halo(void)
{
	int n = words(), left = (rank + size - 1) % size;
	int right = (rank + 1) % size;
	uint64_t *l = malloc(n * 8), *r = malloc(n * 8);
	MPI_Request q[4];

	fill(a, n);
	MPI_Irecv(l, n, MPI_UINT64_T, left, 1, MPI_COMM_WORLD, &q[0]);
	MPI_Irecv(r, n, MPI_UINT64_T, right, 2, world2, &q[1]);
	pause_some();
	MPI_Isend(a, n, MPI_UINT64_T, right, 1, MPI_COMM_WORLD, &q[2]);
	MPI_Isend(a, n, MPI_UINT64_T, left, 2, world2, &q[3]);
	pause_some();
	MPI_Waitall(4, q, MPI_STATUSES_IGNORE);
	add(l, n);
	add(r, n);
	free(l);
	free(r);
}

/* r: ring of Sendrecv */
static void ring(void)
{
	int n = words();
	MPI_Status st;

	fill(a, n);
	MPI_Sendrecv(a, n, MPI_UINT64_T, (rank + 1) % size, 3, b, MAX_WORDS,
		     MPI_UINT64_T, (rank + size - 1) % size, 3, MPI_COMM_WORLD,
		     &st);
	MPI_Get_count(&st, MPI_UINT64_T, &n);
	add(b, n);
	sum += st.MPI_SOURCE;
}

/* c: collectives */
static void collective(void)
{
	int n = words() % 4096 + 1, root = draw(&shared) % size;
	uint64_t *all = malloc(n * 8 * size);

	pause_some();
	switch (draw(&shared) % 9) {
	case 0:
		fill(a, n);
		MPI_Allreduce(a, b, n, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
		break;
	case 1:
		fill(b, n);
		MPI_Allreduce(MPI_IN_PLACE, b, n, MPI_UINT64_T, MPI_BXOR,
			      world2);
		break;
	case 2:
		fill(b, n);
		MPI_Bcast(b, n, MPI_UINT64_T, root, MPI_COMM_WORLD);
		break;
	case 3:
		fill(b, n);
		if (rank == root)
			MPI_Reduce(MPI_IN_PLACE, b, n, MPI_UINT64_T, MPI_SUM,
				   root, MPI_COMM_WORLD);
		else
			MPI_Reduce(b, NULL, n, MPI_UINT64_T, MPI_SUM, root,
				   MPI_COMM_WORLD);
		break;
	case 4:
		fill(a, n);
		MPI_Gather(a, n, MPI_UINT64_T, all, n, MPI_UINT64_T, root,
			   MPI_COMM_WORLD);
		memset(b, 0, n * 8);
		if (rank == root)
			add(all, n * size);
		break;
	case 5:
		fill(all, n * size);
		MPI_Scatter(all, n, MPI_UINT64_T, b, n, MPI_UINT64_T, root,
			    MPI_COMM_WORLD);
		break;
	case 6:
		fill(all, n * size);
		MPI_Alltoall(MPI_IN_PLACE, n, MPI_UINT64_T, all, n,
			     MPI_UINT64_T, MPI_COMM_WORLD);
		memcpy(b, all, n * 8);
		add(all, n * size);
		break;
	case 7:
		fill(b, n);
		MPI_Scan(MPI_IN_PLACE, b, n, MPI_UINT64_T, MPI_SUM,
			 MPI_COMM_WORLD);
		break;
	default:
		MPI_Barrier(MPI_COMM_WORLD);
		memset(b, 0, n * 8);
	}
	add(b, n);
	free(all);
}

/* w: wildcards, in any order */
static void wildcard(void)
{
	int root = draw(&shared) % size, n = words() % 2000 + 1;
	uint64_t got = 0;
	MPI_Status st;

	pause_some();
	if (rank != root) {
		fill(a, n);
		MPI_Send(a, n, MPI_UINT64_T, root, 10 + rank, MPI_COMM_WORLD);
		MPI_Barrier(world2); /* the next step is not to be caught */
		return;
	}
	for (int i = 1; i < size; i++) {
		int count;

		MPI_Recv(b, MAX_WORDS, MPI_UINT64_T, MPI_ANY_SOURCE,
			 MPI_ANY_TAG, MPI_COMM_WORLD, &st);
		MPI_Get_count(&st, MPI_UINT64_T, &count);
		if (st.MPI_TAG != 10 + st.MPI_SOURCE || count != n)
			MPI_Abort(MPI_COMM_WORLD, 3);
		for (int k = 0; k < count; k++)
			got += b[k] * (k + 1) * (st.MPI_SOURCE + 1);
	}
	add(&got, 1);
	MPI_Barrier(world2);
}

/* u: several messages that wait long before they are received */
static void unexpected(void)
{
	int n = words() % 9000 + 1, count = 1 + draw(&shared) % 5;
	MPI_Request q[8];
	uint64_t *v[8];

	for (int i = 0; i < count; i++) {
		v[i] = malloc(n * 8);
		fill(v[i], n);
		v[i][0] += i;
		MPI_Isend(v[i], n, MPI_UINT64_T, (rank + 1) % size, 20,
			  MPI_COMM_WORLD, &q[i]);
	}
	pause_some();
	usleep(draw(&own) % 2000);
	MPI_Barrier(world2);
	for (int i = 0; i < count; i++) {
		MPI_Status st;
		int have;

		if (i % 3 == 1) {
			MPI_Message m;

			MPI_Mprobe((rank + size - 1) % size, 20,
				   MPI_COMM_WORLD, &m, &st);
			pause_some();
			MPI_Get_count(&st, MPI_UINT64_T, &have);
			MPI_Mrecv(b, have, MPI_UINT64_T, &m, &st);
		} else if (i % 3 == 2) {
			MPI_Probe(MPI_ANY_SOURCE, 20, MPI_COMM_WORLD, &st);
			MPI_Recv(b, MAX_WORDS, MPI_UINT64_T, st.MPI_SOURCE, 20,
				 MPI_COMM_WORLD, &st);
		} else {
			MPI_Request in;

			MPI_Irecv(b, MAX_WORDS, MPI_UINT64_T, MPI_ANY_SOURCE,
				  20, MPI_COMM_WORLD, &in);
			pause_some();
			MPI_Wait(&in, &st);
		}
		MPI_Get_count(&st, MPI_UINT64_T, &have);
		if (have != n)
			MPI_Abort(MPI_COMM_WORLD, 4);
		add(b, have);
	}
	MPI_Waitall(count, q, MPI_STATUSES_IGNORE);
	for (int i = 0; i < count; i++)
		free(v[i]);
}

/* k: communicators made, used and freed */
static void communicators(void)
{
	MPI_Comm c, d;
	int r, n;

	MPI_Comm_split(MPI_COMM_WORLD, (rank + step) % 2, -rank, &c);
	MPI_Comm_rank(c, &r);
	MPI_Comm_size(c, &n);
	fill(a, 4);
	MPI_Allreduce(a, b, 4, MPI_UINT64_T, MPI_SUM, c);
	add(b, 4);
	pause_some();
	MPI_Comm_dup(c, &d);
	MPI_Comm_free(&c);
	MPI_Sendrecv(a, 4, MPI_UINT64_T, (r + 1) % n, 1, b, 4, MPI_UINT64_T,
		     (r + n - 1) % n, 1, d, MPI_STATUS_IGNORE);
	add(b, 4);
	pause_some();
	MPI_Comm_free(&d);
}

/* d: derived datatypes, kept over steps */
static MPI_Datatype column;
static void datatype(void)
{
	if (column == MPI_DATATYPE_NULL) {
		MPI_Datatype v;

		MPI_Type_vector(16, 1, 16, MPI_UINT64_T, &v);
		MPI_Type_create_resized(v, 0, 8, &column);
		MPI_Type_commit(&column);
		MPI_Type_free(&v);
	}
	fill(a, 256);
	memset(b, 0, 256 * 8);
	pause_some();
	MPI_Sendrecv(a, 16, column, (rank + 1) % size, 5, b, 256,
		     MPI_UINT64_T, MPI_ANY_SOURCE, 5, MPI_COMM_WORLD,
		     MPI_STATUS_IGNORE);
	add(b, 256);
	MPI_Barrier(MPI_COMM_WORLD);
	if (draw(&shared) % 5 == 0)
		MPI_Type_free(&column);
}

/* p: persistent requests, kept over steps */
static MPI_Request persistent[2];
static uint64_t pbuf[2][512];
static void persist(void)
{
	if (persistent[0] == MPI_REQUEST_NULL) {
		MPI_Send_init(pbuf[0], 512, MPI_UINT64_T, (rank + 1) % size, 7,
			      world2, &persistent[0]);
		MPI_Recv_init(pbuf[1], 512, MPI_UINT64_T,
			      (rank + size - 1) % size, 7, world2,
			      &persistent[1]);
	}
	fill(pbuf[0], 512);
	MPI_Startall(2, persistent);
	pause_some();
	MPI_Waitall(2, persistent, MPI_STATUSES_IGNORE);
	add(pbuf[1], 512);
	if (draw(&shared) % 7 == 0) {
		MPI_Request_free(&persistent[0]);
		MPI_Request_free(&persistent[1]);
	}
}

/* o: own operation */
static void op_cb(void *in, void *inout, int *n, MPI_Datatype *type)
{
	uint64_t *x = in, *y = inout;

	if (*type != MPI_UINT64_T)
		abort();
	for (int i = 0; i < *n; i++)
		y[i] = y[i] * 3 + x[i];
}
static MPI_Op op;
static void operation(void)
{
	if (op == MPI_OP_NULL)
		MPI_Op_create(op_cb, 0, &op);
	fill(a, 100);
	pause_some();
	MPI_Allreduce(a, b, 100, MPI_UINT64_T, op, MPI_COMM_WORLD);
	add(b, 100);
	if (draw(&shared) % 5 == 0)
		MPI_Op_free(&op);
}

/* t: polling */
static void testing(void)
{
	MPI_Request q[2];
	int done = 0, index, left = 2;
	MPI_Status st;

	fill(a, 3000);
	MPI_Irecv(b, 3000, MPI_UINT64_T, MPI_ANY_SOURCE, 30, world2, &q[0]);
	MPI_Isend(a, 3000, MPI_UINT64_T, (rank + 1) % size, 30, world2, &q[1]);
	while (left) {
		if (left == 2)
			MPI_Testany(2, q, &index, &done, &st);
		else
			MPI_Testall(2, q, &done, MPI_STATUSES_IGNORE);
		if (done)
			left = left == 2 ? 1 : 0;
		pause_some();
	}
	add(b, 3000);
	MPI_Barrier(MPI_COMM_WORLD);
}

/* Rank 0 looks whether name exists, for all. */
static int stopped(const char *name)
{
	int stop = access(name, F_OK) == 0;

	MPI_Bcast(&stop, 1, MPI_INT, 0, world2);
	return stop;
}

int main(int argc, char **argv)
{
	static const struct {
		char letter;
		void (*f)(void);
	} kinds[] = {
		{ 'h', halo },	   { 'r', ring },     { 'c', collective },
		{ 'w', wildcard }, { 'u', unexpected }, { 'k', communicators },
		{ 'd', datatype }, { 'p', persist },  { 'o', operation },
		{ 't', testing },  { 's', modes },	{ 'i', in_place },
		{ 'x', cancelled }, { 'y', layouts },	{ 'a', attributes },
		{ 'q', restarted_requests }, { 'n', order },
		{ 'l', noncommutative },
	};
	const char *only = argc > 3 ? argv[3] : "hrcwukdpotsixyaqnl";
	uint64_t total;
	const char *stop = argc > 1 ? argv[1] : "100";
	long steps = atol(stop) ? atol(stop) : LONG_MAX;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	MPI_Comm_dup(MPI_COMM_WORLD, &world2);
	MPI_Comm_set_name(world2, "world2");
	column = MPI_DATATYPE_NULL;
	op = MPI_OP_NULL;
	persistent[0] = persistent[1] = MPI_REQUEST_NULL;
	shared = argc > 2 ? strtoull(argv[2], NULL, 0) * 2654435761u + 1 : 88172;
	own = getpid() * 6364136223846793005ull + 1;
	a = calloc(MAX_WORDS, 8);
	b = calloc(MAX_WORDS, 8);
	for (step = 0; step < steps; step++) {
		char letter = only[draw(&shared) % strlen(only)];

		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			if (kinds[k].letter == letter)
				kinds[k].f();
		if (step % 50 != 49)
			continue;
		if (rank == 0) {
			printf("step %ld\n", step + 1);
			fflush(stdout);
		}
		if (stopped(stop))
			steps = step + 1;
	}
	total = 0;
	MPI_Reduce(&sum, &total, 1, MPI_UINT64_T, MPI_BXOR, 0, MPI_COMM_WORLD);
	if (rank == 0)
		printf("checksum %016llx after %ld steps\n",
		       (unsigned long long)total, steps);
	MPI_Finalize();
	return 0;
}
