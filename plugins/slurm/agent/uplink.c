/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uplink.c - the way of an agent to the job's coordinator on another node */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plugins/slurm/agent/agent.h"
#include "plugins/slurm/agent/log.h"

#define UPLINK_RETRY_MS 300
#define UPLINK_CONNECT_MS 3000

static void uplink_try(void *arg);

static void uplink_lost(struct cr_agent *a)
{
	cr_log("the coordinator is lost");
	cr_loop_unwatch(a->loop, a->uplink->fd);
	cr_conn_destroy(a->uplink);
	a->uplink = NULL;
	cr_node_abort(&a->node);
	cr_loop_after(a->loop, UPLINK_RETRY_MS, uplink_try, a);
}

static void uplink_readable(int fd, short revents, void *arg)
{
	struct cr_agent *a = arg;
	struct cr_error err = { 0 };
	struct json_object *msg;
	int rc = cr_conn_read(a->uplink);

	(void)fd;
	(void)revents;
	if (rc == -EAGAIN)
		return;
	while (!rc && (rc = cr_conn_next(a->uplink, &msg, &err)) > 0) {
		cr_node_handle(&a->node, msg);
		json_object_put(msg);
		rc = 0;
	}
	if (err.code)
		cr_log("%s", err.text);
	if (rc < 0)
		uplink_lost(a);
}

int cr_agent_uplink_send(struct cr_agent *a, struct json_object *msg)
{
	struct cr_error err = { 0 };
	int rc;

	if (!a->uplink)
		return -ENOTCONN;
	rc = cr_conn_send(a->uplink, msg, &err);
	if (rc)
		cr_log("%s", err.text); /* its end is seen when reading */
	return rc;
}

static void uplink_try(void *arg)
{
	struct cr_agent *a = arg;
	struct cr_error err = { 0 };
	struct cr_publish p = { 0 };
	struct json_object *hello;
	char path[PATH_MAX + 16];
	int rc;

	snprintf(path, sizeof(path), "%s/agent.json", a->jobdir);
	rc = cr_publish_read(&p, path, a->job, geteuid(), &err);
	if (!rc && !p.port)
		rc = -ENOTCONN;
	if (!rc)
		rc = cr_conn_connect(&a->uplink, p.address, p.port, a->job,
				     p.host, geteuid(), UPLINK_CONNECT_MS,
				     &err);
	if (!rc) {
		hello = cr_json_message("hello");
		cr_json_put_str(hello, "node", a->name);
		cr_json_put_int(hello, "version", CR_FRAME_VERSION);
		rc = cr_conn_send(a->uplink, hello, &err);
		json_object_put(hello);
		if (rc) {
			cr_conn_destroy(a->uplink);
			a->uplink = NULL;
		}
	}
	if (rc) {
		cr_loop_after(a->loop, UPLINK_RETRY_MS, uplink_try, a);
		return;
	}
	cr_log("connected to the coordinator on %s", p.host);
	cr_loop_watch(a->loop, a->uplink->fd, POLLIN, uplink_readable, a);
	cr_node_tell_all(&a->node);
	/* what came together with the welcome */
	uplink_readable(a->uplink->fd, 0, a);
}

void cr_agent_uplink_start(struct cr_agent *a)
{
	cr_loop_after(a->loop, 0, uplink_try, a);
}
