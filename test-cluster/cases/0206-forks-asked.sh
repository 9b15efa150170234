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
truncate -s 4096 count
forks() { od -An -td8 -N8 count | tr -d ' '; }
goes_on() {
	local end
	end=$(($(forks) + 100))
	wait_for '[ "$(forks)" -gt $end ]' 20
}

setsid ./storm </dev/null >out 2>&1 &
pid=$!
at_exit "kill -9 -$pid 2>/dev/null"
goes_on
for ((i = 0; i < ${CR_TEST_RUNS:-5}; i++)); do
	cr_checkpoint -f image "$pid"
	goes_on
done
kill -9 -- -"$pid"
wait "$pid" || true
wait_for '! kill -0 -- -"$pid" 2>/dev/null' 20
for option in $(pid_options); do
	cr_restart "$option" image &
	restart=$!
	goes_on
	printf '\1' | dd of=count bs=1 seek=8 conv=notrunc status=none
	wait "$restart"
	printf '\0' | dd of=count bs=1 seek=8 conv=notrunc status=none
done
