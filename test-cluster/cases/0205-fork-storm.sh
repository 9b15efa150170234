#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A tree that forks and exits without a pause is stopped, saved and restored all the same.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
# Eight processes; each makes a child that makes another one and leaves it.
cat >storm.c <<'END'
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
gcc -O2 -o storm storm.c
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
