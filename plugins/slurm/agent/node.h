/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * node.h - the agent's duties on its own node: know the ranks, drive their
 * workers through the phases
 *
 * What it has to say to the coordinator goes through "send"; what the
 * coordinator says comes in by cr_node_handle().
 */
#ifndef CR_NODE_H
#define CR_NODE_H

#include <sys/types.h>

#include "plugins/slurm/agent/json.h"
#include "plugins/slurm/agent/loop.h"
#include "plugins/slurm/agent/phase.h"
#include "plugins/slurm/agent/procs.h"
#include "plugins/slurm/register.h"

struct cr_root { /* of a rank's process tree, or the batch script */
	struct cr_root *next;
	int id;
	pid_t pid;
	int pidfd;
	bool batch, mpi, ended;
	bool started; /* the plugin says so, the task has not spoken yet */
	char world[1024]; /* the batch script: generation it came from */
	int rank, size, launcher;
	int restarts; /* the batch script: of the job */
	int status;	  /* wait status, -1: not known */
	int client;	  /* registration that waits for its answer, -1 */
	int client_timer; /* ends the waiting */
	/* in a generation: */
	pid_t worker;
	int worker_fd, worker_pidfd; /* -1: none */
	pid_t target;
	bool busy; /* the worker has not answered yet */
	struct json_object *report;
	struct cr_node *node;
};

struct cr_watched { /* a daemon (orted) or a slurmstepd */
	struct cr_watched *next;
	pid_t pid;
	int pidfd;
	struct cr_node *node;
};

struct cr_node {
	struct cr_loop *loop;
	uint32_t job;
	uid_t uid;
	const char *name;
	struct cr_root *roots;
	struct cr_watched *daemons, *stepds;
	int last_id, last_ended;
	/* takes no reference; 0 or -errno if there is no coordinator */
	int (*send)(struct json_object *msg, void *arg);
	void *send_arg;
	void (*idle)(void *arg); /* the last slurmstepd has gone */
	/* the generation in hand */
	int generation;
	enum cr_phase phase;
	bool end;
	double timeout;
	char dir[1024];
	unsigned int waiting;
	int status; /* the first failure of this phase */
	char text[1024];
};

/* roots.c */
/* A registration; the answer goes to client, which it takes. */
void cr_node_register(struct cr_node *n, const struct cr_register *m,
		      pid_t pid, int client);
void cr_node_answer(int client, int status, const char *text);
/* The coordinator knows root id (0: all): let them go. */
void cr_node_known(struct cr_node *n, int id);
/* Tells a new coordinator everything again. */
void cr_node_tell_all(struct cr_node *n);
/* Forgets ended roots that no worker holds. */
void cr_node_sweep(struct cr_node *n);

/* node.c */
void cr_node_handle(struct cr_node *n, struct json_object *msg);
/* The coordinator is lost: undo the generation in hand. */
void cr_node_abort(struct cr_node *n);

/* request.c */
/* Starts a worker per root; 0 or -errno with n->text filled. */
int cr_node_start_workers(struct cr_node *n);
/* One worker. */
int cr_node_command(struct cr_root *r);

#endif
