/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - cr_agent: one per node and job, started by the SPANK plugin
 *
 * Runs as the job's owner, in the background.  It closes its standard error
 * once an agent (itself or one that was there) listens; what it has written
 * there is why there is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/slurm/agent/agent.h"
#include "plugins/slurm/agent/gens.h"
#include "plugins/slurm/agent/jobctl.h"
#include "plugins/slurm/agent/log.h"

/* A message between the coordinator and the agent of its own node. */
struct agent_letter {
	struct cr_agent *agent;
	struct json_object *msg;
};

static void agent_letter_up(void *arg)
{
	struct agent_letter *l = arg;

	cr_coord_from_local(l->agent->coord, l->msg);
	json_object_put(l->msg);
	free(l);
}

static void agent_letter_down(void *arg)
{
	struct agent_letter *l = arg;

	cr_node_handle(&l->agent->node, l->msg);
	json_object_put(l->msg);
	free(l);
}

/* By way of the loop, in order: neither is called from inside itself. */
static void agent_post(struct cr_agent *a, struct json_object *msg,
		       cr_loop_timer_cb cb)
{
	struct agent_letter *l = malloc(sizeof(*l));

	if (!l)
		return;
	l->agent = a;
	l->msg = json_object_get(msg);
	if (cr_loop_after(a->loop, 0, cb, l) < 0) {
		json_object_put(msg);
		free(l);
	}
}

static void agent_to_local(struct json_object *msg, void *arg)
{
	struct json_object *copy = NULL;

	/* the same message goes to many: each has its own */
	if (!json_object_deep_copy(msg, &copy, NULL)) {
		agent_post(arg, copy, agent_letter_down);
		json_object_put(copy);
	}
}

static int agent_send(struct json_object *msg, void *arg)
{
	struct cr_agent *a = arg;
	struct json_object *copy = NULL;

	if (!a->coord)
		return cr_agent_uplink_send(a, msg);
	if (!json_object_deep_copy(msg, &copy, NULL)) {
		agent_post(a, copy, agent_letter_up);
		json_object_put(copy);
	}
	return 0;
}

static void agent_idle(void *arg)
{
	struct cr_agent *a = arg;

	cr_log("the last slurmstepd of the job has gone");
	cr_loop_stop(a->loop);
}

static void agent_accept(int fd, short revents, void *arg)
{
	struct cr_agent *a = arg;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)revents;
	if (client >= 0)
		cr_coord_accept(a->coord, client);
}

static int agent_listen(struct cr_agent *a, struct cr_error *err)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0); /* who connects may have gone again */

	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) ||
	    listen(fd, 128) || getsockname(fd, (struct sockaddr *)&sin, &len))
		return cr_error_set(err, -errno, "cannot listen: %s",
				    strerror(errno));
	a->listen_tcp = fd;
	a->publish.port = ntohs(sin.sin_port);
	return cr_loop_watch(a->loop, fd, POLLIN, agent_accept, a);
}

/*
 * A batch job has one coordinator, that of its script; if that has gone,
 * nobody can take its place, since nobody else would save the script.
 */
static bool agent_is_coordinator(const struct cr_agent *a)
{
	struct cr_jobctl_info info;
	struct cr_error err = { 0 };

	if (a->batch)
		return true;
	if (!a->first)
		return false;
	if (cr_jobctl_info(a->job, &info, &err)) {
		cr_log("%s", err.text);
		return false;
	}
	return !info.batch;
}

static int agent_coordinate(struct cr_agent *a, struct cr_error *err)
{
	struct cr_coord_options o = {
		.loop = a->loop,
		.job = a->job,
		.uid = geteuid(),
		.admin = cr_jobctl_admin(),
		.jobdir = a->jobdir,
		.node = a->name,
		.period = a->period,
		.keep = a->keep,
		.to_local = agent_to_local,
		.to_local_arg = a,
	};
	int rc;

	a->coord = cr_coord_create(&o);
	if (!a->coord)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = agent_listen(a, err);
	if (rc)
		return rc;
	a->publish.job = a->job;
	a->publish.uid = geteuid();
	strcpy(a->publish.host, a->name);
	cr_publish_address(a->publish.address);
	strcpy(a->publish.directory, a->jobdir);
	a->publish.pid = getpid();
	return cr_publish_write(&a->publish, a->site, err);
}

