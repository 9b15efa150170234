/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kill.c - leaves nothing of a tree behind */
#include "restore/kill.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t parent_of(pid_t pid)
{
	char path[64], line[512], *p;
	pid_t ppid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	p = fgets(line, sizeof(line), f);
	fclose(f);
	p = p ? strrchr(line, ')') : NULL;
	if (!p || sscanf(p + 1, " %*c %d", &ppid) != 1)
		return 0;
	return ppid;
}

int cr_children(pid_t **children, size_t *n)
{
	pid_t self = getpid(), pid, *more;
	DIR *d = opendir("/proc");
	struct dirent *e;

	*children = NULL;
	*n = 0;
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		pid = atoi(e->d_name);
		if (parent_of(pid) != self)
			continue;
		more = realloc(*children, (*n + 1) * sizeof(pid));
		if (!more) {
			closedir(d);
			return -ENOMEM;
		}
		*children = more;
		more[(*n)++] = pid;
	}
	closedir(d);
	return 0;
}

static bool gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

static bool is_among(pid_t pid, const pid_t *list, size_t n)
{
	while (n)
		if (list[--n] == pid)
			return true;
	return false;
}

/*
 * Waits until those in the list are gone.  A tracer has to take what its
 * dead threads report as well, or their process never ends.
 */
static void reap_all(pid_t *list, size_t n, bool anybody)
{
	while (n) {
		pid_t pid = waitpid(anybody ? -1 : list[n - 1], NULL, __WALL);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0 && anybody)
			return;
		if (pid < 0)
			n--;
		for (size_t i = 0; pid > 0 && i < n; i++)
			if (list[i] == pid && gone(pid)) {
				list[i] = list[--n];
				break;
			}
	}
}

void cr_kill_descendants(const pid_t *but, size_t n_but)
{
	pid_t *children;
	size_t n, k;

	/* A child's children become ours when it dies: we are subreaper. */
	do {
		if (cr_children(&children, &n) < 0)
			return;
		for (size_t i = k = 0; i < n; i++) {
			if (is_among(children[i], but, n_but))
				continue;
			kill(children[i], SIGKILL);
			children[k++] = children[i];
		}
		reap_all(children, k, !n_but);
		free(children);
	} while (k);
}
