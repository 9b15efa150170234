/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files.c - verbs that read the directory of generations */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugins/slurm/agent/gens.h"
#include "plugins/slurm/command/command.h"

static int64_t files_bytes(struct json_object *m, int *ranks)
{
	struct json_object *worlds = cr_json_array(m, "worlds");
	int64_t bytes =
		cr_json_int(cr_json_object(m, "batch"), "bytes", 0);

	*ranks = 0;
	for (size_t i = 0; i < json_object_array_length(worlds); i++) {
		struct json_object *list = cr_json_array(
			json_object_array_get_idx(worlds, i), "ranks");

		for (size_t k = 0; k < json_object_array_length(list); k++) {
			bytes += cr_json_int(
				json_object_array_get_idx(list, k), "bytes",
				0);
			(*ranks)++;
		}
	}
	return bytes;
}

static void files_line(struct json_object *m)
{
	time_t created = cr_json_int(m, "created", 0);
	char when[32];
	struct tm tm;
	int ranks;
	int64_t bytes = files_bytes(m, &ranks);

	strftime(when, sizeof(when), "%FT%T", localtime_r(&created, &tm));
	printf("%-10d %-19s %-9s %5d %14lld\n",
	       (int)cr_json_int(m, "generation", 0), when,
	       cr_json_str(m, "op", "?"), ranks, (long long)bytes);
}

int cr_command_list(struct cr_command *c)
{
	struct cr_error err = { 0 };
	char dir[PATH_MAX], path[PATH_MAX + 32];
	struct cr_gens g;

	if (cr_command_jobdir(c, dir, &err))
		return cr_command_fail("%s", err.text);
	if (cr_gens_list(&g, dir, true))
		return cr_command_fail("%s: %s", dir, strerror(errno));
	if (!c->quiet)
		printf("%-10s %-19s %-9s %5s %14s\n", "GENERATION", "CREATED",
		       "BY", "RANKS", "BYTES");
	for (size_t i = 0; i < g.n; i++) {
		struct json_object *m;

		cr_gens_path(path, sizeof(path), dir, g.number[i]);
		cr_error_clear(&err);
		m = cr_gens_read(path, &err);
		if (m)
			files_line(m);
		else
			printf("%-10d not usable: %s\n", g.number[i],
			       err.text);
		json_object_put(m);
	}
	cr_gens_free(&g);
	return 0;
}

static void files_show(struct json_object *m, const char *dir)
{
	struct json_object *batch = cr_json_object(m, "batch"), *worlds;

	printf("directory   %s\n", dir);
	printf("job         %d\n", (int)cr_json_int(m, "job", 0));
	printf("generation  %d\n", (int)cr_json_int(m, "generation", 0));
	printf("restarts    %d\n", (int)cr_json_int(m, "restart_count", 0));
	if (batch)
		printf("batch       %s on %s, %lld bytes\n",
		       cr_json_str(batch, "file", "?"),
		       cr_json_str(batch, "node", "?"),
		       (long long)cr_json_int(batch, "bytes", 0));
	worlds = cr_json_array(m, "worlds");
	for (size_t i = 0; i < json_object_array_length(worlds); i++) {
		struct json_object *w = json_object_array_get_idx(worlds, i);
		struct json_object *list = cr_json_array(w, "ranks");

		printf("world       %s, %d ranks\n", cr_json_str(w, "name", "?"),
		       (int)cr_json_int(w, "size", 0));
		for (size_t k = 0; k < json_object_array_length(list); k++) {
			struct json_object *r =
				json_object_array_get_idx(list, k);

			if (cr_json_int(r, "exited", -1) >= 0)
				printf("  rank %-5d had ended\n",
				       (int)cr_json_int(r, "rank", -1));
			else
				printf("  rank %-5d %s on %s, %lld bytes\n",
				       (int)cr_json_int(r, "rank", -1),
				       cr_json_str(r, "file", "?"),
				       cr_json_str(r, "node", "?"),
				       (long long)cr_json_int(r, "bytes", 0));
		}
	}
}

int cr_command_show(struct cr_command *c)
{
	struct cr_error err = { 0 };
	char dir[PATH_MAX], path[PATH_MAX + 32];
	struct json_object *m;
	int number = c->generation;

	if (cr_command_jobdir(c, dir, &err))
		return cr_command_fail("%s", err.text);
	if (!number)
		number = cr_gens_newest(dir, NULL);
	if (!number)
		return cr_command_fail("job %u has no usable generation",
				       c->job);
	cr_gens_path(path, sizeof(path), dir, number);
	m = cr_gens_read(path, &err);
	if (!m)
		return cr_command_fail("%s", err.text);
	if (c->json)
		printf("%s\n", json_object_to_json_string_ext(
				       m, JSON_C_TO_STRING_PRETTY));
	else
		files_show(m, path);
	json_object_put(m);
	return 0;
}
