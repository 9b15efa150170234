/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * coord.h - the coordinator of a job: generations, requests, who may ask
 *
 * Knows peers (agents and commands), worlds and a directory; of the
 * scheduler only jobctl.h.
 */
#ifndef CR_COORD_H
#define CR_COORD_H

#include <limits.h>
#include <time.h>

#include "plugins/slurm/agent/conn.h"
#include "plugins/slurm/agent/loop.h"
#include "plugins/slurm/agent/phase.h"
#include "plugins/slurm/agent/worlds.h"

struct cr_coord;

struct cr_peer {
	struct cr_peer *next;
	struct cr_coord *coord;
	struct cr_conn *conn; /* NULL: the node's own agent */
	bool agent;
	bool member;  /* takes part in the generation in hand */
	bool pending; /* its report of this phase is to come */
	char node[CR_FRAME_NAME];
	int *held; /* registrations to answer after SNAPSHOT */
	size_t n_held;
};

struct cr_request {
	struct cr_request *next;
	struct cr_coord *coord;
	struct cr_peer *peer; /* NULL: the clock, or it has gone */
	char op[16];
	char base[PATH_MAX]; /* ImageDir, or "" */
	int max_wait;	     /* seconds: in the queue, and then again */
	int timer;	     /* while it is not in hand */
};

struct cr_coord_options {
	struct cr_loop *loop;
	uint32_t job;
	uid_t uid, admin;
	const char *jobdir, *node;
	long period; /* seconds, 0: only on request */
	int keep;    /* generations */
	/* hands a message to the node's own agent (later, not from inside) */
	void (*to_local)(struct json_object *msg, void *arg);
	void *to_local_arg;
};

struct cr_coord {
	struct cr_coord_options opt;
	struct cr_peer *peers;
	struct cr_peer *local; /* also in peers */
	struct cr_worlds worlds;
	int disabled, restarts;
	struct {
		int code;
		char text[CR_ERROR_MAX];
		time_t when;
	} last_error;
	struct cr_request *queue; /* the first is in hand if active */

	/* the generation in hand */
	bool active;
	int generation;
	enum cr_phase phase;
	char jobdir[PATH_MAX], dir[PATH_MAX + 32]; /* of this generation */
	time_t began;
	long deadline; /* for the phases up to SNAPSHOT, cr_loop_now() */
	int timer;
	bool hold, committed;
	bool checking; /* no generation: what "able" asks for */
	unsigned int waiting;
	struct json_object *ranks;     /* of this phase's reports */
	struct json_object *launchers; /* pid -> world */
	struct json_object *stdio;
	struct cr_error error;
};

/* coord.c */
struct cr_coord *cr_coord_create(const struct cr_coord_options *opt);
void cr_coord_destroy(struct cr_coord *c);
/* A descriptor from accept(2). */
void cr_coord_accept(struct cr_coord *c, int fd);
/* What the node's own agent says. */
void cr_coord_from_local(struct cr_coord *c, struct json_object *msg);
int cr_coord_send(struct cr_peer *p, struct json_object *msg);
void cr_coord_answer_held(struct cr_coord *c);

/* ask.c */
void cr_coord_ask(struct cr_peer *p, struct json_object *msg);
/* Queues a checkpoint; peer NULL: by the clock. */
void cr_coord_queue(struct cr_coord *c, struct cr_peer *p, const char *op,
		    const char *base, int max_wait);
/* The request in hand is done; of "able" status 0 means yes. */
void cr_coord_done(struct cr_coord *c, int status, const char *text);
void cr_coord_set_period(struct cr_coord *c);
/* "" if the job can be checkpointed now, else why not. */
const char *cr_coord_why_not(struct cr_coord *c);

/* generation.c */
void cr_coord_begin(struct cr_coord *c);
void cr_coord_report(struct cr_peer *p, struct json_object *msg);
void cr_coord_abort(struct cr_coord *c, int code, const char *text);
void cr_coord_peer_lost(struct cr_peer *p);
void cr_coord_send_phase(struct cr_coord *c, enum cr_phase phase);

/* commit.c: after STORE */
void cr_coord_commit(struct cr_coord *c);
/* What has been reported of the batch script in this phase, or NULL. */
struct json_object *cr_coord_batch_report(struct cr_coord *c);

#endif
