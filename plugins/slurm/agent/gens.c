/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gens.c - generations on the disk: find, read, commit, remove */
#include "plugins/slurm/agent/gens.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/slurm/agent/copy.h"
#include "plugins/slurm/agent/log.h"

int cr_gens_mkdir(const char *path, mode_t mode, struct cr_error *err)
{
	char p[PATH_MAX];

	if (strlen(path) >= sizeof(p))
		return cr_error_set(err, -ENAMETOOLONG, "%s: name too long",
				    path);
	strcpy(p, path);
	for (char *s = strchr(p + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		if (mkdir(p, 0755) && errno != EEXIST)
			break; /* what matters is whether the last one works */
		*s = '/';
	}
	if (mkdir(path, mode) && errno != EEXIST)
		return cr_error_set(err, -errno, "cannot create %s: %s", path,
				    strerror(errno));
	return 0;
}

void cr_gens_path(char *path, size_t size, const char *jobdir, int number)
{
	snprintf(path, size, "%s/gen-%d", jobdir, number);
}

static int gens_compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int cr_gens_list(struct cr_gens *g, const char *jobdir, bool committed)
{
	DIR *d = opendir(jobdir);
	struct dirent *e;
	char path[PATH_MAX + 64], end;
	int number;

	memset(g, 0, sizeof(*g));
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		int *p;

		if (sscanf(e->d_name, "gen-%d%c", &number, &end) != 1 ||
		    number <= 0)
			continue;
		snprintf(path, sizeof(path), "%s/gen-%d/" CR_GENS_MANIFEST,
			 jobdir, number);
		if (committed && access(path, F_OK))
			continue;
		p = realloc(g->number, (g->n + 1) * sizeof(*p));
		if (!p)
			break;
		g->number = p;
		p[g->n++] = number;
	}
	closedir(d);
	if (g->n)
		qsort(g->number, g->n, sizeof(*g->number), gens_compare);
	return 0;
}

void cr_gens_free(struct cr_gens *g)
{
	free(g->number);
	memset(g, 0, sizeof(*g));
}

/* {"file", "bytes"} must be a file of that size. */
static int gens_check_file(const char *dir, struct json_object *o,
			   struct cr_error *err)
{
	const char *file = cr_json_str(o, "file", NULL);
	char path[PATH_MAX];
	struct stat st;

	if (!file || strchr(file, '/'))
		return cr_error_set(err, -EBADMSG,
				    "%s: the manifest has a wrong file name",
				    dir);
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (stat(path, &st))
		return cr_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	if (st.st_size != cr_json_int(o, "bytes", -1))
		return cr_error_set(err, -EBADMSG,
				    "%s has %lld bytes instead of %lld", path,
				    (long long)st.st_size,
				    (long long)cr_json_int(o, "bytes", -1));
	return 0;
}

static int gens_check_world(const char *dir, struct json_object *world,
			    struct cr_error *err)
{
	struct json_object *ranks = cr_json_array(world, "ranks");
	size_t n = ranks ? json_object_array_length(ranks) : 0;
	int rc = 0;

	if ((int64_t)n != cr_json_int(world, "size", -1))
		return cr_error_set(err, -EBADMSG,
				    "%s: the manifest lacks ranks of %s", dir,
				    cr_json_str(world, "name", "?"));
	for (size_t i = 0; i < n && !rc; i++) {
		struct json_object *r = json_object_array_get_idx(ranks, i);

		if (cr_json_int(r, "exited", -1) < 0)
			rc = gens_check_file(dir, r, err);
	}
	return rc;
}

/* Has a restart found it damaged? */
static int gens_check_mark(const char *dir, struct cr_error *err)
{
	char path[PATH_MAX], text[CR_ERROR_MAX] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/" CR_GENS_DAMAGED, dir);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		strcpy(text, "marked so");
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	return cr_error_set(err, -EBADMSG, "%s", text);
}

struct json_object *cr_gens_read(const char *dir, struct cr_error *err)
{
	struct json_object *m, *batch, *worlds;
	char path[PATH_MAX];
	int rc = 0;

