/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node.c - takes the workers of this node through the phases, reports */
#include "plugins/slurm/agent/node.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/slurm/agent/log.h"
#include "plugins/slurm/agent/worker.h"

static void node_report(struct cr_node *n)
{
	struct json_object *msg = cr_json_message("report"), *ranks;

	ranks = json_object_new_array();
	cr_json_put_int(msg, "generation", n->generation);
	cr_json_put_str(msg, "phase", cr_phase_name(n->phase));
	cr_json_put_int(msg, "status", n->status);
	cr_json_put_str(msg, "text", n->text);
	for (struct cr_root *r = n->roots; r; r = r->next) {
		if (r->report)
			json_object_array_add(ranks, r->report);
		r->report = NULL;
	}
	json_object_object_add(msg, "ranks", ranks);
	n->send(msg, n->send_arg);
	json_object_put(msg);
}

static void node_fail(struct cr_node *n, int status, const char *text)
{
	if (n->status)
		return;
	n->status = status;
	if (text != n->text)
		snprintf(n->text, sizeof(n->text), "%s", text);
}

static void node_done_one(struct cr_node *n)
{
	if (--n->waiting)
		return;
	if (n->phase == CR_PHASE_ABORT || n->phase == CR_PHASE_FINISH) {
		for (struct cr_root *r = n->roots; r; r = r->next)
			r->target = 0;
		cr_node_sweep(n);
	}
	node_report(n);
}

static struct json_object *node_rank_json(const struct cr_root *r)
{
	struct json_object *o = json_object_new_object();

	cr_json_put_str(o, "kind", r->batch ? "batch" : "task");
	cr_json_put_str(o, "world", r->world);
	cr_json_put_int(o, "rank", r->rank);
	cr_json_put_int(o, "size", r->size);
	cr_json_put_int(o, "launcher", r->launcher);
	cr_json_put_int(o, "pid", r->target);
	cr_json_put_bool(o, "mpi", r->mpi);
	return o;
}

static void node_add_snapshot(struct json_object *o,
			      const struct cr_worker_reply *w)
{
	struct json_object *a = json_object_new_array();

	for (unsigned int i = 0; i < w->n_launchers; i++)
		json_object_array_add(a,
				      json_object_new_int(w->launchers[i]));
	json_object_object_add(o, "launchers", a);
	a = json_object_new_array();
	for (unsigned int i = 0; i < w->n_stdio; i++) {
		struct json_object *s = json_object_new_object();

		cr_json_put_int(s, "fd", w->stdio[i].fd);
		cr_json_put_str(s, "path", w->stdio[i].path);
		cr_json_put_int(s, "size", w->stdio[i].size);
		cr_json_put_str(s, "file", w->stdio[i].file);
		json_object_array_add(a, s);
	}
	json_object_object_add(o, "stdio", a);
}

static void node_reply(int fd, short revents, void *arg)
{
	struct cr_root *r = arg;
	struct cr_node *n = r->node;
	struct cr_worker_reply w;
	char file[512];

	(void)revents;
	if (recv(fd, &w, sizeof(w), MSG_DONTWAIT) != (ssize_t)sizeof(w)) {
		cr_loop_unwatch(n->loop, fd); /* its end is seen elsewhere */
		return;
	}
	if (!r->busy || w.phase != n->phase)
		return; /* late: the generation has been aborted meanwhile */
	r->busy = false;
	if (w.phase == CR_PHASE_FINISH) { /* all is done: it may end */
		cr_loop_unwatch(n->loop, fd);
		close(fd);
		r->worker_fd = -1;
		return;
	}
	r->report = node_rank_json(r);
	if (w.phase == CR_PHASE_SNAPSHOT && r->batch)
		node_add_snapshot(r->report, &w);
	if (w.phase == CR_PHASE_STORE) {
		if (r->batch)
			strcpy(file, "batch.context");
		else
			snprintf(file, sizeof(file), "%s.%d.context", r->world,
				 r->rank);
		cr_json_put_str(r->report, "file", file);
		cr_json_put_int(r->report, "bytes", w.bytes);
		cr_json_put_str(r->report, "digest", w.digest);
	}
	if (w.status) {
		char text[sizeof(w.text) + 512];

		if (r->batch)
			snprintf(text, sizeof(text), "node %s, batch script: %s",
				 n->name, w.text);
		else
			snprintf(text, sizeof(text), "node %s, %s rank %d: %s",
				 n->name, r->world, r->rank, w.text);
		node_fail(n, w.status, text);
	}
	node_done_one(n);
}

static void node_why_ended(const struct cr_root *r, int status, char *text,
			   size_t size)
{
	const char *who = r->batch ? "the batch script" : r->world;

	if (WIFSIGNALED(status))
		snprintf(text, size,
			 "node %s: the worker of %s rank %d was killed by "
			 "signal %d", r->node->name, who, r->rank,
			 WTERMSIG(status));
	else if (WEXITSTATUS(status) == CR_WORKER_LATE)
		snprintf(text, size,
			 "node %s: MaxWait is over, and nobody had said so to "
			 "%s rank %d", r->node->name, who, r->rank);
	else
		snprintf(text, size,
			 "node %s: the worker of %s rank %d ended with status "
			 "%d", r->node->name, who, r->rank,
			 WEXITSTATUS(status));
}

