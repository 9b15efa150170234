/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cut.c - all ranks come to rest at one consistent point
 *
 * Runs in libcr's thread of every rank.  Rounds: everybody holds still
 * (border and gate closed, token taken), notes where it stands, tells all,
 * and decides; as nothing moves between the note and the decision, and all
 * decide on the same notes, they agree.  If they are not at rest yet, things
 * move on a little: messages are drained, and if somebody has left a
 * collective that others have not completed, those are let through to it.
 * doc/mpi.md has the reasons and the proof.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mpi/cut.h"
#include "mpi/drain.h"
#include "mpi/exchange.h"
#include "mpi/objects.h"
#include "mpi/request.h"
#include "mpi/table.h"

#define STUCK_ROUNDS 50 /* nothing moved for so many: let more through */
#define PATIENCE_S 10	/* for what only the program can complete */

struct note { /* what a rank tells another in a round */
	uint64_t sent;	    /* messages from it to the other */
	uint64_t traffic;   /* all its messages, for "does anything move?" */
	uint32_t through;   /* threads in calls that must come back */
	uint32_t finalizing; /* has left the barrier of MPI_Finalize */
	uint32_t n;
	uint32_t pad;
	struct cr_mpi_standing standing[];
};

static struct {
	int mode; /* CR_MPI_HOLD_ALL or CR_MPI_HOLD_COLL */
	bool token; /* taken */
	bool settled; /* pending is of this round */
	struct cr_mpi_census census;
	struct cr_mpi_pending pending;
	uint64_t *received; /* as noted */
	uint64_t motion;
	int still; /* rounds without motion */
	char *reason;
	size_t reason_size;
} cut;

static bool cancelled_cb(void *arg)
{
	return cr_request_cancelled();
}

static int idle(void *arg)
{
	return cr_request_cancelled() ? -ECANCELED : 0;
}

/* Before the first message has come: the program may be at its end. */
static int idle_hello(void *arg)
{
	if (cr_mpi_phase != CR_MPI_UP)
		return 1;
	return idle(arg);
}

/* Border, gate, token: nothing of this rank moves any more. */
static int freeze(void)
{
	if (cut.mode == CR_MPI_HOLD_ALL) {
		cr_mpi_gate_close();
		cr_mpi_drained_settle();
	}
	if (cr_mpi_helper_take(cancelled_cb, NULL) < 0)
		return -ECANCELED;
	cut.token = true;
	cr_mpi_count_threads(&cut.census);
	/* only when no thread is about to count or free the same requests */
	cut.settled = cut.mode == CR_MPI_HOLD_ALL && !cut.census.unsafe &&
		      !cut.census.through;
	if (cut.settled)
		cr_mpi_settle(&cut.pending);
	else
		memset(&cut.pending, 0, sizeof(cut.pending));
	return 0;
}

static void thaw(void)
{
	if (cut.token)
		cr_mpi_helper_give();
	cut.token = false;
	cr_mpi_gate_open();
}

static void set_mode(int mode)
{
	int other = CR_MPI_HOLD_ALL + CR_MPI_HOLD_COLL - mode;

	cut.mode = mode;
	cr_mpi_close(mode);
	cr_mpi_open(other);
}

/* Lets the program go on as if nothing had been. */
static void release(void)
{
	thaw();
	cr_mpi_open(CR_MPI_HOLD_ALL | CR_MPI_HOLD_COLL);
}

static void stand(struct cr_mpi_standing *s, struct cr_mpi_comm *c)
{
	s->id = c->id;
	s->entered = c->entered;
	s->done = c->done;
	s->size = c->inter ? c->size + c->n_peer : c->size;
	s->want = cr_mpi_want_collective(c);
	s->freed = c->freed && !cr_mpi_request_uses_comm(c->o.handle);
}

