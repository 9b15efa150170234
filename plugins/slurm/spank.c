/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spank.c - spank_stillpoint.so: the options, and the way of a task into a
 * checkpointed job
 *
 * Kept small: it runs inside sbatch, srun and slurmstepd.  It checks the
 * options, starts cr_agent as the job's owner, and puts cr_task in front of
 * each task.  Whatever goes wrong, the job runs, and a line says that it
 * cannot be checkpointed.  Jobs without --checkpoint are not touched.
 *
 * In plugstack.conf: required spank_stillpoint.so [dir=DIR] [keep=N]
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <slurm/spank.h>

#include "plugins/slurm/register.h"
#include "plugins/slurm/spank_agent.h"
#include "plugins/slurm/timespec.h"

SPANK_PLUGIN(stillpoint, 1)

static struct {
	bool wanted; /* --checkpoint was given */
	long period; /* seconds, 0: only on request */
	bool never;  /* --checkpoint=0 */
	char dir[PATH_MAX], restart_dir[PATH_MAX];
	const char *site;
	int keep;
	bool ready; /* the agent listens */
} plugin = { .site = "", .keep = 2 };

static int plugin_set_time(const char *text, const char *where)
{
	long t;

	plugin.wanted = true;
	/* bare: NULL here, "(null)" once it has travelled */
	if (!text || !*text || !strcmp(text, "(null)"))
		return 0;
	t = cr_timespec_parse(text);
	if (t < 0) {
		slurm_error("stillpoint: %s=%s: not a time: minutes, m:s, "
			    "h:m:s, d-h, d-h:m or d-h:m:s (0: never)",
			    where, text);
		return -1;
	}
	plugin.period = t;
	plugin.never = t == 0;
	return 0;
}

static int plugin_set_dir(char dir[PATH_MAX], const char *text,
			  const char *where)
{
	if (!text || *text != '/' || strlen(text) > PATH_MAX / 2) {
		slurm_error("stillpoint: %s=%s: must be an absolute path that "
			    "all nodes of the job see",
			    where, text ? text : "");
		return -1;
	}
	strcpy(dir, text);
	return 0;
}

static int plugin_opt_time(int val, const char *arg, int remote)
{
	(void)val;
	(void)remote;
	return plugin_set_time(arg, "--checkpoint");
}

static int plugin_opt_dir(int val, const char *arg, int remote)
{
	(void)val;
	(void)remote;
	return plugin_set_dir(plugin.dir, arg, "--checkpoint-dir");
}

static int plugin_opt_restart(int val, const char *arg, int remote)
{
	(void)val;
	(void)remote;
	return plugin_set_dir(plugin.restart_dir, arg, "--restart-dir");
}

static struct spank_option plugin_options[] = {
	{ "checkpoint", "[=TIME]",
	  "make the job able to be checkpointed; with TIME (minutes, m:s, "
	  "h:m:s, d-h[:m[:s]]; write it with '=') also every TIME; 0: never",
	  2, 0, plugin_opt_time },
	{ "checkpoint-dir", "DIR", "where checkpoints go", 1, 0,
	  plugin_opt_dir },
	{ "restart-dir", "DIR", "restart from the checkpoint in DIR", 1, 0,
	  plugin_opt_restart },
	SPANK_OPTIONS_TABLE_END
};

int slurm_spank_init(spank_t sp, int ac, char **av)
{
	for (int i = 0; i < ac; i++) {
		if (!strncmp(av[i], "dir=", 4))
			plugin.site = av[i] + 4;
		else if (!strncmp(av[i], "keep=", 5) && atoi(av[i] + 5) > 0)
			plugin.keep = atoi(av[i] + 5);
		else
			slurm_error("stillpoint: plugstack.conf: unknown "
				    "argument %s",
				    av[i]);
	}
	for (int i = 0; plugin_options[i].name; i++)
		if (spank_option_register(sp, &plugin_options[i]) !=
		    ESPANK_SUCCESS)
			return -1;
	return 0;
}

