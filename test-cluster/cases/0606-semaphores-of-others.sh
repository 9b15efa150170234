#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Semaphores that others make and remove all the time are no obstacle to a checkpoint.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
need_root
tmpdir
cat >others.c <<'END'
#include <signal.h>
#include <sys/sem.h>

static volatile sig_atomic_t ended;

static void end(int sig)
{
	ended = 1;
}

int main(void)
{
	int id[16], i;

	signal(SIGTERM, end);
	while (!ended) {
		for (i = 0; i < 16; i++)
			id[i] = semget(IPC_PRIVATE, 200, 0600);
		for (i = 0; i < 16; i++)
			semctl(id[i], 0, IPC_RMID);
	}
	return 0;
}
END
gcc -O2 -o others others.c
sleep infinity </dev/null >/dev/null 2>&1 &
pid=$!
at_exit "kill -9 $pid 2>/dev/null"
./others &
others=$!
at_exit "kill $others && wait $others"
for ((i = 0; i < ${CR_TEST_RUNS:-20}; i++)); do
	cr_checkpoint -f image "$pid"
done