static int agent_start(struct cr_agent *a, struct cr_error *err)
{
	char log[PATH_MAX + 128];
	int rc;

	if ((rc = cr_conn_hostname(a->name)) < 0)
		return cr_error_set(err, rc, "no host name");
	snprintf(a->jobdir, sizeof(a->jobdir), "%s/%u", a->dir, a->job);
	rc = cr_gens_mkdir(a->jobdir, 0700, err);
	if (rc)
		return rc;
	snprintf(log, sizeof(log), "%s/agent-%s.log", a->jobdir, a->name);
	rc = cr_log_open(log);
	if (rc)
		return cr_error_set(err, rc, "cannot write %s: %s", log,
				    strerror(-rc));
	a->loop = cr_loop_create();
	if (!a->loop)
		return cr_error_set(err, -ENOMEM, "out of memory");
	a->node.loop = a->loop;
	a->node.job = a->job;
	a->node.uid = geteuid();
	a->node.name = a->name;
	a->node.send = agent_send;
	a->node.idle = agent_idle;
	a->node.send_arg = a;
	rc = cr_agent_local_listen(a, err);
	if (rc)
		return rc;
	if (agent_is_coordinator(a))
		return agent_coordinate(a, err);
	cr_agent_uplink_start(a);
	return 0;
}

static void agent_end(struct cr_agent *a)
{
	struct cr_error err = { 0 };

	if (a->coord) {
		a->publish.port = 0;
		if (cr_gens_newest(a->jobdir, NULL))
			cr_publish_write(&a->publish, a->site, &err);
		else
			cr_publish_remove(&a->publish, a->site);
	}
	cr_agent_local_close(a);
	cr_log("agent ends");
}

static void agent_run(struct cr_agent *a)
{
	struct cr_register me = { .kind = CR_REGISTER_STEPD,
				  .value = a->stepd };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (chdir("/"))
		cr_log("chdir: %s", strerror(errno));
	cr_log("agent of job %u on %s%s, generation directory %s", a->job,
	       a->name, a->coord ? " (coordinator)" : "", a->jobdir);
	cr_node_register(&a->node, &me, getpid(), -1);
	for (int i = 0; i < 3; i++) /* closes the pipe to the plugin */
		dup2(null, i);
	if (!a->node.stepds)
		agent_idle(a);
	cr_loop_run(a->loop);
	agent_end(a);
}

static int agent_options(struct cr_agent *a, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "job", 1, NULL, 'j' },     { "stepd", 1, NULL, 's' },
		{ "dir", 1, NULL, 'd' },     { "site", 1, NULL, 'S' },
		{ "period", 1, NULL, 'p' },  { "keep", 1, NULL, 'k' },
		{ "batch", 0, NULL, 'b' },   { "first", 0, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		switch (c) {
		case 'j':
			a->job = strtoul(optarg, NULL, 10);
			break;
		case 's':
			a->stepd = atoi(optarg);
			break;
		case 'd':
			a->dir = optarg;
			break;
		case 'S':
			a->site = optarg;
			break;
		case 'p':
			a->period = atol(optarg);
			break;
		case 'k':
			a->keep = atoi(optarg);
			break;
		case 'b':
			a->batch = true;
			break;
		case 'f':
			a->first = true;
			break;
		default:
			return -EINVAL;
		}
	}
	if (!a->job || a->stepd <= 0 || !a->dir || *a->dir != '/' ||
	    a->keep < 1 || strlen(a->dir) > PATH_MAX / 2)
		return -EINVAL;
	return 0;
}

int main(int argc, char **argv)
{
	static struct cr_agent a = { .site = "", .keep = 2 };
	struct cr_error err = { 0 };
	pid_t pid;
	int rc;

	if (agent_options(&a, argc, argv)) {
		fprintf(stderr, "cr_agent: for the SPANK plugin only\n");
		return 2;
	}
	umask(077);
	pid = fork();
	if (pid < 0) {
		fprintf(stderr, "cr_agent: fork: %s\n", strerror(errno));
		return 1;
	}
	if (pid)
		return 0;
	setsid();
	rc = cr_agent_local_dir(&a, &err);
	if (!rc)
		rc = cr_agent_local_claim(&a, &err);
	if (!rc)
		return 0;
	if (rc > 0)
		rc = agent_start(&a, &err);
	if (rc < 0) {
		fprintf(stderr, "cr_agent: %s\n", err.text);
		return 1;
	}
	agent_run(&a);
	return 0;
}
