/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * register.h - how a process tells the agent of its node that it is a rank
 *
 * The agent of the job listens on a UNIX socket of type SOCK_SEQPACKET; its
 * path is in the environment of every task (CR_AGENT_SOCKET).  One message,
 * one answer, close: the connection is gone before the program goes on, so
 * that no descriptor of ours is in it.  Who sends is known from
 * SO_PEERCRED.  doc/job-protocol.md, part 1.
 */
#ifndef CR_REGISTER_H
#define CR_REGISTER_H

#include <stdint.h>

#define CR_AGENT_SOCKET_ENV "CR_AGENT_SOCKET"
/*
 * Set in a launcher (srun, mpirun, ...) by the preloaded libcr_slurm.so and
 * handed down by it: the launcher's pid as the batch script sees it.
 */
#define CR_LAUNCHER_ENV "CR_LAUNCHER"
/*
 * Set in a launcher that is run anew at a restart, handed down by it:
 * "DIR/JOB/gen-N/WORLD".  Rank R becomes (execve)
 *	cr_restart "$CR_RESTART_STEP.R.context"
 * with this variable and LD_PRELOAD taken out of the environment.  Tasks of
 * srun: done by cr_task; ranks of mpirun: by libcr_mpi's constructor, R
 * being PMIX_RANK, in the first process that has one.
 */
#define CR_RESTART_STEP_ENV "CR_RESTART_STEP"

/*
 * For cr_task: the program in whose place it runs, and where it lies itself.
 * They are in the environment of a program only if it was not started through
 * cr_task (a task of srun --multi-prog).
 */
#define CR_TASK_ARGV0_ENV "CR_TASK_ARGV0"
#define CR_TASK_PATH_ENV "CR_TASK_PATH"

#define CR_REGISTER_MAGIC 0x67725243u /* "CRrg" */
#define CR_REGISTER_VERSION 1

enum cr_register_kind {
	CR_REGISTER_BATCH = 1, /* the batch script; sent by cr_task */
	CR_REGISTER_TASK = 2,  /* a task of a step; sent by cr_task */
	CR_REGISTER_MPI = 3,   /* sent by libcr_mpi at the end of MPI_Init, and
				  again after a restart when MPI is up */
	CR_REGISTER_DAEMON = 4, /* orted and the like: its children are ranks */
	CR_REGISTER_STEPD = 5,	/* value: pid of a slurmstepd of the job: the
				   agent stays as long as one of them lives */
	CR_REGISTER_EXIT = 6,	/* value: wait status of task "rank" of step
				   "world"; sent by the plugin */
	CR_REGISTER_STARTED = 7, /* value: pid of task "rank", which will
				   say TASK or DAEMON itself if it can be
				   checkpointed; sent by the plugin */
};

struct cr_register { /* native byte order: it never leaves the node */
	uint32_t magic, version;
	uint32_t kind;	  /* enum cr_register_kind */
	int32_t rank;	  /* in its world: SLURM_PROCID, PMIX_RANK; else -1 */
	int32_t size;	  /* of the world, 0: not known */
	int32_t launcher; /* $CR_LAUNCHER, 0: not set */
	int64_t value;	  /* see the kinds */
	/*
	 * Which world: the step as "JOB.STEP" (TASK), $PMIX_NAMESPACE (MPI),
	 * at most 200 characters; BATCH at a restart: the generation's
	 * directory.  NUL-terminated.
	 */
	char world[1024];
};

struct cr_register_reply {
	uint32_t magic, version;
	/*
	 * 0: registered.  -errno: it is not, the job cannot be checkpointed
	 * because of text; the program may run on all the same.
	 */
	int32_t status;
	char text[256]; /* NUL-terminated */
};

/*
 * Sends m (magic and version are filled in) to the agent at path and waits
 * for the answer, at most timeout_ms.  0 or -errno; -errno of the agent's
 * answer with its text in reply (which may be NULL).  The answer may take
 * a moment while a checkpoint is being taken.
 */
int cr_register_send(const char *path, struct cr_register *m,
		     struct cr_register_reply *reply, int timeout_ms);

#endif
