/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* capture.c - a capture from its creation to its end */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/internal.h"
#include "config.h"

#define KILL_WAIT_S 2.0

double cap_since(const struct timespec *t0)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_sec - t0->tv_sec) +
	       (double)(t.tv_nsec - t0->tv_nsec) / 1e9;
}

bool cap_cancelled(const struct cr_capture *c, struct cr_error *err)
{
	if (!c->opt.cancelled || !c->opt.cancelled(c->opt.cancelled_arg))
		return false;
	cr_error_set(err, -ECANCELED, "the request was taken back");
	return true;
}

/* The command that runs this helper must not save itself. */
static pid_t find_command(void)
{
	char *mine = cr_procfs_link(getpid(), "exe");
	char *parent = cr_procfs_link(getppid(), "exe");
	bool same = mine && parent && !strcmp(mine, parent);

	free(mine);
	free(parent);
	return same ? getppid() : 0;
}

int cr_capture_create(struct cr_capture **result,
		      const struct cr_capture_options *opt,
		      struct cr_error *err)
{
	const struct cap_root root = { .scope = opt->scope,
				       .target = opt->target };
	struct cr_capture *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return cr_error_set(err, -ENOMEM, "out of memory");
	c->opt = *opt;
	c->self = getpid();
	c->command = find_command();
	if (cap_add_root(c, &root)) {
		free(c);
		return cr_error_set(err, -ENOMEM, "out of memory");
	}
	if (opt->target == c->self) {
		free(c->roots);
		free(c);
		return cr_error_set(err, -EDEADLK,
				    "a process cannot capture itself");
	}
	ret = cr_engine_open(&c->engine, opt->engine, err);
	if (ret) {
		free(c->roots);
		free(c);
		return ret;
	}
	*result = c;
	return 0;
}

/* For the administrator, where the kernel module is there. */
void cap_log_result(struct cr_capture *c, int result)
{
	cr_engine_done(&c->engine, CR_ENGINE_AUTO, CR_ENGINE_CHECKPOINT,
		       c->opt.target, result < 0 ? result : 0);
}

/* Every thread that we trace: who kills it has to collect it, too. */
static pid_t *list_tasks(struct cr_capture *c, size_t *n)
{
	size_t i, k;
	pid_t *tids;

	for (i = *n = 0; i < c->n_procs; i++)
		*n += c->procs[i]->n_threads;
	tids = malloc((*n + 1) * sizeof(*tids));
	for (i = *n = 0; tids && i < c->n_procs; i++)
		for (k = 0; k < c->procs[i]->n_threads; k++)
			tids[(*n)++] = c->procs[i]->threads[k]->task.tid;
	return tids;
}

/*
 * Who is told that the checkpoint is done may start the processes anew at
 * once: their ids must be free by then, but for parents that do not collect.
 */
static void wait_killed(struct cr_capture *c, pid_t *tids, size_t n)
{
	struct cr_procfs_stat st;
	struct timespec t0;
	struct cap_proc *p;
	size_t i, k;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		while (cap_live(p) && cap_since(&t0) < KILL_WAIT_S &&
		       !cr_procfs_stat(p->pid, &st) &&
		       st.start_time == p->stat.start_time &&
		       (cap_living(p->pid, st.state) ||
			cap_scope_find(c, p->ppid))) {
			for (k = 0; tids && k < n; k++)
				waitpid(tids[k], NULL, WNOHANG | __WALL);
			usleep(500);
		}
	}
}

int cr_capture_resume(struct cr_capture *c, struct cr_error *err)
{
	pid_t *tids = NULL;
	size_t i, n = 0;
	int signal, ret = 0;

	if (c->stopped) {
		signal = c->snapshotted ? c->opt.afterwards : 0;
		if (signal == SIGKILL)
			cap_forget_connections(c);
		if (signal == SIGKILL)
			tids = list_tasks(c, &n);
		ret = cap_release(c, signal, err);
		c->stats.stop_s = cap_since(&c->stop_begin);
		if (signal == SIGKILL)
			wait_killed(c, tids, n);
		free(tids);
	}
	for (i = 0; i < c->n_rendezvous; i++)
		if (cr_rendezvous_state(c->rendezvous[i]) ==
		    CR_RENDEZVOUS_READY)
			cr_rendezvous_resume(c->rendezvous[i], NULL);
	if (!ret && c->snapshotted)
		ret = cap_late(c, err);
	return ret;
}

int cr_capture_store(struct cr_capture *c, struct cr_writer *w,
		     struct cr_error *err)
{
	struct timespec t0;
	size_t i;
	int ret;

	if (!c->snapshotted)
		return cr_error_set(err, -EINVAL, "there is no snapshot");
	clock_gettime(CLOCK_MONOTONIC, &t0);
	ret = cap_late(c, err);
	if (!ret)
		ret = cap_store_pages(c, w, err);
	for (i = 0; i < c->n_procs; i++)
		cap_drop_snapshot(c->procs[i]);
	if (!ret) {
		cap_digest_mapped(c);
		ret = cr_writer_commit(w, c->img, err);
	}
	c->stats.bytes = cr_writer_bytes(w);
	c->stats.store_s = cap_since(&t0);
	cap_log_result(c, ret);
	return ret;
}

struct cr_image *cr_capture_image(struct cr_capture *c)
{
	return c->snapshotted ? c->img : NULL;
}

const struct cr_capture_stats *cr_capture_stats(const struct cr_capture *c)
{
	return &c->stats;
}

void cr_capture_destroy(struct cr_capture *c)
{
	size_t i;

	if (!c)
		return;
	cap_release(c, 0, NULL);
	for (i = 0; i < c->n_procs; i++)
		cap_drop_snapshot(c->procs[i]);
	cap_scope_free(c); /* aborts what was not resumed */
	for (i = 0; c->img && i < c->img->n_shms; i++)
		free(c->shm_ids[i].seen);
	for (i = 0; i < c->n_pieces; i++)
		free(c->pieces[i].data);
	free(c->pieces);
	free(c->shm_ids);
	free(c->rendezvous);
	cr_engine_close(&c->engine);
	cr_image_destroy(c->img);
	free(c);
}
