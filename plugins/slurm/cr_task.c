/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cr_task.c - what a task of a checkpointed job is started through
 *
 * The SPANK plugin puts it in argv[0]; the true one is in CR_TASK_ARGV0.  It
 * tells the agent who it is and becomes the program; at a restart it becomes
 * cr_restart of what the program was.  If checkpointing is not possible the
 * program runs all the same, and a line says so.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plugins/slurm/register.h"
#include "plugins/slurm/task.h"

#define TASK_REGISTER_MS 620000 /* longer than the agent lets us wait */
#define TASK_LEAK_MAX 256 /* descriptors looked at */

void cr_task_say(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "stillpoint: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static const char *task_env(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v && *v ? v : otherwise;
}

static void task_register(struct cr_register *m)
{
	const char *path = getenv(CR_AGENT_SOCKET_ENV);
	struct cr_register_reply reply;
	int rc;

	if (!path)
		return; /* the plugin has said why */
	rc = cr_register_send(path, m, &reply, TASK_REGISTER_MS);
	if (rc)
		cr_task_say("this task cannot be checkpointed: %s",
			    *reply.text ? reply.text : strerror(-rc));
}

/* Programs that only start the ranks on their node. */
static bool task_is_daemon(const char *program)
{
	static const char *const names[] = { "orted", "prted",
					     "hydra_pmi_proxy", NULL };
	const char *base = strrchr(program, '/');

	base = base ? base + 1 : program;
	for (int i = 0; names[i]; i++)
		if (!strcmp(base, names[i]))
			return true;
	return false;
}

/*
 * Some versions of slurmstepd leak the socket at which its PMIx plugin
 * listens for aborts.  No task can use it, and no image could hold it.
 */
static void task_close_leaks(void)
{
	for (int fd = 3; fd < TASK_LEAK_MAX; fd++) {
		int listening = 0;
		socklen_t len = sizeof(listening);

		if (!getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening,
				&len) &&
		    listening)
			close(fd);
	}
}

static void task_become_restart(const char *image,
				const char relocate[2][2 * PATH_MAX],
				const char *grown)
{
	const char *argv[10] = { "cr_restart" };
	char path[PATH_MAX];
	int n = 1;

	for (int i = 0; i < 2 && relocate; i++) {
		if (!*relocate[i])
			continue;
		argv[n++] = "--relocate";
		argv[n++] = relocate[i];
	}
	if (grown) {
		argv[n++] = "--grown";
		argv[n++] = grown;
	}
	argv[n] = image;
	snprintf(path, sizeof(path), "%s/cr_restart",
		 task_env("CR_BINDIR", BINDIR));
	unsetenv(CR_RESTART_STEP_ENV);
	unsetenv("LD_PRELOAD"); /* for programs; cr_restart is none */
	execv(path, (char **)argv);
	cr_task_say("cannot run %s: %s", path, strerror(errno));
	exit(127);
}

/* A rank that had ended at the checkpoint ends again as it did. */
static void task_end_again(int status)
{
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	exit(WEXITSTATUS(status));
}

static void task_step(char **argv)
{
	struct cr_register m = { .kind = CR_REGISTER_TASK };
	const char *step = getenv(CR_RESTART_STEP_ENV);
	char image[PATH_MAX], asked[PATH_MAX];
	int exited = -1, rc;

	m.rank = atoi(task_env("SLURM_PROCID", "-1"));
	m.size = atoi(task_env("SLURM_STEP_NUM_TASKS",
			       task_env("SLURM_NTASKS", "0")));
	m.launcher = atoi(task_env(CR_LAUNCHER_ENV, "0"));
	snprintf(m.world, sizeof(m.world), "%s.%s",
		 task_env("SLURM_JOB_ID", "0"), task_env("SLURM_STEP_ID", "0"));
	if (task_is_daemon(argv[0])) {
		m.kind = CR_REGISTER_DAEMON;
		task_register(&m);
		return; /* CR_RESTART_STEP is for its ranks */
	}
	rc = step ? 0 : cr_task_find_step(asked, sizeof(asked));
	if (rc > 0)
		step = asked;
	if (rc >= 0 && step)
		rc = cr_task_find_rank(step, m.rank, m.size, image,
				       sizeof(image), &exited);
	if (rc < 0)
		exit(1); /* it has said why; never begin anew */
	unsetenv("CR_RESTART_DIR");
	task_register(&m);
	if (exited >= 0)
		task_end_again(exited);
	if (step)
		task_become_restart(image, NULL, NULL);
}

static void task_batch(char **argv)
{
	static char relocate[2][2 * PATH_MAX];
	struct cr_register m = { .kind = CR_REGISTER_BATCH, .rank = -1 };
	char generation[PATH_MAX], image[PATH_MAX + 32], output[PATH_MAX];
	const char *grown = NULL;
	int rc = cr_task_find_generation(generation, sizeof(generation));

	m.value = atoi(task_env("SLURM_RESTART_COUNT", "0"));
	if (rc < 0)
		exit(1);
	unsetenv("CR_RESTART_DIR");
	cr_task_environment(rc ? generation : NULL);
	if (rc) {
		if (strlen(generation) >= sizeof(m.world)) {
			cr_task_say("cannot restart: path too long");
			exit(1);
		}
		strcpy(m.world, generation);
		cr_task_refill(generation, relocate);
		if (cr_task_say_notes() && cr_task_output_path(2, output))
			grown = output;
		setenv("CR_RESTART_GENERATION", generation, 1);
	} else {
		cr_task_script(argv);
	}
	task_register(&m);
	if (rc) {
		snprintf(image, sizeof(image), "%s/batch.context", generation);
		task_become_restart(image, relocate, grown);
	}
}

int main(int argc, char **argv)
{
	const char *program = getenv(CR_TASK_ARGV0_ENV);
	const char *script;

	if (argc < 1 || !program) {
		fprintf(stderr, "cr_task: for the SPANK plugin only\n");
		return 2;
	}
	argv[0] = strdup(program);
	unsetenv(CR_TASK_ARGV0_ENV);
	unsetenv(CR_TASK_PATH_ENV);
	script = getenv("CR_TASK_BATCH");
	unsetenv("CR_TASK_BATCH");
	task_close_leaks();
	if (script)
		task_batch(argv);
	else
		task_step(argv);
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
