/* SPDX-License-Identifier: GPL-2.0-or-later */
/* locate.c - finds a job's agent and its generations */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/slurm/command/command.h"

int cr_command_fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "slurm-checkpoint: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return 1;
}

/* The places where agent.json may be, the most definite one first. */
static int locate_candidate(struct cr_command *c, int i, char path[PATH_MAX])
{
	const char *env = getenv("SLURM_CHECKPOINT_DIR");
	char site[PATH_MAX / 2];

	cr_jobctl_site(site, sizeof(site));
	switch (i) {
	case 0:
		if (!c->dir)
			return 1;
		snprintf(path, PATH_MAX, "%s/%u/agent.json", c->dir, c->job);
		return 1;
	case 1:
		if (!env)
			return 1;
		snprintf(path, PATH_MAX, "%s/%u/agent.json", env, c->job);
		return 1;
	case 2:
		if (*site)
			snprintf(path, PATH_MAX, "%s/%u.agent", site, c->job);
		return 1;
	case 3:
		if (c->has_info)
			snprintf(path, PATH_MAX, "%s/checkpoint/%u/agent.json",
				 c->info.work_dir, c->job);
		return 1;
	default:
		return 0;
	}
}

int cr_command_locate(struct cr_command *c, struct cr_error *err)
{
	struct cr_error first = { 0 }, e;
	char path[PATH_MAX];
	uid_t uid;

	c->has_info = !cr_jobctl_info(c->job, &c->info, &first);
	/* a job that Slurm has forgotten can only be the caller's own */
	uid = c->has_info ? c->info.uid : geteuid();
	for (int i = 0; *path = '\0', locate_candidate(c, i, path); i++) {
		if (!*path)
			continue;
		memset(&e, 0, sizeof(e));
		if (!cr_publish_read(&c->publish, path, c->job, uid, &e))
			return 0;
		if (e.code != -ENOENT)
			return cr_error_set(err, e.code, "%s", e.text);
	}
	if (!c->has_info)
		return cr_error_set(err, -ESRCH, "%s", first.text);
	return cr_error_set(err, -ENOENT,
			    "job %u (%s) has no agent: was it submitted with "
			    "--checkpoint, and to which --checkpoint-dir "
			    "(--dir)?",
			    c->job, c->info.state);
}

int cr_command_jobdir(struct cr_command *c, char dir[PATH_MAX],
		      struct cr_error *err)
{
	int rc;

	if (c->dir) { /* need not know more */
		snprintf(dir, PATH_MAX, "%s/%u", c->dir, c->job);
		if (!access(dir, R_OK | X_OK))
			return 0;
	}
	rc = cr_command_locate(c, err);
	if (!rc)
		snprintf(dir, PATH_MAX, "%s", c->publish.directory);
	return rc;
}
