/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kill.c - leaves nothing of a tree behind */
#include "restore/kill.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/procfs.h"

int cr_children(pid_t **children, size_t *n)
{
	struct cr_procfs_stat st;
	pid_t self = getpid();
	int32_t *pids;
	size_t all, i;
	int ret;

	*children = NULL;
	*n = 0;
	ret = cr_procfs_pids(&pids, &all);
	if (ret)
		return ret;
	for (i = 0; i < all; i++)
		if (!cr_procfs_stat(pids[i], &st) && st.ppid == self)
			pids[(*n)++] = pids[i];
	*children = pids;
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
