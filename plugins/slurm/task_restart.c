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
#include "plugins/slurm/task.h"

/* dir: a generation's directory or a job's. */
static int task_generation_in(const char *dir, char *out, size_t size)
{
	struct cr_error err = { 0 };
	struct json_object *m;
	char path[PATH_MAX];
	int number;

	snprintf(path, sizeof(path), "%s/" CR_GENS_MANIFEST, dir);
	if (!access(path, F_OK)) {
		m = cr_gens_read(dir, &err);
		if (!m) {
			cr_task_say("cannot restart: %s", err.text);
			return err.code;
		}
		json_object_put(m);
		snprintf(out, size, "%s", dir);
		return 1;
	}
	number = cr_gens_newest(dir, NULL);
	if (!number)
		return 0;
	cr_gens_path(out, size, dir, number);
	return 1;
}

static bool task_has_batch(const char *generation)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/batch.context", generation);
	return !access(path, R_OK);
}

int cr_task_find_generation(char *dir, size_t size)
{
	const char *asked = getenv("CR_RESTART_DIR");
	const char *own = getenv("SLURM_CHECKPOINT_IMAGE_DIR");
	const char *count = getenv("SLURM_RESTART_COUNT");
	int rc = 0;

	/* what the job has saved itself is newer than what it came from */
	if (count && atoi(count) > 0 && own)
		rc = task_generation_in(own, dir, size);
	if (!rc && asked) {
		rc = task_generation_in(asked, dir, size);
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

int cr_task_find_step(char *step, size_t size)
{
	const char *asked = getenv("CR_RESTART_DIR");
	struct json_object *m, *worlds;
	struct cr_error err = { 0 };
	char dir[PATH_MAX];
	int rc;

	if (!asked)
		return 0;
	rc = task_generation_in(asked, dir, sizeof(dir));
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

/* What our descriptor fd is open at, if that is a regular file. */
static bool task_output_path(int fd, char path[PATH_MAX])
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
		    !task_output_path(fd, now))
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
