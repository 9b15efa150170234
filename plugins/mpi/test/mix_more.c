/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mix_more.c - more patterns of the program mix */
#include <mpi.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mix.h"

#define LEFT ((rank + size - 1) % size)
#define RIGHT ((rank + 1) % size)

/* s: synchronous, ready and buffered sends; the buffer is kept over steps */
static void *attached;
static void detach(void)
{
	void *back;
	int bytes;

	MPI_Buffer_detach(&back, &bytes);
	must(back == attached && bytes == 1 << 20, "the buffer");
	free(attached);
	attached = NULL;
}

void modes(void)
{
	int n = words() % 5000 + 1, k = 1 + draw(&shared) % 4;
	uint64_t *in = malloc(n * 8 * 4);
	MPI_Request q[8];

	if (!attached) {
		attached = malloc(1 << 20);
		MPI_Buffer_attach(attached, 1 << 20);
	}
	fill(a, n);
	switch (draw(&shared) % 3) {
	case 0: /* sends that are complete when they have been received */
		for (int i = 0; i < k; i++)
			MPI_Issend(a, n, MPI_UINT64_T, RIGHT, 40, world2,
				   &q[i]);
		pause_some();
		for (int i = 0; i < k; i++)
			MPI_Recv(in + i * n, n, MPI_UINT64_T, LEFT, 40, world2,
				 MPI_STATUS_IGNORE);
		MPI_Waitall(k, q, MPI_STATUSES_IGNORE);
		break;
	case 1: /* to receives that are known to be there */
		for (int i = 0; i < k; i++)
			MPI_Irecv(in + i * n, n, MPI_UINT64_T, LEFT, 41, world2,
				  &q[i]);
		MPI_Barrier(MPI_COMM_WORLD);
		pause_some();
		for (int i = 0; i < k; i++)
			MPI_Rsend(a, n, MPI_UINT64_T, RIGHT, 41, world2);
		MPI_Waitall(k, q, MPI_STATUSES_IGNORE);
		break;
	default:
		for (int i = 0; i < k; i++)
			MPI_Bsend(a, n, MPI_UINT64_T, RIGHT, 42, world2);
		memset(a, 0xff, n * 8);
		pause_some();
		usleep(draw(&own) % 2000);
		for (int i = 0; i < k; i++)
			MPI_Recv(in + i * n, n, MPI_UINT64_T, LEFT, 42, world2,
				 MPI_STATUS_IGNORE);
	}
	add(in, n * k);
	free(in);
	if (draw(&shared) % 4 == 0)
		detach();
}

/* i: collectives whose input is where the result goes */
void in_place(void)
{
	int n = words() % 500 + 1, root = draw(&shared) % size;
	int *counts = malloc(size * sizeof(int));
	int *displs = malloc(size * sizeof(int));
	uint64_t *all = malloc(n * 8 * size);

	for (int i = 0; i < size; i++) {
		counts[i] = n;
		displs[i] = i * n;
	}
	fill(all, n * size);
	pause_some();
	switch (draw(&shared) % 9) {
	case 0:
		MPI_Reduce_scatter(MPI_IN_PLACE, all, counts, MPI_UINT64_T,
				   MPI_SUM, MPI_COMM_WORLD);
		memset(all + n, 0, n * 8 * (size - 1));
		break;
	case 1:
		MPI_Reduce_scatter_block(MPI_IN_PLACE, all, n, MPI_UINT64_T,
					 MPI_SUM, world2);
		memset(all + n, 0, n * 8 * (size - 1));
		break;
	case 2:
		MPI_Exscan(MPI_IN_PLACE, all, n * size, MPI_UINT64_T, MPI_SUM,
			   MPI_COMM_WORLD);
		if (rank == 0)
			memset(all, 0, n * 8 * size);
		break;
	case 3:
		MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, n,
			      MPI_UINT64_T, world2);
		break;
	case 4:
		MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, counts,
			       displs, MPI_UINT64_T, MPI_COMM_WORLD);
		break;
	case 5:
		if (rank == root)
			MPI_Gather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, n,
				   MPI_UINT64_T, root, world2);
		else
			MPI_Gather(all, n, MPI_UINT64_T, NULL, 0,
				   MPI_UINT64_T, root, world2);
		break;
	case 6:
		if (rank == root)
			MPI_Scatterv(all, counts, displs, MPI_UINT64_T,
				     MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, root,
				     MPI_COMM_WORLD);
		else
			MPI_Scatterv(NULL, NULL, NULL, MPI_UINT64_T, all, n,
				     MPI_UINT64_T, root, MPI_COMM_WORLD);
		break;
	case 7:
		MPI_Alltoallv(MPI_IN_PLACE, NULL, NULL, MPI_DATATYPE_NULL, all,
			      counts, displs, MPI_UINT64_T, world2);
		break;
	default:
		MPI_Allreduce(MPI_IN_PLACE, all, n * size, MPI_UINT64_T,
			      MPI_SUM, MPI_COMM_WORLD);
	}
	add(all, n * size);
	free(all);
	free(counts);
	free(displs);
}

