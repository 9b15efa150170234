/* SPDX-License-Identifier: GPL-2.0-or-later */
/* roots.c - which process trees of this node belong to the job: registration */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/slurm/agent/log.h"
#include "plugins/slurm/agent/node.h"

#define ROOTS_NO_COORDINATOR_MS 5000
#define ROOTS_WORLD_MAX 200
#define ROOTS_HELD_MS 600000

void cr_node_answer(int client, int status, const char *text)
{
	struct cr_register_reply r = { .magic = CR_REGISTER_MAGIC,
				       .version = CR_REGISTER_VERSION,
				       .status = status };

	if (client < 0)
		return;
	strncpy(r.text, text, sizeof(r.text) - 1);
	if (send(client, &r, sizeof(r), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		cr_log("a registration's sender has gone");
	close(client);
}

static void roots_release(struct cr_root *r, int status, const char *text)
{
	cr_loop_cancel(r->node->loop, r->client_timer);
	r->client_timer = 0;
	cr_node_answer(r->client, status, text);
	r->client = -1;
}

void cr_node_known(struct cr_node *n, int id)
{
	for (struct cr_root *r = n->roots; r; r = r->next)
		if (r->id == id || !id)
			roots_release(r, 0, "");
}

static void roots_timeout(void *arg)
{
	struct cr_root *r = arg;

	r->client_timer = 0;
	roots_release(r, -ENOTCONN, "the job's coordinator does not answer");
}

static const char *roots_message(const struct cr_root *r)
{
	if (r->ended)
		return "ended";
	return r->started ? "started" : "rank";
}

static void roots_tell(struct cr_root *r)
{
	struct json_object *msg = cr_json_message(roots_message(r));
	bool sent;

	cr_json_put_int(msg, "id", r->id);
	cr_json_put_int(msg, "root", r->pid);
	cr_json_put_str(msg, "world", r->world);
	cr_json_put_int(msg, "rank", r->rank);
	cr_json_put_int(msg, "size", r->size);
	cr_json_put_int(msg, "launcher", r->launcher);
	cr_json_put_bool(msg, "batch", r->batch);
	cr_json_put_int(msg, "restarts", r->restarts);
	cr_json_put_bool(msg, "mpi", r->mpi);
	if (r->ended)
		cr_json_put_int(msg, "status", r->status);
	sent = !r->node->send(msg, r->node->send_arg);
	json_object_put(msg);
	if (r->client >= 0 && !r->client_timer)
		r->client_timer = cr_loop_after(
			r->node->loop,
			sent ? ROOTS_HELD_MS : ROOTS_NO_COORDINATOR_MS,
			roots_timeout, r);
}

void cr_node_tell_all(struct cr_node *n)
{
	for (struct cr_root *r = n->roots; r; r = r->next)
		roots_tell(r);
}

void cr_node_sweep(struct cr_node *n)
{
	struct cr_root **at = &n->roots;

	while (*at) {
		struct cr_root *r = *at;

		if (!r->ended || r->worker) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		roots_release(r, -ESRCH, "ended");
		if (r->report)
			json_object_put(r->report);
		free(r);
	}
}

static void roots_ended(int fd, short revents, void *arg)
{
	struct cr_root *r = arg;

	(void)revents;
	cr_loop_unwatch(r->node->loop, fd);
	close(r->pidfd);
	r->pidfd = -1;
	r->ended = true;
	cr_log("rank %d of %s (process %d) has ended", r->rank,
	       r->batch ? "the batch script" : r->world, r->pid);
	roots_tell(r);
	cr_node_sweep(r->node);
}

static int roots_pidfd(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

static bool roots_is_daemon(const struct cr_node *n, pid_t pid)
{
	for (struct cr_watched *w = n->daemons; w; w = w->next)
		if (w->pid == pid)
			return true;
	return false;
}

/* The last ancestor below slurmstepd, a daemon or a launcher. */
static pid_t roots_find(const struct cr_node *n, pid_t pid)
{
	struct cr_proc p, parent;

	while (!cr_proc_read(&p, pid)) {
		if (p.ppid <= 1 || cr_proc_read(&parent, p.ppid) ||
		    !strcmp(parent.comm, "slurmstepd") ||
		    roots_is_daemon(n, p.ppid) ||
		    cr_proc_is_launcher(p.ppid, NULL))
			return pid;
		pid = p.ppid;
	}
	return pid;
}

static struct cr_root *roots_of(const struct cr_node *n, pid_t pid)
{
	struct cr_root *r;

	for (r = n->roots; r; r = r->next)
		if (r->pid == pid && !r->ended)
			break;
	return r;
}

static struct cr_root *roots_add(struct cr_node *n,
				 const struct cr_register *m, pid_t pid)
{
	struct cr_root *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->pidfd = roots_pidfd(pid);
	if (r->pidfd < 0 ||
	    cr_loop_watch(n->loop, r->pidfd, POLLIN, roots_ended, r)) {
		if (r->pidfd >= 0)
			close(r->pidfd);
		free(r);
		return NULL;
	}
	r->node = n;
	r->id = ++n->last_id;
	r->pid = pid;
	r->batch = m->kind == CR_REGISTER_BATCH;
	r->mpi = m->kind == CR_REGISTER_MPI;
	strcpy(r->world, m->world);
	for (char *c = r->world; *c && !r->batch; c++)
		if (*c == '/')
			*c = '_'; /* it is part of a file name */
	r->rank = m->rank;
	r->size = m->size;
	r->launcher = m->launcher;
	r->restarts = m->value;
	r->status = -1;
	r->client = r->worker_fd = r->worker_pidfd = -1;
	r->next = n->roots;
	n->roots = r;
	return r;
}

static void roots_begins(struct cr_root *r, int client)
{
	r->client = client;
	cr_log("process %d is %s %s rank %d of %d", r->pid,
	       r->batch ? "the batch script" : "in", r->world, r->rank,
	       r->size);
	roots_tell(r);
}

static void roots_rank(struct cr_node *n, const struct cr_register *m,
		       pid_t pid, int client)
{
	pid_t root = roots_find(n, pid);
	struct cr_root *r;

	r = roots_of(n, root);
	if (r && r->started && m->kind == CR_REGISTER_TASK) {
		r->started = false;
		roots_begins(r, client);
		return;
	}
	if (r) {
		r->mpi |= m->kind == CR_REGISTER_MPI;
		if (m->kind == CR_REGISTER_MPI && !r->size)
			r->size = m->size;
		cr_node_answer(client, 0, "");
		return;
	}
	if (m->kind != CR_REGISTER_BATCH &&
	    (strlen(m->world) > ROOTS_WORLD_MAX || m->rank < 0 || !*m->world)) {
		cr_node_answer(client, -EINVAL, "not a rank");
		return;
	}
	r = roots_add(n, m, root);
	if (!r) {
		cr_node_answer(client, -ESRCH, "no such process");
		return;
	}
	roots_begins(r, client);
}

static void roots_watched_ended(int fd, short revents, void *arg)
{
	struct cr_watched *w = arg, **at;
	struct cr_node *n = w->node;
	struct cr_watched **lists[] = { &n->daemons, &n->stepds };

	(void)revents;
	cr_loop_unwatch(n->loop, fd);
	close(fd);
	for (int i = 0; i < 2; i++)
		for (at = lists[i]; *at; at = &(*at)->next)
			if (*at == w) {
				*at = w->next;
				break;
			}
	free(w);
	if (!n->stepds)
		n->idle(n->send_arg);
}

static int roots_watch(struct cr_node *n, struct cr_watched **list, pid_t pid)
{
	struct cr_watched *w;

	for (w = *list; w; w = w->next)
		if (w->pid == pid)
			return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->node = n;
	w->pid = pid;
	w->pidfd = roots_pidfd(pid);
	if (w->pidfd < 0) {
		int rc = w->pidfd;

		free(w);
		return rc;
	}
	if (cr_loop_watch(n->loop, w->pidfd, POLLIN, roots_watched_ended, w)) {
		close(w->pidfd);
		free(w);
		return -ENOMEM;
	}
	w->next = *list;
	*list = w;
	return 0;
}

/* Not a word yet of the task itself. */
static int roots_started(struct cr_node *n, const struct cr_register *m)
{
	struct cr_root *r;

	if (strlen(m->world) > ROOTS_WORLD_MAX || m->rank < 0 || !*m->world ||
	    m->value <= 0)
		return -EINVAL;
	if (roots_of(n, m->value))
		return 0;
	r = roots_add(n, m, m->value);
	if (!r)
		return -ESRCH;
	r->started = true;
	roots_tell(r);
	return 0;
}

/* What it has started are ranks, it is none itself. */
static int roots_daemon(struct cr_node *n, pid_t pid)
{
	struct cr_root *r = roots_of(n, pid);
	struct json_object *msg;

	if (r && r->started) {
		msg = cr_json_message("daemon");
		cr_json_put_str(msg, "world", r->world);
		cr_json_put_int(msg, "rank", r->rank);
		cr_json_put_int(msg, "size", r->size);
		n->send(msg, n->send_arg);
		json_object_put(msg);
		cr_loop_unwatch(n->loop, r->pidfd);
		close(r->pidfd);
		r->pidfd = -1;
		r->ended = true;
		cr_node_sweep(n);
	}
	return roots_watch(n, &n->daemons, pid);
}

/* The plugin knows how a task ended; usually we have seen before that it
 * did. */
static void roots_exit(struct cr_node *n, const struct cr_register *m)
{
	struct json_object *msg;

	for (struct cr_root *r = n->roots; r; r = r->next)
		if (!r->batch && r->rank == m->rank &&
		    !strcmp(r->world, m->world))
			r->status = m->value;
	msg = cr_json_message("ended");
	cr_json_put_str(msg, "world", m->world);
	cr_json_put_int(msg, "rank", m->rank);
	cr_json_put_int(msg, "size", m->size);
	cr_json_put_int(msg, "launcher", m->launcher);
	cr_json_put_int(msg, "status", m->value);
	n->send(msg, n->send_arg);
	json_object_put(msg);
}

void cr_node_register(struct cr_node *n, const struct cr_register *m,
		      pid_t pid, int client)
{
	int rc;

	switch (m->kind) {
	case CR_REGISTER_BATCH:
	case CR_REGISTER_TASK:
	case CR_REGISTER_MPI:
		roots_rank(n, m, pid, client);
		return;
	case CR_REGISTER_DAEMON:
		rc = roots_daemon(n, pid);
		break;
	case CR_REGISTER_STEPD:
		rc = roots_watch(n, &n->stepds, m->value);
		break;
	case CR_REGISTER_EXIT:
		roots_exit(n, m);
		rc = 0;
		break;
	case CR_REGISTER_STARTED:
		rc = roots_started(n, m);
		break;
	default:
		rc = -EINVAL;
	}
	cr_node_answer(client, rc, rc ? strerror(-rc) : "");
}
