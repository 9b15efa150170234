/* SPDX-License-Identifier: GPL-2.0-or-later */
/* generation.c - the coordinator takes the job through the phases of one
 * generation: all of it or nothing */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libcr.h"
#include "plugins/slurm/agent/coord.h"
#include "plugins/slurm/agent/copy.h"
#include "plugins/slurm/agent/gens.h"
#include "plugins/slurm/agent/jobctl.h"
#include "plugins/slurm/agent/log.h"

#define GENERATION_RETRY_MS 300
#define GENERATION_ABORT_MS 20000 /* for the agents to undo */

static void generation_retry(void *arg);

static void generation_idle(struct cr_coord *c)
{
	c->active = false;
	cr_loop_cancel(c->opt.loop, c->timer);
	c->timer = 0;
	cr_coord_answer_held(c);
	if (c->queue)
		cr_coord_begin(c);
}

/* All agents have undone (or have gone). */
static void generation_aborted(struct cr_coord *c)
{
	/* -ESRCH: a process has ended, as processes do */
	bool retry = (c->error.code == -EAGAIN || c->error.code == -ESRCH ||
		      c->error.code == -CR_ETEMPFAIL) &&
		     cr_loop_now() + GENERATION_RETRY_MS < c->deadline;
	struct cr_error err = { 0 };

	cr_loop_cancel(c->opt.loop, c->timer);
	c->timer = 0;
	if (!c->committed && !c->checking && cr_gens_remove(c->dir, &err))
		cr_log("%s", err.text);
	c->phase = CR_PHASE_NONE;
	c->active = false;
	cr_coord_answer_held(c);
	if (retry) {
		c->active = true; /* the request stays in hand */
		cr_loop_after(c->opt.loop, GENERATION_RETRY_MS,
			      generation_retry, c);
		return;
	}
	cr_coord_done(c, c->error.code, c->error.text);
	generation_idle(c);
}

static void generation_abort_timeout(void *arg)
{
	struct cr_coord *c = arg;

	c->timer = 0;
	cr_log("not all agents have said that they have undone");
	generation_aborted(c);
}

void cr_coord_abort(struct cr_coord *c, int code, const char *text)
{
	struct json_object *msg;

	if (!c->active || c->phase == CR_PHASE_ABORT ||
	    c->phase == CR_PHASE_NONE || c->phase == CR_PHASE_FINISH)
		return;
	if (code)
		cr_log("generation %d: %s fails: %s", c->generation,
		       cr_phase_name(c->phase), text);
	cr_error_clear(&c->error);
	if (code)
		cr_error_set(&c->error, code, "%s", text);
	c->phase = CR_PHASE_ABORT;
	cr_loop_cancel(c->opt.loop, c->timer);
	c->timer = cr_loop_after(c->opt.loop, GENERATION_ABORT_MS,
				 generation_abort_timeout, c);
	msg = cr_json_message("abort");
	cr_json_put_int(msg, "generation", c->generation);
	c->waiting = 1;
	for (struct cr_peer *p = c->peers; p; p = p->next) {
		p->pending = p->member;
		if (p->member && ++c->waiting)
			cr_coord_send(p, msg);
	}
	json_object_put(msg);
	if (!--c->waiting)
		generation_aborted(c);
}

static void generation_timeout(void *arg)
{
	struct cr_coord *c = arg;
	char text[128];

	c->timer = 0;
	snprintf(text, sizeof(text),
		 "MaxWait is over: %s had not come to its end",
		 cr_phase_name(c->phase));
	cr_coord_abort(c, -ETIMEDOUT, text);
}

void cr_coord_send_phase(struct cr_coord *c, enum cr_phase phase)
{
	struct json_object *msg = cr_json_message("phase");

	c->phase = phase;
	if (phase > CR_PHASE_REQUEST)
		cr_log("generation %d: %s", c->generation,
		       cr_phase_name(phase));
	json_object_put(c->ranks);
	c->ranks = json_object_new_array();
	cr_json_put_str(msg, "phase", cr_phase_name(phase));
	cr_json_put_int(msg, "generation", c->generation);
	cr_json_put_str(msg, "dir", c->dir);
	cr_json_put_bool(msg, "hold", c->hold);
	cr_json_put_int(msg, "timeout",
			(c->deadline - cr_loop_now()) / 1000 + 1);
	c->waiting = 0;
	for (struct cr_peer *p = c->peers; p; p = p->next) {
		if (phase <= CR_PHASE_REQUEST)
			p->member = p->agent;
		p->pending = p->member;
		c->waiting += p->member;
	}
	for (struct cr_peer *p = c->peers; p; p = p->next)
		if (p->member)
			cr_coord_send(p, msg);
	json_object_put(msg);
}

static void generation_start(struct cr_coord *c)
{
	struct cr_request *r = c->queue;
	struct cr_error err = { 0 };
	struct cr_gens g = { 0 };
	long left = c->deadline - cr_loop_now();

	c->hold = !strcmp(r->op, "vacate") || !strcmp(r->op, "requeue");
	c->checking = !strcmp(r->op, "able");
	c->committed = false;
	cr_error_clear(&c->error);
	if (*r->base)
		snprintf(c->jobdir, sizeof(c->jobdir), "%s/%u", r->base,
			 c->opt.job);
	else
		snprintf(c->jobdir, sizeof(c->jobdir), "%s", c->opt.jobdir);
	cr_gens_list(&g, c->jobdir, false);
	c->generation = g.n ? g.number[g.n - 1] + 1 : 1;
	cr_gens_free(&g);
	cr_gens_path(c->dir, sizeof(c->dir), c->jobdir, c->generation);
	if (!c->checking && cr_gens_mkdir(c->dir, 0700, &err)) {
		cr_coord_done(c, err.code, err.text);
		generation_idle(c);
		return;
	}
	c->timer = cr_loop_after(c->opt.loop, left > 0 ? left : 0,
				 generation_timeout, c);
	if (!c->checking)
		cr_log("generation %d begins (%s)", c->generation, r->op);
	cr_coord_send_phase(c, c->checking ? CR_PHASE_CHECK :
					     CR_PHASE_REQUEST);
}

