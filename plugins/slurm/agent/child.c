/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.c - what may take long is done by a child, so that the loop goes on */
#include "plugins/slurm/agent/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/slurm/agent/log.h"

struct child {
	struct cr_loop *loop;
	cr_child_done done;
	void *arg;
	pid_t pid;
};

struct child_result {
	int code;
	char text[CR_ERROR_MAX];
};

/* Those above from and below to, but not the standard ones. */
static void child_close_between(int from, unsigned int to)
{
	unsigned int first = from < 2 ? 3 : from + 1;

	if (first < to)
		close_range(first, to - 1, 0);
}

void cr_child_close_others(int keep)
{
	int log = cr_log_descriptor();

	child_close_between(2, keep < log ? keep : log);
	child_close_between(keep < log ? keep : log, keep < log ? log : keep);
	child_close_between(keep < log ? log : keep, ~0U);
}

static void child_main(int fd, cr_child_work work, void *arg)
{
	struct child_result r = { 0 };
	struct cr_error err = { 0 };

	prctl(PR_SET_NAME, "cr_agent_child");
	cr_child_close_others(fd);
	r.code = work(arg, &err);
	strcpy(r.text, err.text);
	if (send(fd, &r, sizeof(r), MSG_NOSIGNAL) != (ssize_t)sizeof(r))
		_exit(1);
	_exit(0);
}

static void child_readable(int fd, short revents, void *arg)
{
	struct child *c = arg;
	struct child_result r;

	(void)revents;
	if (recv(fd, &r, sizeof(r), MSG_DONTWAIT) != (ssize_t)sizeof(r)) {
		r.code = -EPIPE;
		strcpy(r.text, "the agent's child was killed");
	}
	cr_loop_unwatch(c->loop, fd);
	close(fd);
	waitpid(c->pid, NULL, 0); /* has nothing left to do but to end */
	c->done(r.code, r.text, c->arg);
	free(c);
}

int cr_child_start(struct cr_loop *l, cr_child_work work, cr_child_done done,
		   void *arg, struct cr_error *err)
{
	struct child *c = calloc(1, sizeof(*c));
	int pair[2] = { -1, -1 }, rc;

	if (!c)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ||
	    cr_loop_watch(l, pair[0], POLLIN, child_readable, c))
		goto fail;
	c->loop = l;
	c->done = done;
	c->arg = arg;
	c->pid = fork();
	if (!c->pid)
		child_main(pair[1], work, arg);
	if (c->pid < 0)
		goto fail;
	close(pair[1]);
	return 0;
fail:
	rc = cr_error_set(err, -errno, "cannot start a child: %s",
			  strerror(errno));
	if (pair[0] >= 0) {
		cr_loop_unwatch(l, pair[0]);
		close(pair[0]);
		close(pair[1]);
	}
	free(c);
	return rc;
}
