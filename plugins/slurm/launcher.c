/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * launcher.c - libcr_slurm.so, preloaded into every process of the job, does
 * something in launchers only (srun, mpirun, ...), before their main(), and
 * in tasks of srun --multi-prog
 *
 * - CR_LAUNCHER: by which command of the script a rank was started;
 * - in a restored script's launchers, SLURM_* variables are those of the
 *   allocation of now, unless the script itself has changed them;
 * - a launcher that is run anew by a restart learns which step it is to
 *   bring back (CR_RESTART_STEP).
 * - a task that slurmstepd has not started through cr_task goes that way now.
 * doc/job-protocol.md, "Restart".  Uses libc only; on any doubt it does
 * nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/slurm/register.h"

#define LAUNCHER_FILE_MAX (1 << 20)

static const char *launcher_exe(char exe[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", exe, PATH_MAX - 1);
	const char *base;

	exe[n < 0 ? 0 : n] = '\0';
	base = strrchr(exe, '/');
	return base ? base + 1 : exe;
}

static bool launcher_am_i(void)
{
	static const char *const names[] = { "srun",	"mpirun",  "mpiexec",
					     "orterun", "prterun", NULL };
	char exe[PATH_MAX];
	const char *base = launcher_exe(exe);

	for (int i = 0; names[i]; i++)
		if (!strcmp(base, names[i]) ||
		    !strcmp(program_invocation_short_name, names[i]))
			return true;
	return false;
}

static char *launcher_read(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	char *buf = NULL;
	ssize_t n = 0;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    st.st_uid == geteuid() && st.st_size < LAUNCHER_FILE_MAX)
		buf = malloc(st.st_size + 1);
	*len = 0;
	while (buf && *len < (size_t)st.st_size &&
	       (n = read(fd, buf + *len, st.st_size - *len)) > 0)
		*len += n;
	close(fd);
	if (buf)
		buf[*len] = '\0';
	return buf;
}

/* The value of name among NUL-terminated strings from p on, up to an empty
 * one or end. */
static const char *launcher_find(const char *p, const char *end,
				 const char *name, size_t n)
{
	for (; p < end && *p; p += strlen(p) + 1)
		if (!strncmp(p, name, n) && p[n] == '=')
			return p + n + 1;
	return NULL;
}

static void launcher_apply(const char *was, const char *now, const char *end)
{
	char name[256];

	for (const char *p = now; p < end && *p; p += strlen(p) + 1) {
		const char *value = strchr(p, '='), *old, *cur;

		if (!value || (size_t)(value - p) >= sizeof(name))
			continue;
		memcpy(name, p, value - p);
		name[value - p] = '\0';
		old = launcher_find(was, now, name, value - p);
		cur = getenv(name);
		if (old ? cur && !strcmp(cur, old) : !cur)
			setenv(name, value + 1, 1);
	}
	for (const char *p = was; p < now && *p; p += strlen(p) + 1) {
		const char *value = strchr(p, '='), *cur;

		if (!value || (size_t)(value - p) >= sizeof(name) ||
		    launcher_find(now, end, p, value - p))
			continue;
		memcpy(name, p, value - p);
		name[value - p] = '\0';
		cur = getenv(name);
		if (cur && !strcmp(cur, value + 1))
			unsetenv(name);
	}
}

/* The file: what the job began with, an empty string, what there is now. */
static void launcher_refresh(void)
{
	const char *agent = getenv(CR_AGENT_SOCKET_ENV), *p;
	char path[PATH_MAX], *slash, *buf;
	size_t len;

	if (!agent || strlen(agent) >= sizeof(path) - 16)
		return;
	strcpy(path, agent);
	slash = strrchr(path, '/');
	if (!slash)
		return;
	strcpy(slash, "/environment");
	buf = launcher_read(path, &len);
	if (!buf)
		return;
	for (p = buf; p < buf + len && *p; p += strlen(p) + 1)
		;
	if (p < buf + len)
		launcher_apply(buf, p + 1, buf + len);
	free(buf);
}

/*
 * Which world this launcher had: "PID WORLD" lines, written beside the
 * manifest's "launchers" (gen-N/launchers).
 */
static void launcher_restart(void)
{
	const char *dir = getenv("CR_RESTART_GENERATION");
	char path[PATH_MAX], step[PATH_MAX], world[256], *buf, *save;
	size_t len;
	int pid;

	if (!dir || strlen(dir) >= sizeof(path) - 16)
		return;
	sprintf(path, "%s/launchers", dir);
	buf = launcher_read(path, &len);
	if (!buf) {
		/* to begin a step anew that has been saved would be wrong */
		fprintf(stderr, "stillpoint: cannot read %s\n", path);
		_exit(1);
	}
	for (char *l = *buf ? strtok_r(buf, "\n", &save) : NULL; l;
	     l = strtok_r(NULL, "\n", &save)) {
		if (sscanf(l, "%d %255s", &pid, world) != 2 || pid != getpid())
			continue;
		if (snprintf(step, sizeof(step), "%s/%s", dir, world) <
		    (int)sizeof(step))
			setenv(CR_RESTART_STEP_ENV, step, 1);
		setenv("SLURM_OPEN_MODE", "append", 0);
	}
	free(buf);
	unsetenv("CR_RESTART_GENERATION");
}

/*
 * The SPANK plugin cannot put cr_task in front of the programs of
 * --multi-prog: they come here instead.  cr_task starts them once more.  The
 * environment is made by hand: bash's setenv() does not change what it has
 * been given.
 */
static void launcher_multi_prog(char **argv, char **envp)
{
	static const char name[] = CR_TASK_ARGV0_ENV "=";
	const char *path = getenv(CR_TASK_PATH_ENV);
	char exe[PATH_MAX], own[sizeof(name) + PATH_MAX], **env;
	size_t n = 0, at;

	if (!path || !argv || !argv[0] || strlen(argv[0]) >= PATH_MAX ||
	    !strcmp(launcher_exe(exe), "cr_task"))
		return;
	while (envp[n])
		n++;
	for (at = 0; at < n; at++)
		if (!strncmp(envp[at], name, sizeof(name) - 1))
			break;
	env = at < n ? malloc((n + 1) * sizeof(*env)) : NULL;
	if (!env)
		return;
	memcpy(env, envp, (n + 1) * sizeof(*env));
	strcpy(own, name);
	strcat(own, argv[0]);
	env[at] = own;
	execve(path, argv, env);
	fprintf(stderr, "stillpoint: %s: %s\n", path, strerror(errno));
	_exit(127);
}

__attribute__((constructor)) static void launcher_init(int argc, char **argv,
						       char **envp)
{
	char pid[16];

	(void)argc;
	if (!getenv(CR_AGENT_SOCKET_ENV))
		return;
	launcher_multi_prog(argv, envp);
	if (!launcher_am_i())
		return;
	launcher_refresh();
	launcher_restart();
	if (!getenv(CR_LAUNCHER_ENV)) {
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		setenv(CR_LAUNCHER_ENV, pid, 1);
	}
}