static void generation_retry(void *arg)
{
	generation_start(arg);
}

void cr_coord_begin(struct cr_coord *c)
{
	c->active = true;
	cr_loop_cancel(c->opt.loop, c->queue->timer);
	c->began = time(NULL);
	c->deadline = cr_loop_now() + c->queue->max_wait * 1000L;
	generation_start(c);
}

static int generation_check_snapshot(struct cr_coord *c, struct cr_error *err)
{
	struct json_object *batch = cr_coord_batch_report(c), *pids, *stdio;

	json_object_put(c->launchers);
	json_object_put(c->stdio);
	c->launchers = c->stdio = NULL;
	if (!batch)
		return 0;
	pids = cr_json_array(batch, "launchers");
	stdio = cr_json_array(batch, "stdio");
	if (!pids || !stdio)
		return cr_error_set(err, -EPROTO,
				    "the batch host's report lacks launchers");
	c->stdio = json_object_get(stdio);
	return cr_worlds_map(&c->worlds, pids, &c->launchers, err);
}

static void generation_finished(struct cr_coord *c)
{
	c->phase = CR_PHASE_NONE;
	generation_idle(c);
}

/* All agents have reported the phase. */
static void generation_next(struct cr_coord *c)
{
	struct cr_error err = { 0 };
	int rc = 0;

	switch (c->phase) {
	case CR_PHASE_CHECK:
	case CR_PHASE_REQUEST:
		if (!json_object_array_length(c->ranks))
			rc = cr_error_set(&err, -EAGAIN,
					  "no task of the job runs (yet)");
		else
			rc = cr_worlds_check(&c->worlds, c->ranks, &err);
		if (!rc && c->checking)
			cr_coord_abort(c, 0, ""); /* that was all */
		else if (!rc)
			cr_coord_send_phase(c, CR_PHASE_QUIESCE);
		break;
	case CR_PHASE_QUIESCE:
		cr_coord_send_phase(c, CR_PHASE_SNAPSHOT);
		break;
	case CR_PHASE_SNAPSHOT:
		rc = generation_check_snapshot(c, &err);
		if (rc)
			break;
		cr_loop_cancel(c->opt.loop, c->timer); /* MaxWait is kept */
		c->timer = 0;
		cr_coord_send_phase(c, c->hold ? CR_PHASE_STORE :
						   CR_PHASE_RESUME);
		if (!c->hold)
			cr_coord_answer_held(c);
		break;
	case CR_PHASE_RESUME:
		cr_coord_send_phase(c, CR_PHASE_STORE);
		break;
	case CR_PHASE_STORE:
		cr_coord_commit(c);
		break;
	case CR_PHASE_FINISH:
		generation_finished(c);
		break;
	case CR_PHASE_ABORT:
		generation_aborted(c);
		break;
	default:
		break;
	}
	if (rc)
		cr_coord_abort(c, rc, err.text);
}

void cr_coord_report(struct cr_peer *p, struct json_object *msg)
{
	struct cr_coord *c = p->coord;
	struct json_object *ranks = cr_json_array(msg, "ranks");
	int status = cr_json_int(msg, "status", -EPROTO);

	if (!c->active || !p->pending ||
	    cr_json_int(msg, "generation", 0) != c->generation ||
	    cr_phase_parse(cr_json_str(msg, "phase", "")) != c->phase)
		return; /* late */
	p->pending = false;
	for (size_t i = 0; ranks && i < json_object_array_length(ranks); i++) {
		struct json_object *o = json_object_array_get_idx(ranks, i);

		if (!json_object_is_type(o, json_type_object))
			continue;
		cr_json_put_str(o, "node", p->node);
		json_object_array_add(c->ranks, json_object_get(o));
	}
	if (status && c->phase != CR_PHASE_FINISH &&
	    c->phase != CR_PHASE_ABORT) {
		cr_coord_abort(c, status, cr_json_str(msg, "text", "?"));
		return;
	}
	if (c->waiting && !--c->waiting)
		generation_next(c);
}

void cr_coord_peer_lost(struct cr_peer *p)
{
	struct cr_coord *c = p->coord;
	char text[128];

	cr_log("agent of node %s has gone", p->node);
	if (!c->active || !p->member)
		return;
	if (c->phase == CR_PHASE_ABORT || c->phase == CR_PHASE_FINISH) {
		if (p->pending && c->waiting && !--c->waiting)
			generation_next(c);
		return;
	}
	if ((c->phase == CR_PHASE_STORE && !p->pending) ||
	    c->phase == CR_PHASE_COMMIT)
		return; /* its files are there */
	p->member = false;
	snprintf(text, sizeof(text), "the agent of node %s has gone", p->node);
	/* one that had no ranks any more leaves when its last step is over */
	cr_coord_abort(c, c->phase <= CR_PHASE_SNAPSHOT ? -EAGAIN : -EHOSTDOWN,
		       text);
}
