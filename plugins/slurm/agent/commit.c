/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commit.c - the end of a generation: manifest, retention, what the job is
 * told
 *
 * All of it may take long (a busy file system, a busy slurmctld) and is done
 * by children of the coordinator.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "plugins/slurm/agent/child.h"
#include "plugins/slurm/agent/coord.h"
#include "plugins/slurm/agent/copy.h"
#include "plugins/slurm/agent/gens.h"
#include "plugins/slurm/agent/jobctl.h"
#include "plugins/slurm/agent/log.h"

struct json_object *cr_coord_batch_report(struct cr_coord *c)
{
	for (size_t i = 0; i < json_object_array_length(c->ranks); i++) {
		struct json_object *o = json_object_array_get_idx(c->ranks, i);

		if (!strcmp(cr_json_str(o, "kind", ""), "batch"))
			return o;
	}
	return NULL;
}

/* For libcr_slurm.so, which reads no JSON: "PID WORLD" lines. */
static int commit_launchers(struct cr_coord *c, struct cr_error *err)
{
	char path[PATH_MAX + 64], *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int rc;

	if (!f)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < json_object_array_length(c->launchers); i++) {
		struct json_object *o =
			json_object_array_get_idx(c->launchers, i);

		fprintf(f, "%d %s\n", (int)cr_json_int(o, "pid", 0),
			cr_json_str(o, "world", ""));
	}
	fclose(f);
	snprintf(path, sizeof(path), "%s/launchers", c->dir);
	rc = cr_copy_text(path, text, 0600, err);
	free(text);
	return rc;
}

static struct json_object *commit_manifest(struct cr_coord *c)
{
	struct json_object *m = json_object_new_object();
	struct json_object *batch = cr_coord_batch_report(c), *b;

	cr_json_put_str(m, "format", "stillpoint generation");
	cr_json_put_int(m, "version", 1);
	cr_json_put_int(m, "job", c->opt.job);
	cr_json_put_int(m, "generation", c->generation);
	cr_json_put_str(m, "op", c->queue->op);
	cr_json_put_int(m, "created", time(NULL));
	cr_json_put_int(m, "restart_count", c->restarts);
	if (batch) {
		b = json_object_new_object();
		cr_json_put_str(b, "file", cr_json_str(batch, "file", ""));
		cr_json_put_int(b, "bytes", cr_json_int(batch, "bytes", -1));
		cr_json_put_str(b, "digest", cr_json_str(batch, "digest", ""));
		cr_json_put_str(b, "node", cr_json_str(batch, "node", ""));
		json_object_object_add(b, "launchers",
				       json_object_get(c->launchers));
		json_object_object_add(b, "stdio", json_object_get(c->stdio));
		json_object_object_add(m, "batch", b);
	}
	json_object_object_add(m, "worlds",
			       cr_worlds_manifest(&c->worlds, c->ranks));
	return m;
}

/* A generation elsewhere must not need the job's own directory. */
static int commit_companions(struct cr_coord *c, struct cr_error *err)
{
	static const char *const names[] = { "script", "environment" };
	char from[PATH_MAX + 16], to[PATH_MAX + 16];
	struct stat st;
	int rc = 0;

	if (!strcmp(c->jobdir, c->opt.jobdir))
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !rc; i++) {
		snprintf(from, sizeof(from), "%s/%s", c->opt.jobdir, names[i]);
		snprintf(to, sizeof(to), "%s/%s", c->jobdir, names[i]);
		if (!stat(from, &st))
			rc = cr_copy_file(from, to, st.st_size, err);
	}
	return rc;
}

/* In a child. */
static int commit_write(void *arg, struct cr_error *err)
{
	struct cr_coord *c = arg;
	struct json_object *m = commit_manifest(c);
	int rc = cr_json_object(m, "batch") ? commit_launchers(c, err) : 0;

	if (!rc)
		rc = commit_companions(c, err);
	if (!rc)
		rc = cr_gens_commit(c->dir, m, err);
	json_object_put(m);
	if (!rc) /* before the answer: who has it may count them */
		cr_gens_prune(c->jobdir, c->opt.keep);
	return rc;
}

/* In a child. */
static int commit_tell(void *arg, struct cr_error *err)
{
	struct cr_coord *c = arg;

	if (!strcmp(c->queue->op, "requeue"))
		return cr_jobctl_requeue(c->opt.job, err);
	return cr_jobctl_cancel(c->opt.job, err);
}

static void commit_told(int code, const char *text, void *arg)
{
	struct cr_coord *c = arg;

	if (code) {
		cr_coord_abort(c, code, text);
		return;
	}
	cr_coord_done(c, 0, "");
	cr_coord_send_phase(c, CR_PHASE_FINISH);
}

/* Everything is on the disk; now, and only now, may the job be ended. */
static void commit_written(int code, const char *text, void *arg)
{
	struct cr_coord *c = arg;
	struct cr_error err = { 0 };

	c->committed = !code;
	if (code)
		cr_coord_abort(c, code, text);
	else if (!c->hold)
		commit_told(0, "", c);
	else if (cr_child_start(c->opt.loop, commit_tell, commit_told, c,
				&err))
		cr_coord_abort(c, err.code, err.text);
}

void cr_coord_commit(struct cr_coord *c)
{
	struct cr_error err = { 0 };

	c->phase = CR_PHASE_COMMIT;
	cr_log("generation %d: COMMIT", c->generation);
	if (cr_child_start(c->opt.loop, commit_write, commit_written, c, &err))
		cr_coord_abort(c, err.code, err.text);
}
