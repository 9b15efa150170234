/* SPDX-License-Identifier: GPL-2.0-or-later */
/* procs.c - a look at the processes of the node, and who belongs to whom */
#include "plugins/slurm/agent/procs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cr_proc_read(struct cr_proc *p, pid_t pid)
{
	char path[32], buf[1024], *open_par, *close_par;
	unsigned long long start;
	ssize_t n;
	int fd, ppid;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ESRCH;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	buf[n] = '\0';
	open_par = strchr(buf, '(');
	close_par = strrchr(buf, ')'); /* the name may have one in it */
	if (!open_par || !close_par || close_par < open_par)
		return -EPROTO;
	*close_par = '\0';
	memset(p, 0, sizeof(*p));
	strncpy(p->comm, open_par + 1, sizeof(p->comm) - 1);
	if (sscanf(close_par + 1,
		   " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d "
		   "%*d %*d %*d %*d %*d %llu",
		   &p->state, &ppid, &start) != 3)
		return -EPROTO;
	p->pid = pid;
	p->ppid = ppid;
	p->start = start;
	return 0;
}

int cr_procs_load(struct cr_procs *t)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	size_t size = 0;

	memset(t, 0, sizeof(*t));
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		if (t->n == size) {
			struct cr_proc *p;

			size = size ? 2 * size : 256;
			p = realloc(t->p, size * sizeof(*p));
			if (!p) {
				closedir(d);
				cr_procs_free(t);
				return -ENOMEM;
			}
			t->p = p;
		}
		if (!cr_proc_read(&t->p[t->n], atoi(e->d_name)))
			t->n++;
	}
	closedir(d);
	return 0;
}

void cr_procs_free(struct cr_procs *t)
{
	free(t->p);
	t->p = NULL;
	t->n = 0;
}

const struct cr_proc *cr_procs_find(const struct cr_procs *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->p[i].pid == pid)
			return &t->p[i];
	return NULL;
}

static const char *procs_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool procs_in(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(name, *list))
			return true;
	return false;
}

static bool procs_exe(pid_t pid, char exe[PATH_MAX])
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, exe, PATH_MAX - 1);
	if (n < 0)
		return false;
	exe[n] = '\0';
	return true;
}

static void procs_argv0(pid_t pid, char argv0[PATH_MAX])
{
	char path[32];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, argv0, PATH_MAX - 1);
		close(fd);
	}
	argv0[n < 0 ? 0 : n] = '\0';
}

static bool procs_named(pid_t pid, const char *exe, const char *const *list)
{
	char argv0[PATH_MAX], link[PATH_MAX];

	if (!exe && procs_exe(pid, link))
		exe = link;
	if (exe && procs_in(procs_base(exe), list))
		return true;
	procs_argv0(pid, argv0);
	return procs_in(procs_base(argv0), list);
}

bool cr_proc_is_launcher(pid_t pid, const char *exe)
{
	static const char *const names[] = { "srun",	"mpirun",  "mpiexec",
					     "orterun", "prterun", NULL };

	return procs_named(pid, exe, names);
}

bool cr_proc_forks_ranks(pid_t pid)
{
	static const char *const names[] = { "mpirun", "mpiexec", "orterun",
					     "prterun", NULL };

	return procs_named(pid, NULL, names);
}

bool cr_proc_is_restart(pid_t pid)
{
	char exe[PATH_MAX];

	return procs_exe(pid, exe) && !strcmp(procs_base(exe), "cr_restart");
}

static const struct cr_proc *procs_first_child(const struct cr_procs *t,
					       pid_t pid)
{
	const struct cr_proc *first = NULL;

	for (size_t i = 0; i < t->n; i++)
		if (t->p[i].ppid == pid &&
		    (!first || t->p[i].start < first->start ||
		     (t->p[i].start == first->start &&
		      t->p[i].pid < first->pid)))
			first = &t->p[i];
	return first;
}

pid_t cr_procs_target(const struct cr_procs *t, pid_t pid)
{
	const struct cr_proc *p;

	while (pid && cr_proc_is_restart(pid)) {
		p = procs_first_child(t, pid);
		pid = p ? p->pid : 0;
	}
	return pid;
}
