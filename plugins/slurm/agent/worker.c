/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker.c - one process per rank and generation that drives libcr */
#include "plugins/slurm/agent/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/capture.h"
#include "plugins/slurm/agent/child.h"
#include "plugins/slurm/agent/copy.h"
#include "plugins/slurm/agent/loop.h"
#include "plugins/slurm/agent/procs.h"

#define WORKER_GRACE_MS 5000 /* the coordinator comes first */
#define WORKER_LOOKS 4
#define WORKER_LOOK_US 50000

struct worker {
	struct cr_worker_options opt;
	long deadline; /* cr_loop_now(), 0: no more */
	struct cr_capture *capture;
	struct cr_worker_stdio stdio[3];
	unsigned int n_stdio;
	int fd;
};

static bool worker_is_launcher(pid_t pid, const char *exe, void *arg)
{
	(void)arg;
	return cr_proc_is_launcher(pid, exe);
}

static bool worker_late(const struct worker *w)
{
	return w->deadline && cr_loop_now() >= w->deadline;
}

/* The agent says "abort" by closing the pair. */
static bool worker_cancelled(void *arg)
{
	const struct worker *w = arg;
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	char c;

	if (worker_late(w))
		return true;
	return poll(&p, 1, 0) > 0 &&
	       (p.revents & (POLLHUP | POLLERR) ||
		recv(w->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0);
}

/*
 * The hook of the tests: CR_AGENT_FAULT="PHASE:RANK:GENERATION" kills the
 * rank (the batch script: -1) at the beginning of that phase; with ":stop" or
 * ":kill" behind it, it is the agent that is stopped or killed.
 */
static void worker_fault(const struct worker *w, enum cr_phase phase)
{
	const char *hook = getenv("CR_AGENT_FAULT");
	int rank, generation;
	char name[16], what[8] = "";

	if (!hook ||
	    sscanf(hook, "%15[A-Z]:%d:%d:%7s", name, &rank, &generation,
		   what) < 3 ||
	    cr_phase_parse(name) != phase || rank != w->opt.rank ||
	    generation != w->opt.generation)
		return;
	if (!*what)
		kill(w->opt.target, SIGKILL);
	else
		kill(getppid(), strcmp(what, "stop") ? SIGKILL : SIGSTOP);
}

/* The first obstacle is enough. */
static void worker_obstacle(const char *line, void *arg)
{
	struct cr_error *err = arg;

	if (!err->code)
		cr_error_set(err, -ENOTSUP, "%s", line);
}

/* Some obstacles are there for a moment only: a file of /proc, an exec. */
static int worker_look(struct cr_capture *c, struct cr_error *err)
{
	struct cr_error first;
	int rc = 0;

	for (int i = 0; i < WORKER_LOOKS; i++) {
		if (i)
			usleep(WORKER_LOOK_US);
		cr_error_clear(&first);
		rc = cr_capture_check(c, worker_obstacle, &first, err);
		if (rc <= 0)
			return rc;
	}
	return cr_error_set(err, first.code, "%s", first.text);
}

static int worker_request(struct worker *w, bool check, struct cr_error *err)
{
	struct cr_capture_options o = {
		.scope = CR_SCOPE_TREE,
		.target = w->opt.target,
		.is_launcher = worker_is_launcher,
		.coordinated = true,
		.timeout = w->opt.timeout,
		.afterwards = w->opt.end ? SIGKILL : 0,
		.cancelled = worker_cancelled,
		.cancelled_arg = w,
	};
	int rc = cr_capture_create(&w->capture, &o, err);

	if (rc)
		return rc;
	return check ? worker_look(w->capture, err) :
		       cr_capture_request(w->capture, err);
}

/* The script's output files: Slurm empties them when it requeues a job. */
static void worker_find_stdio(struct worker *w, struct cr_image *img,
			      struct cr_worker_reply *r)
{
	const struct cr_process *p = &img->procs[0];

	for (size_t i = 0; i < p->n_fds && p->fds[i].fd <= 2; i++) {
		const struct cr_file *f = &img->files[p->fds[i].file];
		struct cr_worker_stdio *s = &w->stdio[w->n_stdio];

		if (p->fds[i].fd < 1 || f->kind != CR_OBJ_REGULAR ||
		    !f->id.path || f->id.deleted ||
		    strlen(f->id.path) >= sizeof(s->path))
			continue;
		s->fd = p->fds[i].fd;
		s->size = f->id.size;
		strcpy(s->path, f->id.path);
		snprintf(s->file, sizeof(s->file), "batch.fd%d", s->fd);
		if (w->n_stdio && !strcmp(w->stdio[0].path, s->path))
			strcpy(s->file, w->stdio[0].file);
		w->n_stdio++;
	}
	r->n_stdio = w->n_stdio;
	memcpy(r->stdio, w->stdio, sizeof(r->stdio));
}

static int worker_snapshot(struct worker *w, struct cr_worker_reply *r,
			   struct cr_error *err)
{
	struct cr_image *img;
	int rc = cr_capture_snapshot(w->capture, err);

	if (rc)
		return rc;
	img = cr_capture_image(w->capture);
	if (!w->opt.batch || !img->n_procs)
		return 0;
	for (size_t i = 0; i < img->n_procs; i++) {
		if (img->procs[i].kind != CR_PROC_RESPAWNED)
			continue;
		if (r->n_launchers == CR_WORKER_LAUNCHERS)
			return cr_error_set(err, -E2BIG,
					    "the batch script runs more than "
					    "%d launchers at once",
					    CR_WORKER_LAUNCHERS);
		r->launchers[r->n_launchers++] = img->procs[i].pid;
	}
	worker_find_stdio(w, img, r);
	return 0;
}

static int worker_store(struct worker *w, const struct cr_worker_command *cmd,
			struct cr_worker_reply *r, struct cr_error *err)
{
	struct cr_writer_options o = { .codec = CR_CODEC_NONE, .fsync = true };
	char path[2 * CR_WORKER_PATH];
	struct cr_writer *writer;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", cmd->dir, cmd->file);
	rc = cr_writer_create(&writer, path, &o, err);
	if (rc)
		return rc;
	rc = cr_capture_store(w->capture, writer, err);
	cr_writer_destroy(writer);
	if (!rc)
		rc = cr_copy_digest(path, &r->bytes, r->digest, err);
	for (unsigned int i = 0; !rc && i < w->n_stdio; i++) {
		if (i && !strcmp(w->stdio[0].file, w->stdio[i].file))
			continue;
		snprintf(path, sizeof(path), "%s/%s", cmd->dir,
			 w->stdio[i].file);
		rc = cr_copy_file(w->stdio[i].path, path, w->stdio[i].size,
				  err);
	}
	return rc;
}

static int worker_do(struct worker *w, const struct cr_worker_command *cmd,
		     struct cr_worker_reply *r, struct cr_error *err)
{
	worker_fault(w, cmd->phase);
	if (cmd->phase > CR_PHASE_SNAPSHOT)
		w->deadline = 0; /* what is left takes the time it takes */
	switch (cmd->phase) {
	case CR_PHASE_CHECK:
		return worker_request(w, true, err);
	case CR_PHASE_REQUEST:
		return worker_request(w, false, err);
	case CR_PHASE_QUIESCE:
		return cr_capture_quiesce(w->capture, err);
	case CR_PHASE_SNAPSHOT:
		return worker_snapshot(w, r, err);
	case CR_PHASE_RESUME:
		return cr_capture_resume(w->capture, err);
	case CR_PHASE_STORE:
		return worker_store(w, cmd, r, err);
	case CR_PHASE_FINISH: /* after hold: now the tree gets its end */
		return w->opt.end ? cr_capture_resume(w->capture, err) : 0;
	default:
		return cr_error_set(err, -EPROTO, "no such phase");
	}
}

/* For a command, or the end of the pair; false: for too long. */
static bool worker_wait(const struct worker *w)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	long left = -1;

	do {
		if (w->deadline)
			left = w->deadline - cr_loop_now();
		if (w->deadline && left <= 0)
			return false;
	} while (poll(&p, 1, left) <= 0);
	return true;
}