/* Where we stand, one copy for each rank. */
static void make_notes(struct cr_mpi_blob *blobs)
{
	struct cr_mpi_object *o;
	struct note *note;
	uint64_t traffic = 0;
	size_t size;
	int n = 2;

	for (o = cr_mpi_objects[CR_MPI_COMM]; o; o = o->next)
		n++;
	size = sizeof(*note) + n * sizeof(note->standing[0]);
	note = cr_mpi_alloc(1, size);
	/* others may have to begin what our request waits for */
	note->through = cut.census.through + (cut.pending.function != NULL);
	note->finalizing = cr_mpi_phase != CR_MPI_UP;
	stand(&note->standing[note->n++],
	      cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_world)));
	stand(&note->standing[note->n++],
	      cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_self)));
	for (o = cr_mpi_objects[CR_MPI_COMM]; o; o = o->next)
		stand(&note->standing[note->n++], (struct cr_mpi_comm *)o);
	for (int i = 0; i < cr_mpi_size; i++)
		traffic += cr_mpi_sent[i] + cr_mpi_received[i];
	note->traffic = traffic;
	for (int i = 0; i < cr_mpi_size; i++) {
		blobs[i].data = cr_mpi_alloc(1, size);
		blobs[i].size = size;
		note->sent = cr_mpi_sent[i];
		memcpy(blobs[i].data, note, size);
		cut.received[i] = cr_mpi_received[i];
	}
	free(note);
}

/* Everybody's notes put together; the same result everywhere. */
static int read_notes(struct cr_mpi_blob *notes, struct cr_mpi_lines *lines,
		      bool *finalizing)
{
	struct cr_mpi_standing *all = NULL;
	uint64_t traffic = 0;
	bool through = false;
	int n = 0, rc;

	*finalizing = false;
	for (int i = 0; i < cr_mpi_size; i++) {
		struct note *note = notes[i].data;

		all = realloc(all, (n + note->n) * sizeof(*all));
		if (!all)
			return -ENOMEM;
		memcpy(all + n, note->standing, note->n * sizeof(*all));
		n += note->n;
		traffic += note->traffic;
		through |= note->through > 0;
		*finalizing |= note->finalizing;
	}
	rc = cr_mpi_lines_make(lines, all, n);
	free(all);
	if (rc < 0)
		return rc;
	lines->behind |= through;
	lines->motion += traffic;
	return 0;
}

/* Nothing of what this rank knows speaks against taking the cut here. */
static bool at_rest(struct cr_mpi_blob *notes, const struct cr_mpi_lines *lines)
{
	if (cut.mode != CR_MPI_HOLD_ALL || !lines->at_rest ||
	    cut.census.unsafe || cut.census.through ||
	    !cut.settled || cut.pending.unfinished || cut.pending.function)
		return false;
	for (int i = 0; i < cr_mpi_size; i++)
		if (((struct note *)notes[i].data)->sent != cut.received[i])
			return false;
	return true;
}

/* With CR_MPI_VERBOSE set, once a second: what the cut waits for. */
static void tell(struct cr_mpi_blob *notes, const struct cr_mpi_lines *lines)
{
	static time_t last;
	time_t now = time(NULL);

	if (!getenv("CR_MPI_VERBOSE") || now == last)
		return;
	last = now;
	fprintf(stderr, "libcr_mpi: rank %d: mode %d, %d unsafe, %d through, "
		"%d unfinished, %s%s", cr_mpi_rank, cut.mode,
		cut.census.unsafe, cut.census.through, cut.pending.unfinished,
		lines->behind ? "behind" : "", lines->at_rest ? "at rest" : "");
	for (int i = 0; i < cr_mpi_size; i++) {
		uint64_t sent = ((struct note *)notes[i].data)->sent;

		if (sent != cut.received[i])
			fprintf(stderr, ", %lu of %lu messages from rank %d",
				(unsigned long)cut.received[i],
				(unsigned long)sent, i);
	}
	for (int i = 0; i < lines->n; i++) {
		const struct cr_mpi_line *l = &lines->line[i];

		if (l->min_done != l->max_done || l->min_entered > l->max_done)
			fprintf(stderr, ", comm %lx: %u of %u, %lu entered, "
				"%lu..%lu done, %u want", (unsigned long)l->id,
				l->reported, l->size,
				(unsigned long)l->min_entered,
				(unsigned long)l->min_done,
				(unsigned long)l->max_done, l->want);
	}
	fprintf(stderr, "\n");
}

