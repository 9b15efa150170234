#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A tree that forks, runs commands and exits without a pause is saved and restored, its libcr asked.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
# Four processes; each makes a child that makes another one and leaves it, and
# runs a command.  All have libcr, and end or become another program while
# they are asked.
cc_prog storm - -lcr "-Wl,-rpath,$CR_PREFIX/lib" <<'END'
#include <libcr.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

static int callback(void *arg)
{
	return cr_checkpoint(CR_CHECKPOINT_READY) < 0 ? -1 : 0;
}

int main(void)
{
	int fd = open("count", O_RDWR);
	volatile long *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				    MAP_SHARED, fd, 0);
	pid_t pid;
	int i, status;

	if (cr_init() < 0 ||
	    cr_register_callback(callback, NULL, CR_THREAD_CONTEXT) < 0)
		return 2;
	for (i = 0; i < 4; i++) {
		if (fork())
			continue;
		while (!count[1]) {
			pid = fork();
			if (pid == 0)
				_exit(fork() < 0);
			if (pid < 0 || waitpid(pid, &status, 0) != pid ||
			    status || system("exit 3") != 3 << 8)
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