static void worker_main(struct worker *w)
{
	struct cr_worker_command cmd;
	struct cr_worker_reply r;
	struct cr_error err;

	while (worker_wait(w) &&
	       recv(w->fd, &cmd, sizeof(cmd), 0) == sizeof(cmd)) {
		memset(&r, 0, sizeof(r));
		cr_error_clear(&err);
		r.phase = cmd.phase;
		r.status = worker_do(w, &cmd, &r, &err);
		strcpy(r.text, err.text);
		if (send(w->fd, &r, sizeof(r), MSG_NOSIGNAL) != sizeof(r))
			break;
	}
	cr_capture_destroy(w->capture);
}

pid_t cr_worker_start(const struct cr_worker_options *opt, int *fd)
{
	int pair[2], rc;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (pid < 0) {
		rc = -errno;
		close(pair[0]);
		close(pair[1]);
		return rc;
	}
	if (!pid) {
		struct worker w = { .opt = *opt, .fd = pair[1] };

		if (opt->timeout > 0)
			w.deadline = cr_loop_now() + opt->timeout * 1000 +
				     WORKER_GRACE_MS;
		signal(SIGCHLD, SIG_DFL);
		prctl(PR_SET_NAME, "cr_agent_worker");
		cr_child_close_others(pair[1]);
		worker_main(&w);
		_exit(worker_late(&w) ? CR_WORKER_LATE : 0);
	}
	close(pair[1]);
	*fd = pair[0];
	return pid;
}
