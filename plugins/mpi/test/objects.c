/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * objects.c - objects made once and used for ever: topologies,
 * intercommunicators, error handlers, the buffer of buffered sends, persistent
 * requests
 *
 *	objects STOP
 *
 * Every step looks at all of them and uses them; what is not as it was made
 * ends the program.  It goes on until a file STOP exists.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int rank, size;
static long step;

#define MUST(cond)                                                         \
	do {                                                               \
		if (!(cond)) {                                             \
			fprintf(stderr, "rank %d, step %ld, line %d: %s\n", \
				rank, step, __LINE__, #cond);              \
			MPI_Abort(MPI_COMM_WORLD, 3);                      \
		}                                                          \
	} while (0)

static int after(int n) { return (rank + n) % size; }
static int before(int n) { return (rank + size - n) % size; }

/* ---- a ring as a graph ---- */

static MPI_Comm graph;

static void graph_make(void)
{
	int *index = calloc(size, sizeof(int));
	int *edges = calloc(2 * size, sizeof(int));

	for (int i = 0; i < size; i++) {
		index[i] = 2 * (i + 1);
		edges[2 * i] = (i + size - 1) % size;
		edges[2 * i + 1] = (i + 1) % size;
	}
	MPI_Graph_create(MPI_COMM_WORLD, size, index, edges, 0, &graph);
	free(index);
	free(edges);
}

static void graph_use(void)
{
	int kind, n, m, who[2], out, in[2];

	MPI_Topo_test(graph, &kind);
	MUST(kind == MPI_GRAPH);
	MPI_Graphdims_get(graph, &n, &m);
	MUST(n == size && m == 2 * size);
	MPI_Graph_neighbors_count(graph, rank, &n);
	MUST(n == 2);
	MPI_Graph_neighbors(graph, rank, 2, who);
	MUST(who[0] == before(1) && who[1] == after(1));
	out = 1000 * step + rank;
	MPI_Neighbor_allgather(&out, 1, MPI_INT, in, 1, MPI_INT, graph);
	MUST(in[0] == 1000 * step + before(1));
	MUST(in[1] == 1000 * step + after(1));
}

/* ---- directed graphs, with weights and without ---- */

static MPI_Comm adjacent, general;

static void dist_make(void)
{
	int source = before(1), sweight = 10 + source;
	int dest = after(1), dweight = 10 + rank;
	int node = rank, degree = 2, to[2] = { after(1), rank };

	MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 1, &source, &sweight, 1,
				       &dest, &dweight, MPI_INFO_NULL, 0,
				       &adjacent);
	MPI_Dist_graph_create(MPI_COMM_WORLD, 1, &node, &degree, to,
			      MPI_UNWEIGHTED, MPI_INFO_NULL, 0, &general);
}

static void dist_use(void)
{
	int in, out, weighted, from[2], to[2], fw[2], tw[2], mine, got[2];

	MPI_Dist_graph_neighbors_count(adjacent, &in, &out, &weighted);
	MUST(in == 1 && out == 1 && weighted);
	MPI_Dist_graph_neighbors(adjacent, 1, from, fw, 1, to, tw);
	MUST(from[0] == before(1) && fw[0] == 10 + before(1));
	MUST(to[0] == after(1) && tw[0] == 10 + rank);
	mine = rank - step;
	MPI_Neighbor_alltoall(&mine, 1, MPI_INT, got, 1, MPI_INT, adjacent);
	MUST(got[0] == before(1) - step);

	MPI_Dist_graph_neighbors_count(general, &in, &out, &weighted);
	MUST(in == 2 && out == 2 && !weighted);
	MPI_Dist_graph_neighbors(general, 2, from, MPI_UNWEIGHTED, 2, to,
				 MPI_UNWEIGHTED);
	mine = rank * 7 + step;
	MPI_Neighbor_allgather(&mine, 1, MPI_INT, got, 1, MPI_INT, general);
	for (int i = 0; i < 2; i++)
		MUST(got[i] == from[i] * 7 + step);
}

/* ---- a torus and its rows ---- */

static MPI_Comm torus, row;

static void cart_make(void)
{
	int dims[2] = { size, 1 }, periods[2] = { 1, 0 }, keep[2] = { 1, 0 };
	MPI_Comm first;

	MPI_Cart_create(MPI_COMM_WORLD, 2, dims, periods, 0, &first);
	MPI_Comm_dup(first, &torus);
	MPI_Comm_free(&first);
	MPI_Cart_sub(torus, keep, &row);
}

