/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asked.h - a request of the program, from its start to the reaping
 *
 * Handles of checkpoints and of restarts are the same inside.  A command
 * (spawn.h) does the work and has two pipes to us: what it says, and its
 * result as the last thing, "0\n" or a code.  Nothing here uses malloc(3), so
 * that a signal handler may ask.
 */
#ifndef CR_ASKED_H
#define CR_ASKED_H

#include <stdbool.h>
#include <stdint.h>

#include "libcr.h"

struct cr_request_state {
	struct cr_request_state *next;
	int log_fd, result_fd;
	int theirs[2];	   /* the command's ends, until it has them; -1 */
	int dest;	   /* the caller's descriptor, omitted; -1: none */
	pid_t child;	   /* the command, if it is one; 0 */
	int killed;	   /* the code if the command cannot say one */
	uint64_t restarts; /* at the start */
	char *log;	   /* mapped, log_size bytes */
	size_t log_len, log_size;
	char result[32];
	size_t result_len;
	bool done;
	int code; /* done: 0, or errno */
};

/* What a kind of request does with its arguments; 0 or -errno. */
struct cr_asked_kind {
	int killed; /* see above */
	int (*check)(const void *args);
	/* Starts the command with its ends of the pipes. */
	int (*run)(struct cr_request_state *q, const void *args, int log,
		   int result);
};

/*
 * Makes a request; 0 or -errno.  What goes wrong after the memory was had can
 * be told later, by the reaping.
 */
int cr_asked_request(const struct cr_asked_kind *kind, const void *args,
		     bool later, struct cr_request_state **result);

/* What the functions of libcr.h of these names do, without the checks. */
int cr_asked_wait(struct cr_request_state *q, struct timeval *timeout);
int cr_asked_log(struct cr_request_state *q, unsigned int len, char *msg);
int cr_asked_reap(struct cr_request_state **q);
/* 1, 0, -1, -2 or -3. */
int cr_asked_poll(struct cr_request_state **q, struct timeval *timeout,
		  char **msg);

/* Memory for as long as it takes; NULL with errno.  Not malloc(3)'s. */
void *cr_asked_memory(size_t size);
void cr_asked_release(void *memory, size_t size);

/* Sets errno; -1. */
int cr_asked_fail(int error);

/*
 * The environment for a command, ours without what is meant for this program
 * or for another command.  more: n strings to be added.  In memory of its
 * own, *size bytes.
 */
char **cr_asked_environment(char *const *more, size_t n, size_t *size);
/* The path of a command: the installed one, or that of CR_BINDIR. */
void cr_asked_command(char *path, size_t size, const char *name);

#endif
