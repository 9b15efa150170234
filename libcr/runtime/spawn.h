/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spawn.h - start a command that is no child of the program */
#ifndef CR_SPAWN_H
#define CR_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#define CR_SPAWN_FDS 6

struct cr_spawn {
	const char *path;
	char *const *argv, *const *envp;
	int fd[CR_SPAWN_FDS]; /* what becomes 0, 1, ...; -1: closed */
	bool child;
};

/*
 * Starts it in a session of its own as an orphan: the program gets no child,
 * no SIGCHLD and no copy of its memory.  It may trace this process where
 * Yama restricts that.  With "child" it becomes an ordinary child instead.
 * Its id, or -errno (also that of execve, which leaves nothing behind).
 */
pid_t cr_spawn(const struct cr_spawn *spawn);

#endif