/* What the user's environment says where no option was given. */
static int plugin_local_environment(const char *prefix)
{
	const char *restart = getenv("SLURM_RESTART_DIR"), *time, *dir;
	char time_name[32], dir_name[32];

	snprintf(time_name, sizeof(time_name), "%s_CHECKPOINT", prefix);
	snprintf(dir_name, sizeof(dir_name), "%s_CHECKPOINT_DIR", prefix);
	time = getenv(time_name);
	dir = getenv(dir_name);
	if (!plugin.wanted && time) {
		if (plugin_set_time(time, time_name))
			return -1;
		/* the job's processes see it: that is how it travels */
		setenv("SLURM_CHECKPOINT", time, 1);
	}
	if (!*plugin.dir && dir) {
		if (plugin_set_dir(plugin.dir, dir, dir_name))
			return -1;
		setenv("SLURM_CHECKPOINT_DIR", dir, 1);
	}
	if (!*plugin.restart_dir && restart &&
	    plugin_set_dir(plugin.restart_dir, restart, "SLURM_RESTART_DIR"))
		return -1;
	return 0;
}

int slurm_spank_init_post_opt(spank_t sp, int ac, char **av)
{
	spank_context_t context = spank_context();

	(void)sp;
	(void)ac;
	(void)av;
	if (context == S_CTX_LOCAL)
		return plugin_local_environment("SLURM");
	if (context != S_CTX_ALLOCATOR)
		return 0;
	return plugin_local_environment(
		strcmp(program_invocation_short_name, "salloc") ? "SBATCH" :
								  "SALLOC");
}

static void plugin_remote_environment(spank_t sp)
{
	char text[PATH_MAX];

	if (!plugin.wanted &&
	    spank_getenv(sp, "SLURM_CHECKPOINT", text, sizeof(text)) ==
		    ESPANK_SUCCESS)
		plugin_set_time(text, "SLURM_CHECKPOINT");
	if (!*plugin.dir &&
	    spank_getenv(sp, "SLURM_CHECKPOINT_DIR", text, sizeof(text)) ==
		    ESPANK_SUCCESS)
		plugin_set_dir(plugin.dir, text, "SLURM_CHECKPOINT_DIR");
	if (!*plugin.restart_dir &&
	    spank_getenv(sp, "SLURM_RESTART_DIR", text, sizeof(text)) ==
		    ESPANK_SUCCESS)
		plugin_set_dir(plugin.restart_dir, text, "SLURM_RESTART_DIR");
	if (!*plugin.dir && *plugin.site)
		plugin_set_dir(plugin.dir, plugin.site, "dir");
	if (!*plugin.dir &&
	    spank_getenv(sp, "SLURM_SUBMIT_DIR", text, sizeof(text) - 16) ==
		    ESPANK_SUCCESS) {
		strcat(text, "/checkpoint");
		plugin_set_dir(plugin.dir, text, "checkpoint directory");
	}
}

/* Takes our libraries out of LD_PRELOAD. */
static void plugin_unload(spank_t sp)
{
	char was[8192], now[8192], ours[2][PATH_MAX + 16], *save, *p;
	const char *libdir = spank_agent_path("CR_LIBDIR", LIBDIR);

	if (spank_getenv(sp, "LD_PRELOAD", was, sizeof(was)) != ESPANK_SUCCESS)
		return;
	snprintf(ours[0], sizeof(ours[0]), "%s/libcr_slurm.so", libdir);
	snprintf(ours[1], sizeof(ours[1]), "%s/libcr_mpi.so", libdir);
	*now = '\0';
	for (p = strtok_r(was, ": ", &save); p; p = strtok_r(NULL, ": ", &save))
		if (strcmp(p, ours[0]) && strcmp(p, ours[1])) {
			if (*now)
				strcat(now, ":");
			strcat(now, p);
		}
	if (*now)
		spank_setenv(sp, "LD_PRELOAD", now, 1);
	else
		spank_unsetenv(sp, "LD_PRELOAD");
}

