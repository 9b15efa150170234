/* SPDX-License-Identifier: GPL-2.0-or-later */
/* task_restart.c - what a task is to be restarted from */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/slurm/agent/gens.h"
#include "plugins/slurm/agent/log.h"
#include "plugins/slurm/task.h"

static char task_notes[4096];

/*
 * For the agent's diary, and for the job's output: there only once that has
 * its content back.
 */
static void task_note(const char *text)
{
	const char *dir = getenv("SLURM_CHECKPOINT_IMAGE_DIR");
	char path[PATH_MAX + 300], host[256];
	size_t n = strlen(task_notes);

	snprintf(task_notes + n, sizeof(task_notes) - n, "stillpoint: %s\n",
		 text);
	if (!dir || gethostname(host, sizeof(host)))
		return;
	host[sizeof(host) - 1] = '\0';
	host[strcspn(host, ".")] = '\0';
	snprintf(path, sizeof(path), "%s/agent-%s.log", dir, host);
	if (!cr_log_open(path))
		cr_log("%s", text);
}

bool cr_task_say_notes(void)
{
	bool any = *task_notes;

	fputs(task_notes, stderr);
	*task_notes = '\0';
	return any;
}

/* All of it is read here, before anything of the job has been started. */
static int task_check(const char *dir, bool thoroughly, struct cr_error *err)
{
	struct json_object *m = cr_gens_read(dir, err);
	int rc = m ? 0 : err->code;

	if (m && thoroughly)
		rc = cr_gens_verify(dir, m, err);
	json_object_put(m);
	if (rc == -EBADMSG)
		cr_gens_mark_damaged(dir, err->text, NULL);
	return rc;
}

/*
 * dir: a generation's directory or a job's: then its newest one that is
 * sound.  1, 0 if there is none at all, or -errno.
 */
static int task_generation_in(const char *dir, bool thoroughly, char *out,
			      size_t size)
{
	struct cr_error err = { 0 };
	char path[PATH_MAX], text[CR_ERROR_MAX + 200];
	struct cr_gens g;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/" CR_GENS_MANIFEST, dir);
	if (!access(path, F_OK)) {
		rc = task_check(dir, thoroughly, &err);
		if (rc)
			cr_task_say("cannot restart: %s", err.text);
		snprintf(out, size, "%s", dir);
		return rc ? rc : 1;
	}
	if (cr_gens_list(&g, dir, true))
		return 0;
	for (size_t i = g.n; i-- > 0;) {
		cr_gens_path(out, size, dir, g.number[i]);
		cr_error_clear(&err);
		rc = task_check(out, thoroughly, &err);
		if (!rc) {
			rc = 1;
			break;
		}
		snprintf(text, sizeof(text),
			 "cannot restart from generation %d: %s; %s",
			 g.number[i], err.text,
			 i ? "trying the one before" :
			     "there is no older one");
		task_note(text);
	}
	cr_gens_free(&g);
	return rc;
}

static bool task_has_batch(const char *generation)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/batch.context", generation);
	return !access(path, R_OK);
}

static int task_find_generation(char *dir, size_t size)
{
	const char *asked = getenv("CR_RESTART_DIR");
	const char *own = getenv("SLURM_CHECKPOINT_IMAGE_DIR");
	const char *count = getenv("SLURM_RESTART_COUNT");
	int rc = 0;

	/* what the job has saved itself is newer than what it came from */
	if (count && atoi(count) > 0 && own)
		rc = task_generation_in(own, true, dir, size);
	if (rc < 0)
		cr_task_say("nothing to restart from in %s; to begin from "
			    "the start, move it away", own);
	if (!rc && asked) {
		rc = task_generation_in(asked, true, dir, size);
		if (!rc) {
			cr_task_say("cannot restart: no generation in %s",
				    asked);
			return -ENOENT;
		}
	}
	if (rc > 0 && !task_has_batch(dir)) {
		cr_task_say("cannot restart: %s has no batch script", dir);
		return -ENOENT;
	}
	return rc;
}

int cr_task_find_generation(char *dir, size_t size)
{
	int rc = task_find_generation(dir, size);

	if (rc <= 0)
		cr_task_say_notes();
	return rc;
}

int cr_task_find_step(char *step, size_t size)
{
	const char *asked = getenv("CR_RESTART_DIR");
	struct json_object *m, *worlds;
	struct cr_error err = { 0 };
	char dir[PATH_MAX];
	int rc;

	if (!asked)
		return 0;
	rc = task_generation_in(asked, false, dir, sizeof(dir));
	cr_task_say_notes();
	if (rc > 0 && task_has_batch(dir))
		return 0; /* that is for the script; its steps begin as ever */
	m = rc > 0 ? cr_gens_read(dir, &err) : NULL;
	worlds = cr_json_array(m, "worlds");
	if (!worlds || json_object_array_length(worlds) != 1) {
		cr_task_say("cannot restart from %s: it must hold one "
			    "generation of one step", asked);
		json_object_put(m);
		return -EINVAL;
	}
	snprintf(step, size, "%s/%s", dir,
		 cr_json_str(json_object_array_get_idx(worlds, 0), "name", ""));
	json_object_put(m);
	return 1;
}

