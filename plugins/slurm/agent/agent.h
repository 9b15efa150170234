/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent.h - the parts of cr_agent put together */
#ifndef CR_AGENT_H
#define CR_AGENT_H

#include "plugins/slurm/agent/coord.h"
#include "plugins/slurm/agent/node.h"
#include "plugins/slurm/agent/publish.h"

struct cr_agent {
	struct cr_loop *loop;
	struct cr_node node;
	struct cr_coord *coord; /* NULL: another node's agent is it */
	struct cr_conn *uplink; /* then: the connection to it */
	char name[CR_FRAME_NAME];
	uint32_t job;
	pid_t stepd;
	bool batch;	      /* started by the batch script's slurmstepd */
	bool first;	      /* on the first node of its step */
	long period;
	int keep;
	const char *dir, *site;
	char run[64], jobdir[PATH_MAX]; /* on the node, on the disk */
	struct cr_publish publish;
	int lock, listen_local, listen_tcp;
};

/* local.c: the directory, the lock and the socket of the node */
int cr_agent_local_dir(struct cr_agent *a, struct cr_error *err);
/* 1: we are the agent; 0: another one is and knows our slurmstepd. */
int cr_agent_local_claim(struct cr_agent *a, struct cr_error *err);
int cr_agent_local_listen(struct cr_agent *a, struct cr_error *err);
void cr_agent_local_close(struct cr_agent *a);

/* uplink.c: an agent that is not the coordinator */
void cr_agent_uplink_start(struct cr_agent *a);
int cr_agent_uplink_send(struct cr_agent *a, struct json_object *msg);

#endif