/* x: receives that are cancelled while others are not */
void cancelled(void)
{
	uint64_t nothing[4];
	MPI_Request never, q;
	MPI_Status st;
	int flag;

	MPI_Irecv(nothing, 4, MPI_UINT64_T, LEFT, 50, world2, &never);
	MPI_Irecv(b, 100, MPI_UINT64_T, MPI_ANY_SOURCE, 51, world2, &q);
	fill(a, 100);
	pause_some();
	MPI_Send(a, 100, MPI_UINT64_T, RIGHT, 51, world2);
	pause_some();
	MPI_Cancel(&never);
	pause_some();
	MPI_Wait(&never, &st);
	MPI_Test_cancelled(&st, &flag);
	must(flag, "a receive of nothing was not cancelled");
	MPI_Wait(&q, &st);
	MPI_Test_cancelled(&st, &flag);
	must(!flag, "a receive was cancelled");
	add(b, 100);
	MPI_Barrier(MPI_COMM_WORLD);
}

/* y: messages of one layout that are received as another */
void layouts(void)
{
	static MPI_Datatype pieces, pairs;
	int lengths[3] = { 1, 3, 2 }, at[3] = { 9, 4, 0 }, count;
	struct pair {
		int32_t i;
		uint64_t u;
	} out[40], in[40];
	int blocks[2] = { 1, 1 };
	MPI_Aint places[2] = { 0, offsetof(struct pair, u) };
	MPI_Datatype types[2] = { MPI_INT32_T, MPI_UINT64_T }, plain;
	MPI_Request q[2];
	MPI_Status st;

	if (!pieces) {
		MPI_Type_indexed(3, lengths, at, MPI_UINT64_T, &pieces);
		MPI_Type_commit(&pieces);
		MPI_Type_create_struct(2, blocks, places, types, &plain);
		MPI_Type_create_resized(plain, 0, sizeof(struct pair), &pairs);
		MPI_Type_free(&plain);
		MPI_Type_commit(&pairs);
	}
	fill(a, 100);
	for (int i = 0; i < 40; i++) {
		out[i].i = i + (int)(sum & 0xffff);
		out[i].u = sum * (i + 1);
	}
	MPI_Isend(a, 7, pieces, RIGHT, 60, world2, &q[0]);
	MPI_Isend(out, 40, pairs, RIGHT, 61, world2, &q[1]);
	pause_some();
	usleep(draw(&own) % 1000);
	MPI_Probe(LEFT, 61, world2, &st);
	MPI_Get_elements(&st, pairs, &count);
	must(count == 80, "elements of a probed message");
	MPI_Recv(in, 40, pairs, LEFT, 61, world2, &st);
	for (int i = 0; i < 40; i++)
		sum = (sum ^ in[i].u) * 31 + (uint64_t)in[i].i;
	memset(b, 0, 100 * 8);
	MPI_Probe(MPI_ANY_SOURCE, 60, world2, &st);
	MPI_Get_count(&st, MPI_UINT64_T, &count);
	must(count == 42, "count of a probed message");
	pause_some();
	MPI_Recv(b, 42, MPI_UINT64_T, st.MPI_SOURCE, 60, world2, &st);
	add(b, 42);
	MPI_Waitall(2, q, MPI_STATUSES_IGNORE);
	MPI_Barrier(MPI_COMM_WORLD);
	if (draw(&shared) % 3 == 0) {
		MPI_Type_free(&pieces);
		MPI_Type_free(&pairs);
		pieces = pairs = NULL;
	}
}

/* a: attributes that are copied and deleted with their communicators */
static int copies, deletes;
static int copy_cb(MPI_Comm comm, int key, void *extra, void *in, void *out,
		   int *flag)
{
	must(extra == &copies, "extra state");
	copies++;
	*(void **)out = (char *)in + 1;
	*flag = 1;
	return MPI_SUCCESS;
}

static int delete_cb(MPI_Comm comm, int key, void *value, void *extra)
{
	deletes++;
	return MPI_SUCCESS;
}

void attributes(void)
{
	static int key = MPI_KEYVAL_INVALID;
	static MPI_Comm kept;
	MPI_Comm copy;
	char *value;
	int flag, was = deletes;

	if (key == MPI_KEYVAL_INVALID)
		MPI_Comm_create_keyval(copy_cb, delete_cb, &key, &copies);
	if (!kept) {
		MPI_Comm_dup(MPI_COMM_WORLD, &kept);
		MPI_Comm_set_attr(kept, key, (void *)1000);
	}
	pause_some();
	MPI_Comm_dup(kept, &copy);
	MPI_Comm_get_attr(copy, key, &value, &flag);
	must(flag, "an attribute is gone");
	sum = sum * 31 + (uint64_t)value;
	MPI_Comm_free(&kept);
	must(deletes == was + 1, "an attribute was not deleted");
	kept = copy;
	if (draw(&shared) % 4 == 0) {
		MPI_Comm_free(&kept);
		kept = NULL;
		must(deletes == was + 2, "an attribute was not deleted");
		MPI_Comm_free_keyval(&key);
	}
	sum = sum * 31 + (uint64_t)copies;
}

