/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.c - begins a generation on a node: a worker per rank */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plugins/slurm/agent/log.h"
#include "plugins/slurm/agent/node.h"
#include "plugins/slurm/agent/worker.h"

static bool request_is_root(const struct cr_node *n, pid_t pid)
{
	for (struct cr_root *r = n->roots; r; r = r->next)
		if (r->pid == pid && !r->ended)
			return true;
	return false;
}

/* mpirun starts its daemons on the other nodes through these. */
static bool request_is_remote_shell(const struct cr_proc *p)
{
	return !strcmp(p->comm, "srun") || !strcmp(p->comm, "ssh") ||
	       !strcmp(p->comm, "orted") || !strcmp(p->comm, "prted");
}

static int request_check_children(struct cr_node *n, const struct cr_procs *t,
				  pid_t parent)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct cr_proc *p = &t->p[i];

		if (p->ppid != parent || p->state == 'Z' ||
		    request_is_remote_shell(p) || request_is_root(n, p->pid))
			continue;
		snprintf(n->text, sizeof(n->text),
			 "node %s: process %d (%s), started by mpirun, has not "
			 "said that it is an MPI rank (has it called "
			 "MPI_Init?)",
			 n->name, p->pid, p->comm);
		return -EAGAIN;
	}
	return 0;
}

/* Launchers anywhere below pid. */
static int request_check_tree(struct cr_node *n, const struct cr_procs *t,
			      pid_t pid)
{
	int rc = 0;

	if (cr_proc_forks_ranks(pid))
		return request_check_children(n, t, pid);
	for (size_t i = 0; i < t->n && !rc; i++)
		if (t->p[i].ppid == pid && t->p[i].pid != pid)
			rc = request_check_tree(n, t, t->p[i].pid);
	return rc;
}

/* No process may run under mpirun or orted that would not be saved. */
static int request_check_strangers(struct cr_node *n, const struct cr_procs *t)
{
	int rc = 0;

	for (struct cr_watched *w = n->daemons; w && !rc; w = w->next)
		rc = request_check_children(n, t, w->pid);
	for (struct cr_root *r = n->roots; r && !rc; r = r->next)
		if (!r->ended)
			rc = request_check_tree(n, t, r->pid);
	return rc;
}

static int request_start(struct cr_root *r, const struct cr_procs *t)
{
	struct cr_node *n = r->node;
	struct cr_worker_options o = { .batch = r->batch,
				       .timeout = n->timeout,
				       .end = n->end,
				       .rank = r->rank,
				       .generation = n->generation };
	const struct cr_proc *p = cr_procs_find(t, r->pid);

	o.target = p && p->state != 'Z' ? cr_procs_target(t, r->pid) : 0;
	if (!o.target) {
		snprintf(n->text, sizeof(n->text),
			 "node %s: process %d (rank %d of %s) is %s", n->name,
			 r->pid, r->rank, r->batch ? "the script" : r->world,
			 p && p->state != 'Z' ? "still being restarted" :
						"ending");
		return -EAGAIN;
	}
	if (r->worker) {
		snprintf(n->text, sizeof(n->text),
			 "node %s: the last checkpoint of process %d is still "
			 "being undone", n->name, r->pid);
		return -EAGAIN;
	}
	r->target = o.target;
	r->worker = cr_worker_start(&o, &r->worker_fd);
	if (r->worker < 0) {
		int rc = r->worker;

		r->worker = 0;
		snprintf(n->text, sizeof(n->text), "node %s: fork: %s",
			 n->name, strerror(-rc));
		return rc;
	}
	r->worker_pidfd = syscall(SYS_pidfd_open, r->worker, 0);
	return 0;
}

int cr_node_start_workers(struct cr_node *n)
{
	struct cr_procs t;
	int rc = cr_procs_load(&t);

	if (rc) {
		snprintf(n->text, sizeof(n->text), "node %s: /proc: %s",
			 n->name, strerror(-rc));
		return rc;
	}
	rc = request_check_strangers(n, &t);
	for (struct cr_root *r = n->roots; r && !rc; r = r->next)
		if (!r->ended && !r->started && r->client < 0)
			rc = request_start(r, &t);
	cr_procs_free(&t);
	return rc;
}

int cr_node_command(struct cr_root *r)
{
	struct cr_node *n = r->node;
	struct cr_worker_command cmd = { .phase = n->phase };

	snprintf(cmd.dir, sizeof(cmd.dir), "%s", n->dir);
	if (r->batch)
		strcpy(cmd.file, "batch.context");
	else
		snprintf(cmd.file, sizeof(cmd.file), "%s.%d.context", r->world,
			 r->rank);
	if (send(r->worker_fd, &cmd, sizeof(cmd), MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(cmd))
		return -errno;
	return 0;
}
