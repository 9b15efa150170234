/* SPDX-License-Identifier: GPL-2.0-or-later */
/* restart.c - starts a job again: the same one, or a new one in its place */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/slurm/agent/gens.h"
#include "plugins/slurm/command/command.h"

#define RESTART_ARGS 32

/* What the job had, and sbatch's option for it. */
static const struct {
	const char *name, *option;
} restart_shape[] = {
	{ "SLURM_JOB_NAME", "--job-name" },
	{ "SLURM_JOB_NUM_NODES", "--nodes" },
	{ "SLURM_NTASKS", "--ntasks" },
	{ "SLURM_NTASKS_PER_NODE", "--ntasks-per-node" },
	{ "SLURM_CPUS_PER_TASK", "--cpus-per-task" },
	{ "SLURM_MEM_PER_NODE", "--mem" },
	{ "SLURM_MEM_PER_CPU", "--mem-per-cpu" },
	{ "SLURM_JOB_PARTITION", "--partition" },
	{ "SLURM_JOB_ACCOUNT", "--account" },
	{ "SLURM_JOB_QOS", "--qos" },
	{ "SLURM_SUBMIT_DIR", "--chdir" },
};

/* The new job gets what the old one had, however that was asked for. */
static int restart_options(const char *dir, const char **argv, int n)
{
	char path[PATH_MAX + 16], *line = NULL, *option;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/environment", dir);
	f = fopen(path, "re");
	while (f && getdelim(&line, &size, '\0', f) > 0) {
		char *value = strchr(line, '=');

		if (!value || !value[1])
			continue;
		*value++ = '\0';
		for (size_t i = 0;
		     i < sizeof(restart_shape) / sizeof(*restart_shape); i++)
			if (!strcmp(line, restart_shape[i].name) &&
			    n < RESTART_ARGS - 2 &&
			    asprintf(&option, "%s=%s", restart_shape[i].option,
				     value) > 0)
				argv[n++] = option;
	}
	free(line);
	if (f)
		fclose(f);
	return n;
}

/* Slurm has forgotten the job: a new one takes up its generation. */
static int restart_resubmit(const char *dir)
{
	char script[PATH_MAX + 8], restart[PATH_MAX + 32];
	char option[PATH_MAX + 32], parent[PATH_MAX], *slash;
	const char *argv[RESTART_ARGS] = { "sbatch", restart, option,
					   "--checkpoint" };
	struct stat st;
	int n;

	if (stat(dir, &st))
		return cr_command_fail("%s: %s", dir, strerror(errno));
	if (st.st_uid != geteuid())
		return cr_command_fail("%s belongs to uid %d: only that user "
				       "can submit a job in its place",
				       dir, (int)st.st_uid);
	snprintf(script, sizeof(script), "%s/script", dir);
	if (access(script, R_OK))
		return cr_command_fail("%s: %s", script, strerror(errno));
	snprintf(restart, sizeof(restart), "--restart-dir=%s", dir);
	snprintf(parent, sizeof(parent), "%s", dir);
	slash = strrchr(parent, '/');
	*slash = '\0';
	snprintf(option, sizeof(option), "--checkpoint-dir=%s", parent);
	n = restart_options(dir, argv, 4);
	argv[n++] = script;
	argv[n] = NULL;
	execvp("sbatch", (char **)argv);
	return cr_command_fail("sbatch: %s", strerror(errno));
}

int cr_command_restart(struct cr_command *c)
{
	struct cr_error err = { 0 };
	char dir[PATH_MAX];

	if (c->image_dir)
		snprintf(dir, sizeof(dir), "%s/%u", c->image_dir, c->job);
	else if (cr_command_jobdir(c, dir, &err))
		return cr_command_fail("%s", err.text);
	if (!c->has_info)
		c->has_info = !cr_jobctl_info(c->job, &c->info, &err);
	if (!cr_gens_newest(dir, NULL))
		return cr_command_fail("job %u has no usable generation in %s",
				       c->job, dir);
	if (!c->has_info || c->image_dir)
		return restart_resubmit(dir);
	if (c->info.running)
		return cr_command_fail("job %u is running", c->job);
	cr_error_clear(&err);
	if (!c->info.pending && cr_jobctl_requeue(c->job, &err)) {
		if (!c->quiet)
			fprintf(stderr, "%s; submitting it as a new job\n",
				err.text);
		return restart_resubmit(dir);
	}
	cr_jobctl_start_now(c->job, NULL);
	return 0;
}