	snprintf(path, sizeof(path), "%s/" CR_GENS_MANIFEST, dir);
	m = cr_json_read(path);
	if (!m) {
		cr_error_set(err, -errno, "%s: %s", path,
			     errno == EBADMSG ? "not JSON" : strerror(errno));
		return NULL;
	}
	if (strcmp(cr_json_str(m, "format", ""), "stillpoint generation") ||
	    cr_json_int(m, "version", 0) != 1)
		rc = cr_error_set(err, -EBADMSG,
				  "%s: not a manifest of version 1", path);
	batch = cr_json_object(m, "batch");
	worlds = cr_json_array(m, "worlds");
	if (!rc)
		rc = gens_check_mark(dir, err);
	if (!rc && batch)
		rc = gens_check_file(dir, batch, err);
	if (!rc && !worlds)
		rc = cr_error_set(err, -EBADMSG, "%s: no worlds", path);
	for (size_t i = 0; !rc && i < json_object_array_length(worlds); i++)
		rc = gens_check_world(
			dir, json_object_array_get_idx(worlds, i), err);
	if (rc) {
		json_object_put(m);
		return NULL;
	}
	return m;
}

int cr_gens_newest(const char *jobdir, struct json_object **manifest)
{
	struct cr_gens g;
	struct cr_error err = { 0 };
	int number = 0;

	if (cr_gens_list(&g, jobdir, true))
		return 0;
	for (size_t i = g.n; i-- > 0 && !number;) {
		char dir[PATH_MAX];
		struct json_object *m;

		cr_gens_path(dir, sizeof(dir), jobdir, g.number[i]);
		cr_error_clear(&err);
		m = cr_gens_read(dir, &err);
		if (!m) {
			cr_log("generation not usable: %s", err.text);
			continue;
		}
		number = g.number[i];
		if (manifest)
			*manifest = m;
		else
			json_object_put(m);
	}
	cr_gens_free(&g);
	return number;
}

int cr_gens_commit(const char *dir, struct json_object *manifest,
		   struct cr_error *err)
{
	char path[PATH_MAX], parent[PATH_MAX];
	int rc;

	snprintf(path, sizeof(path), "%s/" CR_GENS_MANIFEST, dir);
	snprintf(parent, sizeof(parent), "%s/..", dir);
	/* the names of the files and of dir must last before the manifest */
	rc = cr_copy_sync_dir(dir, err);
	if (!rc)
		rc = cr_copy_sync_dir(parent, err);
	if (!rc)
		rc = cr_copy_text(path,
				  json_object_to_json_string_ext(
					  manifest, JSON_C_TO_STRING_PRETTY),
				  0600, err);
	if (!rc)
		rc = cr_copy_sync_dir(dir, err);
	return rc;
}

int cr_gens_remove(const char *dir, struct cr_error *err)
{
	char path[PATH_MAX + 256];
	struct dirent *e;
	DIR *d;

	/* first what makes it a generation, for good */
	snprintf(path, sizeof(path), "%s/" CR_GENS_MANIFEST, dir);
	if (!unlink(path))
		cr_copy_sync_dir(dir, NULL);
	d = opendir(dir);
	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return cr_error_set(err, -errno, "cannot read %s: %s", dir,
				    strerror(errno));
	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			unlink(path);
	}
	closedir(d);
	if (rmdir(dir))
		return cr_error_set(err, -errno, "cannot remove %s: %s", dir,
				    strerror(errno));
	return 0;
}

/* The oldest of the newest keep usable ones; 0: there are not as many. */
static int gens_oldest_kept(const char *jobdir, const struct cr_gens *g,
			    int keep)
{
	for (size_t i = g->n; i-- > 0;) {
		char dir[PATH_MAX];
		struct json_object *m;

		cr_gens_path(dir, sizeof(dir), jobdir, g->number[i]);
		m = cr_gens_read(dir, NULL);
		json_object_put(m);
		if (m && !--keep)
			return g->number[i];
	}
	return 0;
}

void cr_gens_prune(const char *jobdir, int keep)
{
	struct cr_gens all, committed;
	struct cr_error err = { 0 };
	size_t k = 0;
	int oldest;

	if (cr_gens_list(&all, jobdir, false) ||
	    cr_gens_list(&committed, jobdir, true)) {
		cr_log("cannot read %s: %s", jobdir, strerror(errno));
		cr_gens_free(&all);
		return;
	}
	oldest = gens_oldest_kept(jobdir, &committed, keep);
	for (size_t i = 0; i < all.n; i++) {
		char dir[PATH_MAX];
		bool stays = k < committed.n &&
			     committed.number[k] == all.number[i];

		k += stays;
		if (stays && all.number[i] >= oldest)
			continue;
		cr_gens_path(dir, sizeof(dir), jobdir, all.number[i]);
		cr_error_clear(&err);
		if (cr_gens_remove(dir, &err))
			cr_log("%s", err.text);
	}
	cr_gens_free(&all);
	cr_gens_free(&committed);
}
