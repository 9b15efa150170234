/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - one process per rank and generation that drives libcr
 *
 * The agent tells it phases over a SOCK_SEQPACKET pair and gets one reply to
 * each.  If the pair is closed, the worker undoes what it did and ends; so it
 * does by itself when the time up to RESUME is over and the agent, or the
 * coordinator, hangs: no tree stands still because of that.
 */
#ifndef CR_WORKER_H
#define CR_WORKER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "plugins/slurm/agent/phase.h"

#define CR_WORKER_LAUNCHERS 64
#define CR_WORKER_PATH 1024
#define CR_WORKER_LATE 9 /* exit status: nobody said anything in time */

struct cr_worker_options {
	pid_t target;
	bool batch;	/* report launchers and output files */
	double timeout; /* seconds for callbacks and quiesce */
	bool end;	/* kill the tree when it is resumed */
	int rank;	/* for the test hook, as is generation */
	int generation;
};

struct cr_worker_command {
	enum cr_phase phase;
	char dir[CR_WORKER_PATH], file[CR_WORKER_PATH]; /* STORE */
};

struct cr_worker_stdio {
	int fd;
	uint64_t size;
	char path[CR_WORKER_PATH];
	char file[32]; /* its copy in the generation's directory */
};

struct cr_worker_reply {
	enum cr_phase phase;
	int status; /* 0 or -errno, -CR_E* */
	char text[CR_ERROR_MAX];
	uint64_t bytes;	 /* STORE */
	char digest[33]; /* STORE */
	unsigned int n_launchers;
	int launchers[CR_WORKER_LAUNCHERS]; /* SNAPSHOT */
	unsigned int n_stdio;
	struct cr_worker_stdio stdio[3]; /* SNAPSHOT */
};

/* Starts one; *fd is the agent's end of the pair.  Its pid or -errno. */
pid_t cr_worker_start(const struct cr_worker_options *opt, int *fd);

#endif
