/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.c - verbs that the job's coordinator answers */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plugins/slurm/command/command.h"

#define COMMAND_CONNECT_MS 10000
#define COMMAND_ANSWER_MS 40000 /* to what needs no checkpoint */
#define COMMAND_START_S 15	/* from RUNNING to the agent's first word */
#define COMMAND_POLL_US 200000

static void command_time(int64_t t, char *text, size_t size)
{
	time_t when = t;
	struct tm tm;

	strftime(text, size, "%FT%T", localtime_r(&when, &tm));
}

static int command_able(struct json_object *a)
{
	int64_t began = cr_json_int(a, "began", 0);
	char text[64];

	if (began) {
		command_time(began, text, sizeof(text));
		printf("Began at %s\n", text);
	} else if (cr_json_bool(a, "able", false)) {
		printf("Yes\n");
	} else {
		printf("No\n");
		fprintf(stderr, "slurm-checkpoint: %s\n",
			cr_json_str(a, "why", ""));
	}
	return 0;
}

static int command_error(struct json_object *a)
{
	char text[64];

	if (!cr_json_int(a, "code", 0)) {
		printf("0: no error\n");
		return 0;
	}
	command_time(cr_json_int(a, "when", 0), text, sizeof(text));
	printf("%d: %s (%s)\n", (int)-cr_json_int(a, "code", 0),
	       cr_json_str(a, "message", ""), text);
	return 0;
}

static int command_print(struct cr_command *c, const char *op,
			 struct json_object *a)
{
	int status = cr_json_int(a, "status", -EPROTO);

	if (status)
		return cr_command_fail("job %u: %s: %s", c->job, op,
				       cr_json_str(a, "text", "?"));
	if (!strcmp(op, "able"))
		return command_able(a);
	if (!strcmp(op, "error"))
		return command_error(a);
	if (!c->quiet && cr_json_int(a, "generation", 0))
		printf("job %u: generation %d in %s\n", c->job,
		       (int)cr_json_int(a, "generation", 0),
		       cr_json_str(a, "dir", "?"));
	return 0;
}

static bool command_waits(const char *op)
{
	return !strcmp(op, "create") || !strcmp(op, "vacate") ||
	       !strcmp(op, "requeue");
}

/* The answer, or NULL and err. */
static struct json_object *command_talk(struct cr_command *c, const char *op,
					struct cr_error *err)
{
	struct json_object *msg = cr_json_message("request"), *a = NULL;
	struct cr_conn *conn = NULL;
	const char *type;
	int rc;

	cr_json_put_str(msg, "op", op);
	cr_json_put_int(msg, "max_wait", c->max_wait);
	cr_json_put_str(msg, "image_dir", c->image_dir ? c->image_dir : "");
	rc = cr_conn_connect(&conn, c->publish.address, c->publish.port, c->job,
			     c->publish.host, c->publish.uid,
			     COMMAND_CONNECT_MS, err);
	if (!rc)
		rc = cr_conn_send(conn, msg, err);
	json_object_put(msg);
	while (!rc) {
		rc = cr_conn_wait(conn, &a,
				  command_waits(op) ? -1 : COMMAND_ANSWER_MS,
				  err);
		type = rc ? "" : cr_json_str(a, "type", "");
		if (!strcmp(type, "answer"))
			break;
		if (!strcmp(type, "error"))
			rc = cr_error_set(err, cr_json_int(a, "status", -EPERM),
					  "refused: %s",
					  cr_json_str(a, "text", "?"));
		json_object_put(a);
		a = NULL;
	}
	cr_conn_destroy(conn);
	return a;
}

/* A job that was requeued runs for a moment before its agent does. */
static int command_find(struct cr_command *c, struct cr_error *err)
{
	time_t end = time(NULL) + COMMAND_START_S;
	bool runs;
	int rc;

	for (;;) {
		rc = cr_command_locate(c, err);
		if (rc || c->publish.port)
			return rc;
		runs = c->has_info && !strcmp(c->info.state, "RUNNING");
		if (!runs || time(NULL) >= end)
			break;
		usleep(COMMAND_POLL_US);
	}
	if (runs)
		return cr_error_set(err, -ESRCH,
				    "job %u runs, and its agent does not; its "
				    "log is in %s",
				    c->job, c->publish.directory);
	return cr_error_set(err, -ESRCH, "job %u does not run%s%s", c->job,
			    c->has_info ? ": it is " : "",
			    c->has_info ? c->info.state : "");
}

int cr_command_ask(struct cr_command *c, const char *op)
{
	struct cr_error err = { 0 };
	struct json_object *a;
	int rc;

	if (command_find(c, &err))
		return cr_command_fail("%s", err.text);
	a = command_talk(c, op, &err);
	if (!a)
		return cr_command_fail("job %u: %s", c->job, err.text);
	rc = command_print(c, op, a);
	json_object_put(a);
	/* spare it the wait for its old credentials to expire */
	if (!rc && !strcmp(op, "requeue"))
		cr_jobctl_start_now(c->job, NULL);
	return rc;
}
