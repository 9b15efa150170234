/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_checkpoint_work.c - one checkpoint from check to commit, in the helper */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands/cr_checkpoint.h"

#define CHECKS 4
#define CHECK_PAUSE_US 50000

struct job {
	const struct options *o;
	int lifeline;
	struct timespec begin;
	const char *why; /* it was given up */
	int over;	 /* --clobber: the file, or -1 */
	bool made;	 /* by us */
};

static double since(const struct timespec *t0)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_sec - t0->tv_sec) +
	       (double)(t.tv_nsec - t0->tv_nsec) / 1e9;
}

static bool cancelled(void *arg)
{
	struct job *j = arg;
	struct pollfd p = { .fd = j->lifeline, .events = POLLIN };

	if (j->o->timeout > 0 && since(&j->begin) > j->o->timeout)
		j->why = "the time is over";
	else if (poll(&p, 1, 0) > 0)
		j->why = "interrupted";
	return j->why != NULL;
}

static void report(const char *line, void *arg)
{
	struct job *j = arg;

	if (!j->o->quiet)
		fprintf(stderr, "cr_checkpoint: %s\n", line);
}

/*
 * A file of /proc or a socket may be open for a moment only: what stands in
 * the way is told when it is still there after a while.  Who only asks wants
 * the answer at once.
 */
static int check(struct job *j, struct cr_capture *c, struct cr_error *err)
{
	int i, n = 1;

	for (i = j->o->check_only ? CHECKS : 1; n && i < CHECKS; i++) {
		cr_error_clear(err);
		n = cr_capture_check(c, NULL, NULL, err);
		/* in the middle of execve(2) nobody may look into it */
		if (n < 0 && n != -EACCES && n != -EPERM)
			break;
		if (n)
			usleep(CHECK_PAUSE_US);
	}
	if (n > 0 || n == -EACCES || n == -EPERM) {
		cr_error_clear(err);
		n = cr_capture_check(c, report, j, err);
	}
	if (n < 0)
		return n;
	if (n == 0)
		return 0;
	return cr_error_set(err, cr_capture_obstacle(c),
			    "%d thing%s in the way (see above); nothing was "
			    "stopped",
			    n, n == 1 ? " stands" : "s stand");
}

/*
 * The file that is there is written over; until there is something to write
 * it stays as it was.
 */
static int open_over(struct job *j, struct cr_error *err)
{
	struct stat st;

	if (j->o->existing != EXISTING_OVERWRITE || j->o->fd >= 0 ||
	    (!stat(j->o->path, &st) && !S_ISREG(st.st_mode)))
		return 0;
	j->over = open(j->o->path, O_WRONLY | O_CLOEXEC);
	if (j->over < 0 && errno == ENOENT) {
		j->over = open(j->o->path, O_WRONLY | O_CREAT | O_CLOEXEC,
			       0600);
		j->made = true;
	}
	if (j->over < 0)
		return cr_error_set(err, -errno, "%s: %s", j->o->path,
				    strerror(errno));
	return 0;
}

static int create_writer(struct job *j, struct cr_writer **w,
			 struct cr_error *err)
{
	const struct cr_writer_options opt = {
		.codec = CR_CODEC_NONE,
		.fsync = j->o->fsync,
		.direct = j->o->direct,
		.exclusive = j->o->existing == EXISTING_REFUSE,
		.backup = j->o->existing == EXISTING_BACKUP ? j->o->backup
							    : NULL,
		.cancelled = cancelled,
		.cancelled_arg = j,
	};

	if (j->over >= 0)
		return cr_writer_create_fd(w, j->over, &opt, err);
	if (j->o->fd >= 0)
		return cr_writer_create_fd(w, j->o->fd, &opt, err);
	return cr_writer_create(w, j->o->path, &opt, err);
}

static int take(struct job *j, struct cr_capture *c, struct cr_writer **w,
		struct cr_error *err)
{
	bool first = j->o->signal != 0;
	int ret;

	/* what keeps the file from being written is found out before */
	ret = open_over(j, err);
	if (!ret && j->over < 0)
		ret = create_writer(j, w, err);
	if (!ret)
		ret = cr_capture_request(c, err);
	if (!ret)
		ret = cr_capture_snapshot(c, err);
	/* Nothing is killed for a checkpoint that is not complete. */
	if (!ret && !first)
		ret = cr_capture_resume(c, err);
	if (!ret && cancelled(j))
		ret = -ECANCELED;
	if (!ret && j->over >= 0)
		ret = create_writer(j, w, err);
	if (!ret)
		ret = cr_capture_store(c, *w, err);
	if (!ret && first)
		ret = cr_capture_resume(c, err);
	if (ret && j->made)
		unlink(j->o->path);
	return ret;
}

static void show_times(const struct options *o, const struct cr_capture *c)
{
	const struct cr_capture_stats *s = cr_capture_stats(c);

	printf("cr_checkpoint: %u process%s, %u thread%s, %llu bytes%s%s\n",
	       s->processes, s->processes == 1 ? "" : "es", s->threads,
	       s->threads == 1 ? "" : "s", (unsigned long long)s->bytes,
	       o->fd < 0 ? " in " : "", o->path);
	printf("  callbacks %.6f s\n  stopped   %.6f s (snapshot %.6f s)\n"
	       "  store     %.6f s\n",
	       s->callbacks_s, s->stop_s, s->snapshot_s, s->store_s);
	if (s->module_bytes)
		printf("  %llu bytes written by the kernel module\n",
		       (unsigned long long)s->module_bytes);
}

int work(const struct options *o, int lifeline, int *code)
{
	struct job j = { .o = o, .lifeline = lifeline, .over = -1 };
	struct cr_capture_options opt = {
		.scope = o->scope,
		.target = o->target,
		.timeout = o->timeout,
		.afterwards = o->signal,
		.flags = o->flags,
		.drop_connections = o->drop_connections,
		.snapshot = o->snapshot,
		.engine = o->engine,
		.dest = o->fd < 0 ? o->path : NULL,
		.cancelled = cancelled,
		.cancelled_arg = &j,
	};
	struct cr_capture *c = NULL;
	struct cr_writer *w = NULL;
	struct cr_error err = { 0 };
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &j.begin);
	ret = cr_capture_create(&c, &opt, &err);
	if (!ret)
		ret = check(&j, c, &err);
	if (!ret && !o->check_only)
		ret = take(&j, c, &w, &err);
	if (!ret && o->verbose && !o->check_only)
		show_times(o, c);
	cr_writer_destroy(w);
	cr_capture_destroy(c);
	if (ret && !o->quiet)
		fprintf(stderr, "cr_checkpoint: %s\n",
			j.why ? j.why : err.text);
	*code = ret < 0 ? -ret : ret;
	return ret ? 1 : 0;
}