static void cart_use(void)
{
	int from, to, at[2], out[2] = { rank, -rank }, in[2];

	MPI_Cart_shift(torus, 0, 1, &from, &to);
	MUST(from == before(1) && to == after(1));
	MPI_Cart_shift(torus, 1, 1, &from, &to);
	MUST(from == MPI_PROC_NULL && to == MPI_PROC_NULL);
	MPI_Cart_coords(torus, after(1), 2, at);
	MUST(at[0] == after(1) && at[1] == 0);
	MPI_Neighbor_alltoall(out, 1, MPI_INT, in, 1, MPI_INT, row);
	/* towards before, towards after: what comes from there */
	MUST(size == 2 || (in[0] == -before(1) && in[1] == after(1)));
}

/* ---- two intercommunicators of the same groups, and both in one ---- */

static MPI_Comm half, inter[2], whole;
static int n_low, high;

static void inter_make(void)
{
	n_low = (size + 1) / 2;
	high = rank >= n_low;
	MPI_Comm_split(MPI_COMM_WORLD, high, rank, &half);
	for (int i = 0; i < 2; i++)
		MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, high ? 0 : n_low,
				     5, &inter[i]);
	MPI_Intercomm_merge(inter[0], high, &whole);
}

static void inter_use(void)
{
	int n, r, others = high ? n_low : size - n_low;
	int peer = rank - (high ? n_low : 0);
	int want = high ? n_low * (n_low - 1) / 2 :
			  size * (size - 1) / 2 - n_low * (n_low - 1) / 2;

	for (int i = 0; i < 2; i++) {
		MPI_Comm_remote_size(inter[i], &n);
		MUST(n == others);
		MPI_Allreduce(&rank, &n, 1, MPI_INT, MPI_SUM, inter[i]);
		MUST(n == want);
	}
	/* messages of the one do not come out of the other */
	if (peer < others) {
		MPI_Request q[2];
		int out[2] = { rank + step, rank - step }, in[2];

		for (int i = 0; i < 2; i++)
			MPI_Isend(&out[i], 1, MPI_INT, peer, 1, inter[i],
				  &q[i]);
		for (int i = 1; i >= 0; i--)
			MPI_Recv(&in[i], 1, MPI_INT, peer, 1, inter[i],
				 MPI_STATUS_IGNORE);
		MPI_Waitall(2, q, MPI_STATUSES_IGNORE);
		r = peer + (high ? 0 : n_low);
		MUST(in[0] == r + step && in[1] == r - step);
	}
	MPI_Comm_size(whole, &n);
	MPI_Comm_rank(whole, &r);
	MUST(n == size && r == rank);
}

/* ---- error handlers: our own, inherited by a duplicate, and "return" ---- */

static MPI_Comm strict, heir, silent;
static int errors, last_class;
static MPI_Comm errors_on;

static void on_error(MPI_Comm *comm, int *code, ...)
{
	errors++;
	errors_on = *comm;
	MPI_Error_class(*code, &last_class);
}

static void errors_make(void)
{
	MPI_Errhandler e;

	MPI_Comm_dup(MPI_COMM_WORLD, &strict);
	MPI_Comm_dup(MPI_COMM_WORLD, &silent);
	MPI_Comm_create_errhandler(on_error, &e);
	MPI_Comm_set_errhandler(strict, e);
	MPI_Errhandler_free(&e);
	MPI_Comm_dup(strict, &heir);
	MPI_Comm_set_errhandler(silent, MPI_ERRORS_RETURN);
}

static void errors_use(void)
{
	MPI_Errhandler e;
	int n = 0, r, class, before_ = errors;

	MUST(MPI_Send(&n, 1, MPI_INT, size, 0, heir) != MPI_SUCCESS);
	MUST(errors == before_ + 1 && errors_on == heir);
	MUST(last_class == MPI_ERR_RANK);
	MUST(MPI_Bcast(&n, 1, MPI_INT, -5, strict) != MPI_SUCCESS);
	MUST(errors == before_ + 2 && errors_on == strict);
	MPI_Comm_call_errhandler(strict, MPI_ERR_TAG);
	MUST(errors == before_ + 3 && last_class == MPI_ERR_TAG);
	r = MPI_Send(&n, 1, MPI_INT, size, 0, silent);
	MPI_Error_class(r, &class);
	MUST(class == MPI_ERR_RANK && errors == before_ + 3);
	MPI_Comm_get_errhandler(silent, &e);
	MUST(e == MPI_ERRORS_RETURN);
	MPI_Errhandler_free(&e);
	/* a message that is too long, is truncated on arrival */
	MPI_Sendrecv(&step, sizeof(step), MPI_BYTE, after(1), 3, &n, sizeof(n),
		     MPI_BYTE, before(1), 3, heir, MPI_STATUS_IGNORE);
	MUST(errors == before_ + 4 && last_class == MPI_ERR_TRUNCATE);
}

/* ---- buffered sends, under way over many steps ---- */

#define DEPTH 4
static char room[DEPTH * 4 * (4096 + MPI_BSEND_OVERHEAD)];
static long bsent, breceived;

