/* SPDX-License-Identifier: GPL-2.0-or-later */
/* task.h - pieces of cr_task: what to restart from, what to prepare */
#ifndef CR_TASK_H
#define CR_TASK_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>

/* A line to the task's standard error. */
void cr_task_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * What has been found out meanwhile (a damaged generation) and belongs into
 * the job's output; false: nothing.
 */
bool cr_task_say_notes(void);
/* What our descriptor fd is open at, if that is a regular file. */
bool cr_task_output_path(int fd, char path[PATH_MAX]);

/*
 * The generation that the batch script is to be restarted from: 1 and its
 * directory; 0 if it is to begin; -errno if it cannot be restarted as asked.
 */
int cr_task_find_generation(char *dir, size_t size);
/*
 * --restart-dir of an srun without a batch script: 1 and the step in the form
 * of CR_RESTART_STEP; 0 if it is to begin; -errno if it cannot be restarted.
 */
int cr_task_find_step(char *step, size_t size);
/*
 * The image of a rank of the step "DIR/JOB/gen-N/WORLD", or (then *exited is
 * its wait status) that it had ended.  -errno, having said why, if there is
 * none.
 */
int cr_task_find_rank(const char *step, int rank, int size, char *image,
		      size_t image_size, int *exited);
/*
 * Slurm empties the output files of a requeued job, and gives a new job new
 * ones: puts in what the script had written at the checkpoint.  relocate:
 * "OLD=NEW" for cr_restart, or "".
 */
void cr_task_refill(const char *generation, char relocate[2][2 * PATH_MAX]);
/*
 * The script runs from a copy in the job's directory, since the spool
 * directory is another one on each node: argv[0] becomes it.
 */
void cr_task_script(char **argv);
/* Writes the files with the SLURM_* of the first start and of now. */
void cr_task_environment(const char *generation);

#endif