/* q: persistent requests of all modes, waited for in all ways */
void restarted_requests(void)
{
	static MPI_Request q[4] = { NULL };
	static uint64_t out[2][64], in[2][64];
	int done = 0, n, index[4];

	if (!q[0]) {
		MPI_Recv_init(in[0], 64, MPI_UINT64_T, LEFT, 70, world2, &q[0]);
		MPI_Recv_init(in[1], 64, MPI_UINT64_T, MPI_ANY_SOURCE, 71,
			      world2, &q[1]);
		MPI_Ssend_init(out[0], 64, MPI_UINT64_T, RIGHT, 70, world2,
			       &q[2]);
		MPI_Send_init(out[1], 64, MPI_UINT64_T, RIGHT, 71, world2,
			      &q[3]);
	}
	fill(out[0], 64);
	fill(out[1], 64);
	MPI_Startall(2, q);
	pause_some();
	MPI_Start(&q[2]);
	pause_some();
	MPI_Start(&q[3]);
	while (done < 4) {
		if (draw(&own) % 2)
			MPI_Waitsome(4, q, &n, index, MPI_STATUSES_IGNORE);
		else
			MPI_Testsome(4, q, &n, index, MPI_STATUSES_IGNORE);
		must(n != MPI_UNDEFINED, "no active request");
		done += n;
		pause_some();
	}
	add(in[0], 64);
	add(in[1], 64);
	MPI_Barrier(MPI_COMM_WORLD);
	if (draw(&shared) % 5 == 0)
		for (int i = 0; i < 4; i++)
			MPI_Request_free(&q[i]);
	if (q[0] == MPI_REQUEST_NULL)
		q[0] = NULL;
}

/* n: many small messages from all, none overtakes another of its sender */
void order(void)
{
	enum { MESSAGES = 20 };
	uint64_t got = 0, *next = calloc(size, 8), v[2];
	MPI_Request q[MESSAGES];
	static uint64_t mine[MESSAGES][2];
	int root = draw(&shared) % size, flag;
	MPI_Status st;

	for (int i = 0; i < MESSAGES; i++) {
		mine[i][0] = i;
		mine[i][1] = sum;
		MPI_Isend(mine[i], 2, MPI_UINT64_T, root, 80 + i % 3, world2,
			  &q[i]);
		if (i % 7 == 3)
			pause_some();
	}
	for (int i = 0; rank == root && i < MESSAGES * size; i++) {
		if (i % 3 == 0) {
			MPI_Recv(v, 2, MPI_UINT64_T, MPI_ANY_SOURCE,
				 MPI_ANY_TAG, world2, &st);
		} else {
			if (i % 3 == 1)
				MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, world2,
					  &st);
			else
				do
					MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG,
						   world2, &flag, &st);
				while (!flag);
			pause_some();
			MPI_Recv(v, 2, MPI_UINT64_T, st.MPI_SOURCE, st.MPI_TAG,
				 world2, &st);
		}
		must(v[0] == next[st.MPI_SOURCE]++ &&
			     st.MPI_TAG == 80 + (int)v[0] % 3,
		     "a message has overtaken another one");
		got += v[1] * (v[0] + 1) * (st.MPI_SOURCE + 1);
	}
	MPI_Waitall(MESSAGES, q, MPI_STATUSES_IGNORE);
	MPI_Barrier(world2);
	add(&got, 1);
	free(next);
}

/* l: an operation of our own where the order of ranks counts */
static void matrix_cb(void *in, void *inout, int *n, MPI_Datatype *type)
{
	uint64_t *x = in, *y = inout, r[4];

	for (int i = 0; i < *n; i++, x += 4, y += 4) {
		for (int k = 0; k < 4; k++)
			r[k] = x[k & 2] * y[k & 1] +
			       x[(k & 2) + 1] * y[(k & 1) + 2];
		memcpy(y, r, sizeof(r));
	}
}

void noncommutative(void)
{
	static MPI_Datatype matrix;
	static MPI_Op product;
	int root = draw(&shared) % size;

	if (!matrix) {
		MPI_Type_contiguous(4, MPI_UINT64_T, &matrix);
		MPI_Type_commit(&matrix);
		MPI_Op_create(matrix_cb, 0, &product);
	}
	fill(b, 400);
	pause_some();
	switch (draw(&shared) % 4) {
	case 0:
		MPI_Allreduce(MPI_IN_PLACE, b, 100, matrix, product, world2);
		break;
	case 1:
		MPI_Scan(MPI_IN_PLACE, b, 100, matrix, product, MPI_COMM_WORLD);
		break;
	case 2:
		fill(a, 400);
		MPI_Allreduce(a, b, 100, matrix, product, MPI_COMM_WORLD);
		break;
	default:
		fill(a, 400);
		MPI_Reduce(a, b, 100, matrix, product, root, world2);
		if (rank != root)
			memset(b, 0, 400 * 8);
	}
	add(b, 400);
	if (draw(&shared) % 4 == 0) {
		MPI_Type_free(&matrix);
		MPI_Op_free(&product);
		matrix = NULL;
	}
}
