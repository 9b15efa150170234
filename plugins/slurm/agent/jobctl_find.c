/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jobctl_find.c - which job is meant by "12", "12_3", "12+1" */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <slurm/slurm.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/slurm/agent/jobctl.h"

static int find_number(const char **text, uint32_t *n)
{
	char *end;
	unsigned long v = strtoul(*text, &end, 10);

	if (!isdigit((unsigned char)**text) || v >= NO_VAL)
		return -EINVAL;
	*text = end;
	*n = v;
	return 0;
}

static int find_task(const job_info_msg_t *msg, uint32_t array, uint32_t task,
		     uint32_t *job, struct cr_error *err)
{
	for (uint32_t i = 0; i < msg->record_count; i++) {
		const slurm_job_info_t *j = &msg->job_array[i];

		if (j->array_job_id != array || j->array_task_id != task)
			continue;
		*job = j->job_id;
		return 0;
	}
	return cr_error_set(err, -ESRCH, "array job %u has no task %u (any "
			    "more)", array, task);
}

static int find_plain(const job_info_msg_t *msg, uint32_t job,
		      struct cr_error *err)
{
	for (uint32_t i = 0; i < msg->record_count; i++) {
		const slurm_job_info_t *j = &msg->job_array[i];

		if (j->array_job_id == job && j->array_task_id != NO_VAL)
			return cr_error_set(err, -ENOTSUP,
					    "job %u is an array: name one of "
					    "its tasks, as %u_%u",
					    job, job, j->array_task_id);
		if (j->job_id == job && j->het_job_id)
			return cr_error_set(err, -ENOTSUP,
					    "job %u is component %u of the "
					    "heterogeneous job %u, and those "
					    "cannot be checkpointed",
					    job, j->het_job_offset,
					    j->het_job_id);
	}
	return 0;
}

int cr_jobctl_find(const char *text, uint32_t *job, struct cr_error *err)
{
	const char *rest = text;
	uint32_t task = 0;
	job_info_msg_t *msg = NULL;
	bool array;
	int rc;

	if (find_number(&rest, job) || !*job)
		return cr_error_set(err, -EINVAL, "%s: not a job id", text);
	if (*rest == '.')
		return cr_error_set(err, -ENOTSUP,
				    "%s: a step is checkpointed together with "
				    "its job: give the job's id, %.*s",
				    text, (int)(rest - text), text);
	if (*rest == '+')
		return cr_error_set(err, -ENOTSUP,
				    "%s: heterogeneous jobs cannot be "
				    "checkpointed", text);
	array = *rest == '_' && rest++;
	if ((array && find_number(&rest, &task)) || *rest)
		return cr_error_set(err, -EINVAL, "%s: not a job id", text);
	if (slurm_load_job(&msg, *job, SHOW_ALL))
		return array ? cr_error_set(err, -ESRCH,
					    "Slurm does not know job %u", *job) :
			       0;
	rc = array ? find_task(msg, *job, task, job, err) :
		     find_plain(msg, *job, err);
	slurm_free_job_info_msg(msg);
	return rc;
}
