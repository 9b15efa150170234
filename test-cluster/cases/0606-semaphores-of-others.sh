#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Semaphores of others: made and removed all the time they are no obstacle, and what nobody used stays so.
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

# otime SET: when it was last operated on
otime() { awk -v id="$1" '$2 == id { print $(NF - 1) }' /proc/sysvipc/sem; }

# with threads it has a list of adjustments, whose end would tell
cc_prog threads - <<'END'
#include <pthread.h>
#include <unistd.h>

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

int main(void)
{
	pthread_t t;

	pthread_create(&t, NULL, wait_for_ever, NULL);
	wait_for_ever(NULL);
	return 0;
}
END
set=$(ipcmk -S 2 | grep -o '[0-9]*$')
at_exit "ipcrm -s $set"
[ "$(otime "$set")" = 0 ] || fail "a new set was used at $(otime "$set")"
./threads </dev/null >/dev/null 2>&1 &
pid=$!
at_exit "kill -9 $pid 2>/dev/null"
wait_for '[ "$(ls /proc/'$pid'/task | wc -l)" = 2 ]' 10
cr_checkpoint -f image "$pid"
kill -9 $pid
wait $pid || true
[ "$(otime "$set")" = 0 ] || fail "the end of a process has touched the set"