static void node_worker_ended(int fd, short revents, void *arg)
{
	struct cr_root *r = arg;
	struct cr_node *n = r->node;
	char text[256];
	int status = 0;

	(void)revents;
	cr_loop_unwatch(n->loop, fd);
	close(fd);
	if (r->worker_fd >= 0) {
		cr_loop_unwatch(n->loop, r->worker_fd);
		close(r->worker_fd);
	}
	waitpid(r->worker, &status, 0);
	r->worker_fd = r->worker_pidfd = -1;
	r->worker = 0;
	if (n->phase == CR_PHASE_ABORT || n->phase == CR_PHASE_FINISH) {
		r->busy = false;
		node_done_one(n);
		return;
	}
	node_why_ended(r, status, text, sizeof(text));
	cr_log("%s", text);
	node_fail(n, -EPIPE, text);
	if (r->busy) {
		r->busy = false;
		node_done_one(n);
	}
}

/* Closing the pair makes a worker undo what it did and end. */
static void node_end_workers(struct cr_node *n)
{
	n->waiting = 1;
	for (struct cr_root *r = n->roots; r; r = r->next) {
		if (!r->worker)
			continue;
		n->waiting++;
		r->busy = false;
		if (r->worker_fd >= 0) {
			cr_loop_unwatch(n->loop, r->worker_fd);
			close(r->worker_fd);
			r->worker_fd = -1;
		}
	}
	node_done_one(n);
}

void cr_node_abort(struct cr_node *n)
{
	if (n->phase == CR_PHASE_ABORT)
		return;
	n->phase = CR_PHASE_ABORT;
	n->status = 0;
	n->text[0] = '\0';
	node_end_workers(n);
}

static void node_watch_workers(struct cr_node *n)
{
	for (struct cr_root *r = n->roots; r; r = r->next) {
		if (!r->target || !r->worker)
			continue;
		cr_loop_watch(n->loop, r->worker_fd, POLLIN, node_reply, r);
		cr_loop_watch(n->loop, r->worker_pidfd, POLLIN,
			      node_worker_ended, r);
	}
}

static void node_command_all(struct cr_node *n)
{
	n->waiting = 1; /* this function itself */
	for (struct cr_root *r = n->roots; r; r = r->next) {
		if (!r->target)
			continue; /* came after REQUEST */
		if (!r->worker || cr_node_command(r)) {
			node_fail(n, -EPIPE, "a worker has gone");
			continue;
		}
		r->busy = true;
		n->waiting++;
	}
	node_done_one(n);
}

/* With hold, each worker first ends its tree (see node_reply()). */
static void node_finish(struct cr_node *n)
{
	if (!n->end) {
		node_end_workers(n);
		return;
	}
	n->waiting = 1;
	for (struct cr_root *r = n->roots; r; r = r->next) {
		if (!r->worker)
			continue;
		n->waiting++;
		r->busy = true;
		cr_node_command(r);
	}
	node_done_one(n);
}

static void node_phase(struct cr_node *n, struct json_object *msg)
{
	const char *name = cr_json_str(msg, "phase", "");
	enum cr_phase phase = cr_phase_parse(name);

	if (phase == CR_PHASE_NONE) {
		cr_log("unknown phase \"%s\"", name);
		return;
	}
	if (phase <= CR_PHASE_REQUEST) {
		n->generation = cr_json_int(msg, "generation", 0);
		n->timeout = cr_json_int(msg, "timeout", 0);
		n->end = cr_json_bool(msg, "hold", false);
		snprintf(n->dir, sizeof(n->dir), "%s",
			 cr_json_str(msg, "dir", ""));
	} else if (cr_json_int(msg, "generation", 0) != n->generation ||
		   n->phase == CR_PHASE_ABORT) {
		return;
	}
	n->phase = phase;
	n->status = 0;
	n->text[0] = '\0';
	if (phase <= CR_PHASE_REQUEST) {
		int rc = cr_node_start_workers(n);

		node_watch_workers(n);
		if (rc) {
			node_fail(n, rc, n->text);
			node_report(n);
			return;
		}
	}
	if (phase == CR_PHASE_FINISH)
		node_finish(n);
	else
		node_command_all(n);
}

void cr_node_handle(struct cr_node *n, struct json_object *msg)
{
	const char *type = cr_json_str(msg, "type", "");

	if (!strcmp(type, "phase"))
		node_phase(n, msg);
	else if (!strcmp(type, "abort"))
		cr_node_abort(n);
	else if (!strcmp(type, "rank-ok"))
		cr_node_known(n, cr_json_int(msg, "id", 0));
	else
		cr_log("unknown message \"%s\"", type);
}