/* How far each communicator's collectives may go on. */
static void let_through(struct cr_mpi_lines *lines)
{
	struct cr_mpi_object *o;
	const struct cr_mpi_line *l;
	struct cr_mpi_comm *c;

	if (lines->motion != cut.motion)
		cut.still = 0;
	else
		cut.still++;
	cut.motion = lines->motion;
	if (cut.still >= STUCK_ROUNDS) {
		cr_mpi_lines_raise(lines);
		cut.still = 0;
	}
	c = cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_world));
	l = cr_mpi_lines_find(lines, c->id);
	c->target = l->target;
	for (o = cr_mpi_objects[CR_MPI_COMM]; o; o = o->next) {
		c = (struct cr_mpi_comm *)o;
		l = cr_mpi_lines_find(lines, c->id);
		c->target = l ? l->target : 0;
	}
}

/* Between two rounds: messages come in, threads come out. */
static int move_on(void)
{
	int rc = 0;

	for (int i = 0; i < 4 && rc == 0; i++) {
		if (cr_request_cancelled())
			return -ECANCELED;
		if (cr_mpi_helper_take(cancelled_cb, NULL) < 0)
			return -ECANCELED;
		cr_mpi_count_threads(&cut.census);
		/* with others inside, nobody may be about to post a receive */
		if (!cr_mpi_multiple ||
		    (cut.mode == CR_MPI_HOLD_ALL && !cut.census.local))
			rc = cr_mpi_drain(cut.reason, cut.reason_size);
		cr_mpi_helper_give();
		usleep(i ? 200 : 20);
	}
	return rc;
}

static int verdict(bool mine, bool *all)
{
	struct cr_mpi_blob *out = cr_mpi_alloc(cr_mpi_size, sizeof(*out));
	struct cr_mpi_blob *in = cr_mpi_alloc(cr_mpi_size, sizeof(*in));
	int rc;

	for (int i = 0; i < cr_mpi_size; i++) {
		out[i].data = cr_mpi_alloc(1, 1);
		out[i].size = 1;
		*(char *)out[i].data = mine;
	}
	rc = cr_mpi_exchange(out, in, true, idle, NULL);
	*all = true;
	for (int i = 0; rc == 0 && i < cr_mpi_size; i++)
		*all &= in[i].size == 1 && *(char *)in[i].data == 1;
	cr_mpi_exchange_free(in);
	free(in);
	free(out);
	return rc;
}

/* Those that all members have freed need not be made anew any more. */
static void bury(const struct cr_mpi_lines *lines)
{
	struct cr_mpi_object *o, *next;

	for (o = cr_mpi_objects[CR_MPI_COMM]; o; o = next) {
		struct cr_mpi_comm *c = (struct cr_mpi_comm *)o;
		const struct cr_mpi_line *l = cr_mpi_lines_find(lines, c->id);

		next = o->next;
		if (c->freed && l && l->freed == l->size)
			cr_mpi_comm_destroy(c);
	}
}

/* 0: not yet, 1: at rest, 2: the program is in MPI_Finalize; -errno */
static int one_round(void)
{
	struct cr_mpi_blob *out = cr_mpi_alloc(cr_mpi_size, sizeof(*out));
	struct cr_mpi_blob *in = cr_mpi_alloc(cr_mpi_size, sizeof(*in));
	struct cr_mpi_lines lines = { 0 };
	bool finalizing = false, all = false;
	int rc;

	rc = freeze();
	if (rc == 0) {
		make_notes(out);
		rc = cr_mpi_exchange(out, in, true, idle, NULL);
	}
	if (rc == 0)
		rc = read_notes(in, &lines, &finalizing);
	if (rc == 0 && finalizing)
		rc = 2;
	if (rc == 0)
		rc = verdict(at_rest(in, &lines), &all);
	if (rc == 0 && all) {
		bury(&lines);
		rc = 1;
	} else if (rc == 0) {
		tell(in, &lines);
		let_through(&lines);
		thaw();
		set_mode(lines.behind ? CR_MPI_HOLD_COLL : CR_MPI_HOLD_ALL);
		rc = move_on();
	}
	cr_mpi_lines_free(&lines);
	cr_mpi_exchange_free(out);
	cr_mpi_exchange_free(in);
	free(out);
	free(in);
	return rc;
}

