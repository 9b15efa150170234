/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.c - what commands ask the coordinator for, one function per verb */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugins/slurm/agent/coord.h"
#include "plugins/slurm/agent/gens.h"
#include "plugins/slurm/agent/log.h"

#define ASK_WAIT 60	     /* seconds, without MaxWait= */
#define ASK_PERIODIC_WAIT 120 /* for those by the clock */
#define ASK_ABLE_WAIT 10      /* for what passes by itself */

static struct json_object *ask_answer(int status, const char *text)
{
	struct json_object *a = cr_json_message("answer");

	cr_json_put_int(a, "status", status);
	cr_json_put_str(a, "text", text);
	return a;
}

static void ask_send(struct cr_peer *p, struct json_object *answer)
{
	cr_coord_send(p, answer);
	json_object_put(answer);
}

const char *cr_coord_why_not(struct cr_coord *c)
{
	if (c->disabled)
		return "checkpoints are disabled (slurm-checkpoint enable)";
	return "";
}

static struct json_object *ask_able_answer(const char *why, time_t began)
{
	struct json_object *a = ask_answer(0, "");

	cr_json_put_bool(a, "able", !*why);
	cr_json_put_str(a, "why", why);
	cr_json_put_int(a, "began", began);
	return a;
}

/* All agents have to look: that is done like a checkpoint's beginning. */
static void ask_able(struct cr_peer *p)
{
	struct cr_coord *c = p->coord;
	const char *why = cr_coord_why_not(c);

	if (c->active && !c->checking)
		ask_send(p, ask_able_answer(why, c->began));
	else if (*why)
		ask_send(p, ask_able_answer(why, 0));
	else
		cr_coord_queue(c, p, "able", "", ASK_ABLE_WAIT);
}

static void ask_error(struct cr_peer *p)
{
	struct cr_coord *c = p->coord;
	struct json_object *a = ask_answer(0, "");

	cr_json_put_int(a, "code", c->last_error.code);
	cr_json_put_str(a, "message", c->last_error.text);
	cr_json_put_int(a, "when", c->last_error.when);
	ask_send(p, a);
}

static void ask_disable(struct cr_peer *p, int by)
{
	struct cr_coord *c = p->coord;

	c->disabled += by;
	if (c->disabled < 0)
		c->disabled = 0;
	ask_send(p, ask_answer(0, ""));
}

/* The generations of the running job, for who cannot read the directory. */
static void ask_list(struct cr_peer *p)
{
	struct json_object *a = ask_answer(0, ""), *list;
	struct cr_gens g;

	list = json_object_new_array();
	if (!cr_gens_list(&g, p->coord->opt.jobdir, true)) {
		for (size_t i = 0; i < g.n; i++) {
			char dir[PATH_MAX];
			struct cr_error err = { 0 };
			struct json_object *m;

			cr_gens_path(dir, sizeof(dir), p->coord->opt.jobdir,
				     g.number[i]);
			m = cr_gens_read(dir, &err);
			if (m)
				json_object_array_add(list, m);
		}
		cr_gens_free(&g);
	}
	json_object_object_add(a, "generations", list);
	cr_json_put_str(a, "directory", p->coord->opt.jobdir);
	ask_send(p, a);
}

/* The checkpoint before this one takes too long. */
static void ask_waited(void *arg)
{
	struct cr_request *r = arg, **at = &r->coord->queue;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	cr_log("%s: MaxWait is over before its turn has come", r->op);
	if (r->peer)
		ask_send(r->peer, ask_answer(-ETIMEDOUT,
					     "MaxWait is over: an earlier "
					     "checkpoint of the job had not "
					     "come to its end"));
	free(r);
}

