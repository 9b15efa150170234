/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exchange.c - one message from every rank to every rank, again and again */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mpi/exchange.h"
#include "mpi/wrap.h"

#define TAG 1
#define PAUSE_US 100
#define LEND_EVERY 32 /* pauses */

struct header {
	uint64_t from, to; /* nonces; to 0: hello */
	uint64_t step;
};

struct sending {
	struct sending *next;
	MPI_Request request;
	size_t size;
	char data[];
};

struct peer {
	uint64_t nonce;		     /* of its attempt, 0: not known */
	bool sent;		     /* this step's message, to this nonce */
	bool here, next_here;	     /* arrived for this step, for the next */
	struct cr_mpi_blob mine;     /* of this step */
	struct cr_mpi_blob got, next;
};

static struct peer *peers;
static struct sending *sendings;
static uint64_t nonce, step;

static void post(int rank, uint64_t to, const void *data, size_t size)
{
	struct sending *s = cr_mpi_alloc(
		1, sizeof(*s) + sizeof(struct header) + size);
	struct header h = { nonce, to, step };
	MPI_Datatype byte = cr_mpi_lower_type(CR_PRE(ompi_mpi_byte));
	int n = sizeof(h) + size;

	memcpy(s->data, &h, sizeof(h));
	if (size)
		memcpy(s->data + sizeof(h), data, size);
	s->next = sendings;
	sendings = s;
	CR_LOWER(cr_mpi_low.Isend(s->data, n, byte, rank, TAG, cr_mpi_private,
				  &s->request));
}

static void reap_sendings(void)
{
	struct sending **p = &sendings, *s;

	while ((s = *p)) {
		int done = 0;

		CR_LOWER(cr_mpi_low.Test(&s->request, &done,
					 MPI_STATUS_IGNORE));
		if (done) {
			*p = s->next;
			free(s);
		} else {
			p = &s->next;
		}
	}
}

static void put(struct cr_mpi_blob *b, bool *here, void *data, size_t size)
{
	free(b->data);
	b->data = data;
	b->size = size;
	*here = true;
}

static void send_step(int rank)
{
	struct peer *p = &peers[rank];

	if (p->nonce && !p->sent && p->mine.data) {
		post(rank, p->nonce, p->mine.data, p->mine.size);
		p->sent = true;
	}
}

static void arrived(int rank, char *message, size_t size)
{
	struct peer *p = &peers[rank];
	struct header h;
	void *data;

	memcpy(&h, message, sizeof(h));
	if (h.to && h.to != nonce)
		return; /* for an attempt of ours that is over */
	if (h.from != p->nonce) {
		/* it has begun anew */
		p->nonce = h.from;
		p->sent = p->here = p->next_here = false;
		send_step(rank);
	}
	if (!h.to)
		return;
	size -= sizeof(h);
	data = cr_mpi_alloc(size, 1);
	memcpy(data, message + sizeof(h), size);
	if (h.step == step)
		put(&p->got, &p->here, data, size);
	else if (h.step == step + 1)
		put(&p->next, &p->next_here, data, size);
	else
		free(data);
}

/* Takes what has come. */
static void receive(void)
{
	MPI_Datatype byte = cr_mpi_lower_type(CR_PRE(ompi_mpi_byte));

	for (;;) {
		MPI_Status st;
		int flag = 0, n = 0, from;
		char *m;

		CR_LOWER(cr_mpi_low.Iprobe(MPI_ANY_SOURCE, TAG, cr_mpi_private,
					   &flag, &st));
		if (!flag)
			return;
		from = st.MPI_SOURCE;
		CR_LOWER(cr_mpi_low.Get_count(&st, byte, &n));
		m = cr_mpi_alloc(n, 1);
		CR_LOWER(cr_mpi_low.Recv(m, n, byte, from, TAG, cr_mpi_private,
					 MPI_STATUS_IGNORE));
		arrived(from, m, n);
		free(m);
	}
}

void cr_mpi_exchange_begin(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	nonce = ((uint64_t)t.tv_sec << 30 | t.tv_nsec) | 1;
	step = 0;
	if (!peers)
		peers = cr_mpi_alloc(cr_mpi_size, sizeof(*peers));
	for (int i = 0; i < cr_mpi_size; i++) {
		struct peer *p = &peers[i];

		free(p->mine.data);
		free(p->got.data);
		free(p->next.data);
		memset(p, 0, sizeof(*p));
		p->nonce = i == cr_mpi_rank ? nonce : 0;
	}
}

struct idler {
	int (*idle)(void *arg);
	void *arg;
	int rc;
	bool token; /* taken here */
};

static bool idle_cb(void *arg)
{
	struct idler *i = arg;

	i->rc = i->idle(i->arg);
	return i->rc != 0;
}

static int take(struct idler *i)
{
	if (cr_mpi_helper_take(idle_cb, i) < 0)
		return i->rc;
	i->token = true;
	return 0;
}

static void give(struct idler *i)
{
	if (i->token)
		cr_mpi_helper_give();
	i->token = false;
}

/*
 * Until all messages of this step are here.  Lending: the program gets on,
 * a little now and then.  If it could go on all the time, threads that wait
 * in MPI for a rank which is not here yet would take the processors from it.
 */
static int collect(struct idler *i)
{
	bool lending = i->token;
	unsigned int pauses = 0;

	for (;;) {
		int missing = 0;

		receive();
		reap_sendings();
		for (int r = 0; r < cr_mpi_size; r++)
			missing += !peers[r].here;
		/* nobody makes progress for us when we leave */
		if (!missing && !sendings)
			return 0;
		if (idle_cb(i))
			return i->rc;
		usleep(PAUSE_US);
		if (lending && ++pauses % LEND_EVERY == 0) {
			int rc;

			give(i);
			rc = take(i);
			if (rc != 0)
				return rc;
		}
	}
}

int cr_mpi_exchange(struct cr_mpi_blob *mine, struct cr_mpi_blob *theirs,
		    bool held, int (*idle)(void *arg), void *arg)
{
	struct idler idler = { idle, arg, 0, false };
	int rc = 0;

	for (int i = 0; i < cr_mpi_size; i++) {
		free(peers[i].mine.data);
		peers[i].mine = mine[i];
		mine[i].data = NULL;
		peers[i].sent = false;
	}
	if (!held)
		rc = take(&idler);
	if (rc != 0)
		return rc;
	for (int i = 0; i < cr_mpi_size && step == 0; i++)
		if (i != cr_mpi_rank)
			post(i, 0, NULL, 0);
	for (int i = 0; i < cr_mpi_size; i++) {
		struct peer *p = &peers[i];

		if (i == cr_mpi_rank) {
			put(&p->got, &p->here, p->mine.data, p->mine.size);
			p->mine.data = NULL;
		} else {
			send_step(i);
		}
	}
	rc = collect(&idler);
	give(&idler);
	if (rc != 0)
		return rc;
	for (int i = 0; i < cr_mpi_size; i++) {
		struct peer *p = &peers[i];

		theirs[i] = p->got;
		p->got = p->next;
		p->here = p->next_here;
		p->next.data = NULL;
		p->next_here = false;
	}
	step++;
	return 0;
}

void cr_mpi_exchange_free(struct cr_mpi_blob *blobs)
{
	for (int i = 0; i < cr_mpi_size; i++) {
		free(blobs[i].data);
		blobs[i].data = NULL;
	}
}

void cr_mpi_exchange_forget(void)
{
	/* never waited for: they are gone with the lower half */
	while (sendings) {
		struct sending *s = sendings;

		sendings = s->next;
		free(s);
	}
}