static int hello(void)
{
	struct cr_mpi_blob *out = cr_mpi_alloc(cr_mpi_size, sizeof(*out));
	struct cr_mpi_blob *in = cr_mpi_alloc(cr_mpi_size, sizeof(*in));
	int rc;

	for (int i = 0; i < cr_mpi_size; i++)
		out[i].data = cr_mpi_alloc(1, 1);
	rc = cr_mpi_exchange(out, in, false, idle_hello, NULL);
	cr_mpi_exchange_free(in);
	free(out);
	free(in);
	return rc;
}

/* All ranks have begun MPI_Finalize: afterwards there is nothing to do. */
static int wait_for_the_end(char *reason, size_t size)
{
	release();
	while (cr_mpi_phase != CR_MPI_FINALIZED) {
		if (cr_request_cancelled()) {
			snprintf(reason, size,
				 "rank %d: in MPI_Finalize, where no "
				 "checkpoint can be taken", cr_mpi_rank);
			return -ECANCELED;
		}
		usleep(1000);
	}
	return 0;
}

static void explain(char *reason, size_t size)
{
	if (reason[0])
		return;
	if (cut.pending.function)
		snprintf(reason, size,
			 "rank %d: a request of %s is not complete; it cannot "
			 "be checkpointed before", cr_mpi_rank,
			 cut.pending.function);
	else
		snprintf(reason, size,
			 "rank %d: gave up waiting for all ranks to come to "
			 "rest", cr_mpi_rank);
}

static int quiesce(void *arg, char *reason, size_t size)
{
	struct cr_error err = { 0 };
	time_t since = 0;
	int rc;

	reason[0] = '\0';
	if (cr_mpi_phase == CR_MPI_NEVER || cr_mpi_phase == CR_MPI_FINALIZED)
		return 0;
	cr_mpi_prepare(); /* known as libcr's thread */
	memset(&cut.pending, 0, sizeof(cut.pending));
	cut.reason = reason;
	cut.reason_size = size;
	cut.still = 0;
	cut.token = false;
	cut.received = cr_mpi_alloc(cr_mpi_size, sizeof(*cut.received));
	cr_mpi_exchange_begin();
	set_mode(CR_MPI_HOLD_ALL);
	rc = hello();
	if (rc == 0) {
		do {
			rc = one_round();
			if (!cut.settled)
				continue;
			if (!cut.pending.function)
				since = 0;
			else if (!since)
				since = time(NULL);
			else if (rc == 0 && time(NULL) - since > PATIENCE_S)
				rc = -EBUSY;
		} while (rc == 0);
	} else if (rc == 1) {
		rc = 2;
	}
	free(cut.received);
	if (rc == 2)
		return wait_for_the_end(reason, size);
	if (rc == 1) {
		rc = cr_lower_check(false, &err);
		if (rc == 0)
			rc = cr_lower_hold(cancelled_cb, NULL, &err);
		if (rc == 0) {
			cr_mpi_time_stop();
			return 0;
		}
		if (err.text[0])
			snprintf(reason, size, "rank %d: %s", cr_mpi_rank,
				 err.text);
	}
	explain(reason, size);
	release();
	return rc;
}

static void resume(void *arg, int outcome)
{
	if (outcome == CR_OUTCOME_RESTARTED) {
		cut.token = false;
		cr_mpi_restart();
		return;
	}
	if (!cut.token)
		return; /* MPI was not up */
	cr_lower_release();
	release();
}

static const struct cr_coordinator coordinator = { quiesce, resume };

void cr_mpi_cut_init(void)
{
	int rc = cr_register_coordinator(&coordinator, NULL);

	if (rc < 0) {
		fprintf(stderr, "libcr_mpi: rank %d cannot be checkpointed: "
			"libcr takes no coordinator: %s\n", cr_mpi_rank,
			strerror(-rc));
	}
}