static void breceive(void)
{
	static int in[1024];

	MPI_Recv(in, 1024, MPI_INT, before(1), 4, MPI_COMM_WORLD,
		 MPI_STATUS_IGNORE);
	for (int i = 0; i < 1024; i++)
		MUST(in[i] == breceived + i * (before(1) + 1));
	breceived++;
}

static void bsend_use(void)
{
	static int out[1024];
	void *old;
	int n;

	if (bsent == 0)
		MPI_Buffer_attach(room, sizeof(room));
	for (int i = 0; i < 1024; i++)
		out[i] = bsent + i * (rank + 1);
	MPI_Bsend(out, 1024, MPI_INT, after(1), 4, MPI_COMM_WORLD);
	bsent++;
	if (bsent - breceived == DEPTH)
		breceive();
	if (step % 64 == 63) {
		/* detaching may wait until all is received */
		while (breceived < bsent)
			breceive();
		MPI_Buffer_detach(&old, &n);
		MUST(old == room && n == sizeof(room));
		MPI_Buffer_attach(room, sizeof(room));
	}
}

/* ---- persistent requests, whose datatype the program has freed ---- */

static int columns[2][8 * 8];
static MPI_Request persistent[2];

static void persistent_make(void)
{
	MPI_Datatype out, in;

	MPI_Type_vector(8, 1, 8, MPI_INT, &out);
	MPI_Type_commit(&out);
	MPI_Type_vector(8, 1, 8, MPI_INT, &in);
	MPI_Type_commit(&in);
	MPI_Send_init(columns[0], 1, out, after(1), 6, torus, &persistent[0]);
	MPI_Recv_init(columns[1], 1, in, before(1), 6, torus, &persistent[1]);
	MPI_Type_free(&out);
	MPI_Type_free(&in);
}

static void persistent_use(void)
{
	for (int i = 0; i < 64; i++) {
		columns[0][i] = rank * 1000 + step + i;
		columns[1][i] = -1;
	}
	MPI_Startall(2, persistent);
	MPI_Waitall(2, persistent, MPI_STATUSES_IGNORE);
	for (int i = 0; i < 64; i++)
		MUST(columns[1][i] ==
		     (i % 8 ? -1 : before(1) * 1000 + step + i));
}

/* ---- the same on a communicator that all have freed; used at the end ---- */

static MPI_Request late[2];
static int late_out, late_in;

static void late_make(void)
{
	MPI_Comm comm;

	MPI_Comm_dup(MPI_COMM_WORLD, &comm);
	MPI_Send_init(&late_out, 1, MPI_INT, after(1), 8, comm, &late[0]);
	MPI_Recv_init(&late_in, 1, MPI_INT, before(1), 8, comm, &late[1]);
	MPI_Comm_free(&comm);
}

static void late_end(void)
{
	late_out = rank * 3;
	MPI_Startall(2, late);
	MPI_Waitall(2, late, MPI_STATUSES_IGNORE);
	MUST(late_in == before(1) * 3);
	MPI_Request_free(&late[0]);
	MPI_Request_free(&late[1]);
}

/* ---- communicators made while some are late: a cut comes in between ---- */

static void slow_use(void)
{
	MPI_Comm all, in, in2;
	MPI_Group group;
	int n;

	MPI_Comm_group(MPI_COMM_WORLD, &group);
	if (rank == 0)
		usleep(300000);
	MPI_Comm_create_group(MPI_COMM_WORLD, group, 1, &all);
	if (rank == size - 1)
		usleep(300000);
	MPI_Intercomm_create(half, 0, all, high ? 0 : n_low, 1, &in);
	MPI_Comm_dup(in, &in2);
	MPI_Allreduce(&rank, &n, 1, MPI_INT, MPI_MAX, in2);
	MUST(n == (high ? n_low : size) - 1);
	MPI_Comm_free(&in2);
	MPI_Comm_free(&in);
	MPI_Comm_free(&all);
	MPI_Group_free(&group);
}

int main(int argc, char **argv)
{
	int stop = 0;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	graph_make();
	dist_make();
	cart_make();
	inter_make();
	errors_make();
	persistent_make();
	late_make();
	while (!stop) {
		graph_use();
		dist_use();
		cart_use();
		inter_use();
		errors_use();
		bsend_use();
		persistent_use();
		step++;
		if (step % 50)
			continue;
		slow_use();
		if (rank == 0) {
			printf("step %ld\n", step);
			fflush(stdout);
			stop = access(argv[1], F_OK) == 0;
		}
		MPI_Bcast(&stop, 1, MPI_INT, 0, MPI_COMM_WORLD);
	}
	while (breceived < bsent)
		breceive();
	late_end();
	if (rank == 0)
		printf("all as it was made, %ld steps\n", step);
	MPI_Finalize();
	return 0;
}
