/* SPDX-License-Identifier: GPL-2.0-or-later */
/* task_prepare.c - the files that a batch script needs to be restartable */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/slurm/agent/copy.h"
#include "plugins/slurm/register.h"
#include "plugins/slurm/task.h"

extern char **environ;

static bool task_same_content(const char *a, const char *b)
{
	struct cr_error err = { 0 };
	char da[33], db[33];
	uint64_t na, nb;

	return !cr_copy_digest(a, &na, da, &err) &&
	       !cr_copy_digest(b, &nb, db, &err) && na == nb &&
	       !strcmp(da, db);
}

void cr_task_script(char **argv)
{
	const char *dir = getenv("SLURM_CHECKPOINT_IMAGE_DIR");
	char path[PATH_MAX], tmp[PATH_MAX + 8];
	struct cr_error err = { 0 };
	struct stat st;

	if (!dir || stat(argv[0], &st))
		return;
	snprintf(path, sizeof(path), "%s/script", dir);
	if (!task_same_content(path, argv[0])) {
		snprintf(tmp, sizeof(tmp), "%s.new", path);
		if (cr_copy_file(argv[0], tmp, st.st_size, &err) ||
		    chmod(tmp, 0700) || rename(tmp, path)) {
			cr_task_say("the batch script runs from %s and cannot "
				    "be restarted on another node: %s",
				    argv[0],
				    err.code ? err.text : strerror(errno));
			return;
		}
	}
	if (!access(path, X_OK)) /* not on a file system without exec */
		argv[0] = strdup(path);
}

/* Appends the SLURM_* of our own environment to f. */
static void task_put_environment(FILE *f)
{
	for (char **e = environ; *e; e++)
		if (!strncmp(*e, "SLURM_", 6))
			fwrite(*e, strlen(*e) + 1, 1, f);
}

static void task_put_file(FILE *f, const char *path)
{
	FILE *in = fopen(path, "re");
	int c;

	while (in && (c = getc(in)) != EOF)
		putc(c, f);
	if (in)
		fclose(in);
}

static FILE *task_create(const char *path)
{
	FILE *f;

	unlink(path);
	f = fopen(path, "wxe");
	if (!f)
		cr_task_say("cannot write %s: %s", path, strerror(errno));
	return f;
}

/*
 * A script restored under another job's number looks for its agent where
 * that of the old job was.
 */
static void task_link_old_job(const char *run, const char *generation)
{
	char parent[PATH_MAX], link[PATH_MAX], *slash, *old;

	snprintf(parent, sizeof(parent), "%s", generation);
	slash = strrchr(parent, '/');
	if (!slash)
		return;
	*slash = '\0';
	old = strrchr(parent, '/');
	snprintf(link, sizeof(link), "%s", run);
	slash = strrchr(link, '/');
	if (!old || !slash || !strcmp(old, slash))
		return;
	strcpy(slash, old);
	if (symlink(run, link) && errno != EEXIST)
		cr_task_say("cannot create %s: %s", link, strerror(errno));
}

void cr_task_environment(const char *generation)
{
	const char *dir = getenv("SLURM_CHECKPOINT_IMAGE_DIR");
	const char *agent = getenv(CR_AGENT_SOCKET_ENV);
	char first[PATH_MAX], from[PATH_MAX + 32], now[PATH_MAX + 32];
	char run[PATH_MAX], *slash;
	FILE *f;

	if (!dir || !agent)
		return;
	snprintf(first, sizeof(first), "%s/environment", dir);
	snprintf(from, sizeof(from), "%s/../environment",
		 generation ? generation : "");
	if (!generation || access(first, F_OK)) {
		f = task_create(first);
		if (f && generation) /* from another job: what that began with */
			task_put_file(f, from);
		else if (f)
			task_put_environment(f);
		if (f)
			fclose(f);
	}
	snprintf(run, sizeof(run), "%s", agent);
	slash = strrchr(run, '/');
	if (!slash)
		return;
	*slash = '\0';
	if (generation)
		task_link_old_job(run, generation);
	snprintf(now, sizeof(now), "%s/environment", run);
	f = task_create(now);
	if (!f)
		return;
	task_put_file(f, first);
	putc('\0', f);
	task_put_environment(f);
	fclose(f);
}
