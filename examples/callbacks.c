/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * callbacks.c - a program that is told of its checkpoints
 *
 *	cc -o callbacks callbacks.c -lcr
 *	./callbacks &
 *	cr_checkpoint --term $!		(writes context.PID)
 *	cr_restart context.PID
 *
 * A program needs none of this to be checkpointed.  This one wants to write
 * down what happens to it, in three ways:
 *
 * - a callback in thread context, where anything may be done, such as writing
 *   to a file or talking to another program;
 * - a callback in signal context, which runs in the thread that registered
 *   it, wherever that is, and may do only what a signal handler may do;
 * - a critical section, in which no checkpoint takes place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <libcr.h>

static volatile int generation; /* restarts so far */

/* In libcr's own thread. */
static int in_thread_context(void *arg)
{
	const struct cr_checkpoint_info *info = cr_get_checkpoint_info();
	int rc;

	printf("%s: a checkpoint to %s\n", (const char *)arg,
	       info->dest ? info->dest : "somewhere");
	fflush(stdout);

	rc = cr_checkpoint(CR_CHECKPOINT_READY); /* here it is taken */

	if (rc < 0)
		printf("%s: given up: %s\n", (const char *)arg,
		       cr_strerror(-rc));
	else if (rc == 0)
		printf("%s: going on\n", (const char *)arg);
	else
		printf("%s: restarted from %s\n", (const char *)arg,
		       cr_get_restart_info()->src);
	fflush(stdout);
	return 0;
}

/* In the main thread, between any two instructions of it. */
static int in_signal_context(void *arg)
{
	if (cr_checkpoint(CR_CHECKPOINT_READY) > 0)
		generation++;
	return 0;
}

int main(int argc, char **argv)
{
	int steps = argc > 1 ? atoi(argv[1]) : 100, i;
	const struct timespec step = { .tv_nsec = 100000000 };
	cr_client_id_t id = cr_init();

	if (id < 0 ||
	    cr_register_callback(in_thread_context, "callbacks",
				 CR_THREAD_CONTEXT) < 0 ||
	    cr_register_callback(in_signal_context, NULL,
				 CR_SIGNAL_CONTEXT) < 0) {
		perror("callbacks: libcr");
		return 1;
	}
	for (i = 0; i < steps; i++) {
		cr_enter_cs(id);
		printf("step %d in one piece, ", i);
		nanosleep(&step, NULL);
		printf("generation %d\n", generation);
		fflush(stdout);
		cr_leave_cs(id);
	}
	return 0;
}