/*
 * What the environment says of another job's checkpoints, if this one was
 * submitted from inside that job: its processes must not tell that job's
 * agent of themselves.  True if the environment is that of this job.
 */
static bool plugin_forget(spank_t sp, const char *own)
{
	static const char *const names[] = {
		CR_AGENT_SOCKET_ENV, CR_LAUNCHER_ENV, CR_TASK_ARGV0_ENV,
		CR_TASK_PATH_ENV, "CR_TASK_BATCH", "CR_RESTART_DIR",
		CR_RESTART_STEP_ENV, "SLURM_CHECKPOINT_IMAGE_DIR",
	};
	char path[PATH_MAX];

	if (spank_getenv(sp, CR_AGENT_SOCKET_ENV, path, sizeof(path)) !=
	    ESPANK_SUCCESS)
		return false;
	if (!strcmp(path, own))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		spank_unsetenv(sp, names[i]);
	plugin_unload(sp);
	return false;
}

/* Puts our libraries first; what was there stays. */
static void plugin_preload(spank_t sp)
{
	char was[8192], now[3 * PATH_MAX + 8192];
	const char *libdir = spank_agent_path("CR_LIBDIR", LIBDIR);

	snprintf(now, sizeof(now), "%s/libcr_slurm.so", libdir);
	if (!access(now, R_OK))
		snprintf(now, sizeof(now), "%s/libcr_slurm.so:%s/libcr_mpi.so",
			 libdir, libdir);
	if (access(strchr(now, ':') ? strchr(now, ':') + 1 : now, R_OK))
		snprintf(now, sizeof(now), "%s/libcr_slurm.so", libdir);
	if (spank_getenv(sp, "LD_PRELOAD", was, sizeof(was)) ==
		    ESPANK_SUCCESS &&
	    *was) {
		if (strstr(was, now))
			return; /* an inner srun of the job */
		strcat(now, ":");
		strcat(now, was);
	}
	spank_setenv(sp, "LD_PRELOAD", now, 1);
}

/* In slurmstepd, with the user's effective ids; once per step and node. */
int slurm_spank_user_init(spank_t sp, int ac, char **av)
{
	struct spank_agent a = { .keep = plugin.keep };
	uint32_t node = 1;
	char text[PATH_MAX + 64];

	(void)ac;
	(void)av;
	if (!spank_remote(sp))
		return 0;
	if (spank_get_item(sp, S_JOB_ID, &a.job) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_STEPID, &a.step) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_UID, &a.uid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_GID, &a.gid) != ESPANK_SUCCESS)
		return 0;
	plugin_remote_environment(sp);
	/* a step is saved with its job, or would begin anew at a restart */
	snprintf(text, sizeof(text), "/tmp/stillpoint-%d/%u/agent", (int)a.uid,
		 a.job);
	if (plugin_forget(sp, text) || spank_agent_listens(text)) {
		plugin.wanted = true;
		plugin.never = false;
	}
	if (!plugin.wanted || plugin.never || !*plugin.dir)
		return 0;
	if (spank_getenv(sp, "SLURM_HET_SIZE", text, sizeof(text)) ==
	    ESPANK_SUCCESS) {
		slurm_error("stillpoint: this job cannot be checkpointed: it "
			    "is a heterogeneous job");
		return 0;
	}
	a.period = plugin.period;
	a.dir = plugin.dir;
	a.site = plugin.site;
	if (spank_getenv(sp, "CR_AGENT_FAULT", text, sizeof(text)) ==
	    ESPANK_SUCCESS)
		snprintf(a.fault, sizeof(a.fault), "%s", text);
	spank_get_item(sp, S_JOB_NODEID, &node);
	a.first = node == 0;
	if (spank_agent_start(&a, text, sizeof(text))) {
		slurm_error("stillpoint: this job cannot be checkpointed: %s",
			    text);
		return 0;
	}
	plugin.ready = true;
	snprintf(text, sizeof(text), "/tmp/stillpoint-%d/%u/agent", (int)a.uid,
		 a.job);
	spank_setenv(sp, CR_AGENT_SOCKET_ENV, text, 1);
	snprintf(text, sizeof(text), "%s/%u", plugin.dir, a.job);
	spank_setenv(sp, "SLURM_CHECKPOINT_IMAGE_DIR", text, 1);
	plugin_preload(sp);
	return 0;
}

