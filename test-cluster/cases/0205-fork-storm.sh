#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A tree that forks and exits without a pause is stopped, saved and restored all the same.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
# Eight processes; each makes a child that makes another one and leaves it.
cc_prog storm - <<'END'
#include <sys/mman.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

int main(void)
{
	int fd = open("count", O_RDWR);
	volatile long *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				    MAP_SHARED, fd, 0);
	pid_t pid;
	int i, status;

	for (i = 0; i < 8; i++) {
		if (fork())
			continue;
		while (!count[1]) {
			pid = fork();
			if (pid == 0)
				_exit(fork() < 0);
			if (pid < 0 || waitpid(pid, &status, 0) != pid ||
			    status)
				_exit(1);
			__sync_fetch_and_add(count, 1);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		if (status)
			return 1;
	return 0;
}
END
. "$CR_SRC/test-cluster/cases/storm.sh"
storm