static struct json_object *task_world(struct json_object *m, const char *name)
{
	struct json_object *worlds = cr_json_array(m, "worlds");

	for (size_t i = 0; i < json_object_array_length(worlds); i++) {
		struct json_object *w = json_object_array_get_idx(worlds, i);

		if (!strcmp(cr_json_str(w, "name", ""), name))
			return w;
	}
	return NULL;
}

static int task_rank(struct json_object *world, const char *dir, int rank,
		     char *image, size_t size, int *exited)
{
	struct json_object *ranks = cr_json_array(world, "ranks");

	for (size_t i = 0; i < json_object_array_length(ranks); i++) {
		struct json_object *r = json_object_array_get_idx(ranks, i);

		if (cr_json_int(r, "rank", -1) != rank)
			continue;
		*exited = cr_json_int(r, "exited", -1);
		snprintf(image, size, "%s/%s", dir, cr_json_str(r, "file", ""));
		return 0;
	}
	return -ENOENT;
}

int cr_task_find_rank(const char *step, int rank, int size, char *image,
		      size_t image_size, int *exited)
{
	char dir[PATH_MAX], *slash;
	struct cr_error err = { 0 };
	struct json_object *m, *world;
	int rc;

	snprintf(dir, sizeof(dir), "%s", step);
	slash = strrchr(dir, '/');
	if (!slash) {
		cr_task_say("cannot restart: CR_RESTART_STEP=%s", step);
		return -EINVAL;
	}
	*slash = '\0';
	m = cr_gens_read(dir, &err);
	if (!m) {
		cr_task_say("cannot restart: %s", err.text);
		return err.code;
	}
	world = task_world(m, slash + 1);
	if (!world || cr_json_int(world, "size", 0) != size) {
		cr_task_say("cannot restart: %s had %d tasks, this step has %d",
			    step, (int)cr_json_int(world, "size", 0), size);
		rc = -EINVAL;
	} else {
		rc = task_rank(world, dir, rank, image, image_size, exited);
		if (rc)
			cr_task_say("cannot restart: no rank %d in %s", rank,
				    step);
	}
	json_object_put(m);
	return rc;
}

bool cr_task_output_path(int fd, char path[PATH_MAX])
{
	char link[32];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	path[n < 0 ? 0 : n] = '\0';
	return n > 0 && !fstat(fd, &st) && S_ISREG(st.st_mode);
}

static void task_refill_one(const char *from, const char *path, int64_t size)
{
	char buf[65536];
	struct stat st;
	ssize_t n;
	int in, out;

	if (stat(path, &st) || st.st_size >= size)
		return; /* nothing is missing */
	in = open(from, O_RDONLY | O_CLOEXEC);
	out = open(path, O_WRONLY | O_CLOEXEC);
	if (in < 0 || out < 0) {
		cr_task_say("cannot give %s its content back: %s", path,
			    strerror(errno));
	} else {
		while ((n = read(in, buf, sizeof(buf))) > 0)
			if (write(out, buf, n) != n) {
				cr_task_say("%s: %s", path, strerror(errno));
				break;
			}
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
}

void cr_task_refill(const char *generation, char relocate[2][2 * PATH_MAX])
{
	struct cr_error err = { 0 };
	struct json_object *m = cr_gens_read(generation, &err), *stdio;
	int n = 0;

	relocate[0][0] = relocate[1][0] = '\0';
	stdio = cr_json_array(cr_json_object(m, "batch"), "stdio");
	for (size_t i = 0; stdio && i < json_object_array_length(stdio); i++) {
		struct json_object *s = json_object_array_get_idx(stdio, i);
		const char *was = cr_json_str(s, "path", "");
		const char *file = cr_json_str(s, "file", "");
		int fd = cr_json_int(s, "fd", -1);
		char now[PATH_MAX], from[PATH_MAX];

		if (fd < 1 || fd > 2 || strchr(file, '/') ||
		    !cr_task_output_path(fd, now))
			continue;
		snprintf(from, sizeof(from), "%s/%s", generation, file);
		task_refill_one(from, now, cr_json_int(s, "size", 0));
		if (strcmp(was, now))
			snprintf(relocate[n++], sizeof(relocate[0]), "%s=%s",
				 was, now);
	}
	if (n == 2 && !strcmp(relocate[0], relocate[1]))
		relocate[1][0] = '\0';
	/* messages of a failing restart go behind that, not over it */
	lseek(STDOUT_FILENO, 0, SEEK_END);
	lseek(STDERR_FILENO, 0, SEEK_END);
	json_object_put(m);
}