void cr_coord_queue(struct cr_coord *c, struct cr_peer *p, const char *op,
		    const char *base, int max_wait)
{
	struct cr_request *r = calloc(1, sizeof(*r)), **at;

	if (!r) {
		if (p)
			ask_send(p, ask_answer(-ENOMEM, "out of memory"));
		return;
	}
	r->coord = c;
	r->peer = p;
	snprintf(r->op, sizeof(r->op), "%s", op);
	snprintf(r->base, sizeof(r->base), "%s", base);
	r->max_wait = max_wait;
	for (at = &c->queue; *at; at = &(*at)->next)
		;
	*at = r;
	if (!c->active)
		cr_coord_begin(c);
	else
		r->timer = cr_loop_after(c->opt.loop, max_wait * 1000L,
					 ask_waited, r);
}

static void ask_checkpoint(struct cr_peer *p, const char *op,
			   struct json_object *msg)
{
	const char *base = cr_json_str(msg, "image_dir", "");
	const char *why = cr_coord_why_not(p->coord);
	int64_t wait = cr_json_int(msg, "max_wait", 0);

	if (*why)
		ask_send(p, ask_answer(-EBUSY, why));
	else if (*base && !strcmp(op, "requeue"))
		ask_send(p, ask_answer(-EINVAL,
				       "a requeued job restarts from its own "
				       "directory: requeue takes no ImageDir"));
	else if (*base && (*base != '/' || strlen(base) > PATH_MAX / 2))
		ask_send(p, ask_answer(-EINVAL,
				       "ImageDir must be an absolute path"));
	else
		cr_coord_queue(p->coord, p, op, base,
			       wait > 0 && wait < 1000000 ? (int)wait :
							    ASK_WAIT);
}

void cr_coord_ask(struct cr_peer *p, struct json_object *msg)
{
	const char *op = cr_json_str(msg, "op", "");

	cr_log("\"%s\" asked by uid %d from %s", op, (int)p->conn->uid,
	       p->conn->address);
	if (!strcmp(op, "able"))
		ask_able(p);
	else if (!strcmp(op, "error"))
		ask_error(p);
	else if (!strcmp(op, "disable"))
		ask_disable(p, 1);
	else if (!strcmp(op, "enable"))
		ask_disable(p, -1);
	else if (!strcmp(op, "list"))
		ask_list(p);
	else if (!strcmp(op, "create") || !strcmp(op, "vacate") ||
		 !strcmp(op, "requeue"))
		ask_checkpoint(p, op, msg);
	else
		ask_send(p, ask_answer(-EINVAL, "no such operation"));
}

static void ask_next(struct cr_coord *c)
{
	struct cr_request *r = c->queue;

	c->queue = r->next;
	free(r);
}

void cr_coord_done(struct cr_coord *c, int status, const char *text)
{
	struct cr_request *r = c->queue;
	struct json_object *a;

	if (c->checking) {
		if (r->peer)
			ask_send(r->peer,
				 ask_able_answer(status ? text : "", 0));
		ask_next(c);
		return;
	}
	a = ask_answer(status, text);
	cr_log("%s: generation %d: %s", r->op, c->generation,
	       status ? text : "committed");
	if (status) {
		c->last_error.code = status;
		c->last_error.when = time(NULL);
		snprintf(c->last_error.text, sizeof(c->last_error.text), "%s",
			 text);
	} else {
		c->last_error.code = 0;
		c->last_error.text[0] = '\0';
	}
	cr_json_put_int(a, "generation", c->generation);
	cr_json_put_str(a, "dir", c->dir);
	if (r->peer)
		cr_coord_send(r->peer, a);
	json_object_put(a);
	ask_next(c);
}

static void ask_period(void *arg)
{
	struct cr_coord *c = arg;

	/* one by the clock at a time, and none while somebody forbids it */
	if ((!c->active || c->checking) && !c->disabled)
		cr_coord_queue(c, NULL, "periodic", "", ASK_PERIODIC_WAIT);
	cr_coord_set_period(c);
}

void cr_coord_set_period(struct cr_coord *c)
{
	if (c->opt.period > 0)
		cr_loop_after(c->opt.loop, c->opt.period * 1000, ask_period, c);
}
