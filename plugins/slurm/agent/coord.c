/* SPDX-License-Identifier: GPL-2.0-or-later */
/* coord.c - the coordinator's peers: who they are and what they say */
#include "plugins/slurm/agent/coord.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/slurm/agent/gens.h"
#include "plugins/slurm/agent/log.h"

#define COORD_STRANGERS_MAX 64
#define COORD_STRANGER_MS 10000 /* to authenticate oneself */

int cr_coord_send(struct cr_peer *p, struct json_object *msg)
{
	struct cr_error err = { 0 };
	int rc;

	if (!p->conn) {
		p->coord->opt.to_local(msg, p->coord->opt.to_local_arg);
		return 0;
	}
	rc = cr_conn_send(p->conn, msg, &err);
	if (rc)
		cr_log("%s", err.text); /* its end is seen when reading */
	return rc;
}

static void coord_drop(struct cr_peer *p)
{
	struct cr_coord *c = p->coord;

	for (struct cr_peer **at = &c->peers; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	for (struct cr_request *r = c->queue; r; r = r->next)
		if (r->peer == p)
			r->peer = NULL; /* the checkpoint goes on */
	cr_loop_unwatch(c->opt.loop, p->conn->fd);
	if (p->agent)
		cr_coord_peer_lost(p);
	cr_conn_destroy(p->conn);
	free(p->held);
	free(p);
}

/* Nothing may begin to run between REQUEST and SNAPSHOT. */
static void coord_rank(struct cr_peer *p, struct json_object *msg)
{
	struct cr_coord *c = p->coord;
	int id = cr_json_int(msg, "id", 0);
	bool cut = c->active && !c->checking && c->phase <= CR_PHASE_SNAPSHOT;
	struct json_object *ok;
	int *held;

	if (cr_json_bool(msg, "batch", false)) {
		const char *from = cr_json_str(msg, "world", "");
		struct cr_error err = { 0 };
		struct json_object *m = *from ? cr_gens_read(from, &err) : NULL;

		/* the job may begin anew before we have gone */
		cr_worlds_destroy(&c->worlds);
		c->restarts = cr_json_int(msg, "restarts", 0);
		if (*from && !m)
			cr_log("restarted from an unreadable generation: %s",
			       err.text);
		if (m)
			cr_worlds_expect(&c->worlds, m);
		json_object_put(m);
		cut = false;
	} else if (cr_worlds_note(&c->worlds, msg,
				  cut ? CR_RANK_HELD : CR_RANK_LIVE)) {
		cr_log("node %s tells of an impossible rank", p->node);
	}
	if (cut) {
		held = realloc(p->held, (p->n_held + 1) * sizeof(*held));
		if (held) {
			p->held = held;
			held[p->n_held++] = id;
			return;
		}
	}
	ok = cr_json_message("rank-ok");
	cr_json_put_int(ok, "id", id);
	cr_coord_send(p, ok);
	json_object_put(ok);
}

void cr_coord_answer_held(struct cr_coord *c)
{
	cr_worlds_release(&c->worlds);
	for (struct cr_peer *p = c->peers; p; p = p->next) {
		for (size_t i = 0; i < p->n_held; i++) {
			struct json_object *ok = cr_json_message("rank-ok");

			cr_json_put_int(ok, "id", p->held[i]);
			cr_coord_send(p, ok);
			json_object_put(ok);
		}
		p->n_held = 0;
	}
}

static void coord_agent_message(struct cr_peer *p, struct json_object *msg)
{
	const char *type = cr_json_str(msg, "type", "");

	if (!strcmp(type, "rank"))
		coord_rank(p, msg);
	else if (!strcmp(type, "ended"))
		cr_worlds_note(&p->coord->worlds, msg, CR_RANK_ENDED);
	else if (!strcmp(type, "started"))
		cr_worlds_note(&p->coord->worlds, msg, CR_RANK_STARTED);
	else if (!strcmp(type, "daemon"))
		cr_worlds_note(&p->coord->worlds, msg, CR_RANK_NEVER);
	else if (!strcmp(type, "report"))
		cr_coord_report(p, msg);
	else
		cr_log("node %s: unknown message \"%s\"", p->node, type);
}

static bool coord_permitted(const struct cr_coord *c, uid_t uid)
{
	return uid == c->opt.uid || uid == 0 || uid == c->opt.admin;
}

/* The first message says what a peer is. */
static int coord_first(struct cr_peer *p, struct json_object *msg)
{
	struct cr_coord *c = p->coord;
	const char *type = cr_json_str(msg, "type", "");
	struct json_object *no;

	if (!strcmp(type, "hello") && p->conn->uid == c->opt.uid) {
		p->agent = true;
		snprintf(p->node, sizeof(p->node), "%s", p->conn->peer);
		cr_log("agent of node %s has joined", p->node);
		return 0;
	}
	if (!strcmp(type, "request") && coord_permitted(c, p->conn->uid)) {
		cr_coord_ask(p, msg);
		return 0;
	}
	cr_log("refused: \"%s\" from %s by uid %d", type, p->conn->address,
	       (int)p->conn->uid);
	no = cr_json_message("error");
	cr_json_put_int(no, "status", -EPERM);
	cr_json_put_str(no, "text",
			"only the job's owner, root and SlurmUser may ask");
	cr_coord_send(p, no);
	json_object_put(no);
	return -EPERM;
}

static int coord_message(struct cr_peer *p, struct json_object *msg)
{
	if (p->conn->received == 1)
		return coord_first(p, msg);
	if (p->agent) {
		coord_agent_message(p, msg);
		return 0;
	}
	if (strcmp(cr_json_str(msg, "type", ""), "request"))
		return -EPROTO;
	cr_coord_ask(p, msg);
	return 0;
}

static void coord_readable(int fd, short revents, void *arg)
{
	struct cr_peer *p = arg;
	struct cr_error err = { 0 };
	struct json_object *msg;
	int rc;

	(void)fd;
	(void)revents;
	rc = cr_conn_read(p->conn);
	if (rc == -EAGAIN)
		return;
	if (rc && !p->conn->received)
		cr_log("refused: %s closed without a message",
		       p->conn->address);
	while (!rc && (rc = cr_conn_next(p->conn, &msg, &err)) > 0) {
		rc = coord_message(p, msg);
		json_object_put(msg);
	}
	if (err.code)
		cr_log("refused: %s", err.text);
	if (rc < 0)
		coord_drop(p);
}

/* Who says nothing does not stay. */
static void coord_strangers(void *arg)
{
	struct cr_coord *c = arg;

	for (struct cr_peer *p = c->peers, *next; p; p = next) {
		next = p->next;
		if (p->conn && !p->conn->received) {
			if (p->pending) { /* seen the last time too */
				cr_log("refused: %s says nothing",
				       p->conn->address);
				coord_drop(p);
				continue;
			}
			p->pending = true;
		}
	}
	cr_loop_after(c->opt.loop, COORD_STRANGER_MS, coord_strangers, c);
}

void cr_coord_accept(struct cr_coord *c, int fd)
{
	struct cr_error err = { 0 };
	int strangers = 0;
	struct cr_peer *p;

	for (p = c->peers; p; p = p->next)
		strangers += p->conn && !p->conn->received;
	p = strangers < COORD_STRANGERS_MAX ? calloc(1, sizeof(*p)) : NULL;
	if (!p) {
		cr_log("refused: too many connections that say nothing");
		close(fd);
		return;
	}
	if (cr_conn_accept(&p->conn, fd, c->opt.job, &err)) {
		cr_log("%s", err.text);
		free(p);
		return;
	}
	p->coord = c;
	p->next = c->peers;
	c->peers = p;
	cr_loop_watch(c->opt.loop, p->conn->fd, POLLIN, coord_readable, p);
}

void cr_coord_from_local(struct cr_coord *c, struct json_object *msg)
{
	coord_agent_message(c->local, msg);
}

struct cr_coord *cr_coord_create(const struct cr_coord_options *opt)
{
	struct cr_coord *c = calloc(1, sizeof(*c));
	struct cr_peer *p = calloc(1, sizeof(*p));

	if (!c || !p) {
		free(c);
		free(p);
		return NULL;
	}
	c->opt = *opt;
	p->coord = c;
	p->agent = true;
	snprintf(p->node, sizeof(p->node), "%s", opt->node);
	c->peers = c->local = p;
	cr_gens_prune(opt->jobdir, opt->keep); /* what a dead one left */
	cr_coord_set_period(c);
	cr_loop_after(opt->loop, COORD_STRANGER_MS, coord_strangers, c);
	return c;
}

void cr_coord_destroy(struct cr_coord *c)
{
	if (!c)
		return;
	while (c->peers) {
		struct cr_peer *p = c->peers;

		c->peers = p->next;
		if (p->conn)
			cr_conn_destroy(p->conn);
		free(p->held);
		free(p);
	}
	while (c->queue) {
		struct cr_request *r = c->queue;

		c->queue = r->next;
		free(r);
	}
	cr_worlds_destroy(&c->worlds);
	json_object_put(c->ranks);
	json_object_put(c->launchers);
	json_object_put(c->stdio);
	free(c);
}
