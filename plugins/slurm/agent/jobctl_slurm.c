/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jobctl_slurm.c - what the coordinator wants of the scheduler: Slurm's way */
#include "plugins/slurm/agent/jobctl.h"

#include <errno.h>
#include <signal.h>
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define JOBCTL_SETTLE 5 /* seconds */

static int jobctl_error(struct cr_error *err, const char *what, uint32_t job)
{
	return cr_error_set(err, -EREMOTEIO, "slurmctld: cannot %s job %u: %s",
			    what, job, slurm_strerror(slurm_get_errno()));
}

static slurm_conf_t *jobctl_conf(void)
{
	static slurm_conf_t *conf;

	if (!conf && slurm_load_ctl_conf(0, &conf))
		conf = NULL;
	return conf;
}

uid_t cr_jobctl_admin(void)
{
	slurm_conf_t *conf = jobctl_conf();

	return conf ? conf->slurm_user_id : 0;
}

static const char *jobctl_state(uint32_t state)
{
	static const char *const names[] = {
		"PENDING",   "RUNNING", "SUSPENDED", "COMPLETED",
		"CANCELLED", "FAILED",	"TIMEOUT",   "NODE_FAIL",
		"PREEMPTED", "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY",
	};

	state &= JOB_STATE_BASE;
	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

/* "required|optional PATH/spank_stillpoint.so dir=DIR ..." */
static void jobctl_plugstack_line(char *line, char *dir, size_t size)
{
	char *save, *word = strtok_r(line, " \t\n", &save);

	if (!word || *word == '#')
		return;
	word = strtok_r(NULL, " \t\n", &save);
	if (!word || !strstr(word, "spank_stillpoint.so"))
		return;
	while ((word = strtok_r(NULL, " \t\n", &save)))
		if (!strncmp(word, "dir=", 4))
			snprintf(dir, size, "%s", word + 4);
}

void cr_jobctl_site(char *dir, size_t size)
{
	slurm_conf_t *conf = jobctl_conf();
	char line[4096];
	FILE *f;

	dir[0] = '\0';
	f = conf && conf->plugstack ? fopen(conf->plugstack, "re") : NULL;
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		jobctl_plugstack_line(line, dir, size);
	fclose(f);
}

int cr_jobctl_info(uint32_t job, struct cr_jobctl_info *info,
		   struct cr_error *err)
{
	job_info_msg_t *msg = NULL;
	slurm_job_info_t *j;
	int base;

	memset(info, 0, sizeof(*info));
	if (slurm_load_job(&msg, job, SHOW_ALL))
		return jobctl_error(err, "find", job);
	if (!msg->record_count) {
		slurm_free_job_info_msg(msg);
		return cr_error_set(err, -ESRCH, "no job %u", job);
	}
	j = &msg->job_array[0]; /* of an array, all tasks are there */
	for (uint32_t i = 0; i < msg->record_count; i++)
		if (msg->job_array[i].job_id == job)
			j = &msg->job_array[i];
	info->uid = j->user_id;
	info->restarts = j->restart_cnt;
	info->batch = j->batch_flag;
	base = j->job_state & JOB_STATE_BASE;
	info->running = base == JOB_RUNNING || base == JOB_SUSPENDED;
	info->pending = base == JOB_PENDING;
	snprintf(info->state, sizeof(info->state), "%s",
		 jobctl_state(j->job_state));
	if (j->work_dir)
		snprintf(info->work_dir, sizeof(info->work_dir), "%s",
			 j->work_dir);
	if (j->batch_host)
		snprintf(info->batch_host, sizeof(info->batch_host), "%s",
			 j->batch_host);
	slurm_free_job_info_msg(msg);
	return 0;
}

int cr_jobctl_requeue(uint32_t job, struct cr_error *err)
{
	return slurm_requeue(job, 0) ? jobctl_error(err, "requeue", job) : 0;
}

int cr_jobctl_cancel(uint32_t job, struct cr_error *err)
{
	return slurm_kill_job(job, SIGKILL, 0) ?
		       jobctl_error(err, "end", job) :
		       0;
}

int cr_jobctl_start_now(uint32_t job, struct cr_error *err)
{
	job_desc_msg_t desc;

	slurm_init_job_desc_msg(&desc);
	desc.job_id = job;
	/*
	 * Not at once: slurmstepds of the old run may still be there, and
	 * slurmd takes what it launches in the same second as killed.
	 */
	desc.begin_time = time(NULL) + JOBCTL_SETTLE;
	return slurm_update_job(&desc) ? jobctl_error(err, "start", job) : 0;
}