/* In the task, as the user, just before it becomes the program. */
int slurm_spank_task_init(spank_t sp, int ac, char **av)
{
	static char path[PATH_MAX];
	uint32_t step = 0;
	int argc;
	char **argv;

	(void)ac;
	(void)av;
	if (!plugin.ready ||
	    spank_get_item(sp, S_JOB_ARGV, &argc, &argv) != ESPANK_SUCCESS ||
	    argc < 1)
		return 0;
	snprintf(path, sizeof(path), "%s/cr_task",
		 spank_agent_path("CR_LIBEXEC", PKGLIBEXECDIR));
	if (access(path, X_OK)) {
		slurm_error("stillpoint: %s: %s", path, strerror(errno));
		return 0;
	}
	spank_get_item(sp, S_JOB_STEPID, &step);
	spank_setenv(sp, CR_TASK_ARGV0_ENV, argv[0], 1);
	spank_setenv(sp, CR_TASK_PATH_ENV, path, 1);
	if (step == SPANK_AGENT_BATCH_STEP)
		spank_setenv(sp, "CR_TASK_BATCH", "1", 1);
	else
		spank_unsetenv(sp, "CR_TASK_BATCH");
	if (*plugin.restart_dir)
		spank_setenv(sp, "CR_RESTART_DIR", plugin.restart_dir, 1);
	argv[0] = path;
	return 0;
}

/* The names of a task of a step for the agent, and where that listens. */
static bool plugin_task(spank_t sp, struct cr_register *m, char path[64])
{
	uint32_t job, step, rank, size, uid;

	if (!plugin.ready ||
	    spank_get_item(sp, S_JOB_ID, &job) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_STEPID, &step) != ESPANK_SUCCESS ||
	    step == SPANK_AGENT_BATCH_STEP ||
	    spank_get_item(sp, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_TASK_GLOBAL_ID, &rank) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_TOTAL_TASK_COUNT, &size) !=
		    ESPANK_SUCCESS)
		return false;
	m->rank = rank;
	m->size = size;
	snprintf(m->world, sizeof(m->world), "%u.%u", job, step);
	snprintf(path, 64, "/tmp/stillpoint-%u/%u/agent", uid, job);
	return true;
}

/*
 * In slurmstepd, before the task may run: whether it then says a word to the
 * agent or not, it is known that it is there.
 */
int slurm_spank_task_post_fork(spank_t sp, int ac, char **av)
{
	struct cr_register m = { .kind = CR_REGISTER_STARTED };
	char path[64], launcher[16];
	pid_t pid;

	(void)ac;
	(void)av;
	if (!plugin_task(sp, &m, path) ||
	    spank_get_item(sp, S_TASK_PID, &pid) != ESPANK_SUCCESS)
		return 0;
	if (spank_getenv(sp, CR_LAUNCHER_ENV, launcher, sizeof(launcher)) ==
	    ESPANK_SUCCESS)
		m.launcher = atoi(launcher);
	m.value = pid;
	cr_register_send(path, &m, NULL, 500);
	return 0;
}

/* In slurmstepd: how a task has ended. */
int slurm_spank_task_exit(spank_t sp, int ac, char **av)
{
	struct cr_register m = { .kind = CR_REGISTER_EXIT };
	char path[64];
	int status;

	(void)ac;
	(void)av;
	if (!plugin_task(sp, &m, path) ||
	    spank_get_item(sp, S_TASK_EXIT_STATUS, &status) != ESPANK_SUCCESS)
		return 0;
	m.value = status;
	cr_register_send(path, &m, NULL, 500);
	return 0;
}
