/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test.h - for the test programs of the lower half */
#ifndef CR_LOWER_TEST_H
#define CR_LOWER_TEST_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mpi/lower/lower.h"

extern char **environ;

#define CHECK(condition)                                             \
	do {                                                         \
		if (!(condition)) {                                  \
			fprintf(stderr, "%s:%d: %s\n", __FILE__,     \
				__LINE__, #condition);               \
			_exit(1);                                    \
		}                                                    \
	} while (0)

/* What the process has. */
struct census {
	int fds, tasks, maps, arena_maps;
};

static inline int count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static inline void take_census(struct census *c)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4352];
	unsigned long start;

	CHECK(f);
	c->maps = c->arena_maps = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-", &start) == 1 &&
		    cr_lower_owns((void *)start))
			c->arena_maps++;
		else
			c->maps++;
	}
	fclose(f);
	c->fds = count_entries("/proc/self/fd") - 1;
	c->tasks = count_entries("/proc/self/task");
}

#endif
