#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Twenty generations in a row: no map, thread or descriptor more.
# time limit: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
need_choose_ids
enter_pidns
tmpdir
cc_prog busy - <<'END'
/* busy.c - threads that allocate and free while main counts */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *churn(void *arg)
{
	for (;;) {
		char *p = malloc(1 << 18);

		memset(p, 1, 1 << 18);
		usleep(1000);
		free(p);
	}
	return NULL;
}

int main(void)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, churn, NULL);
	for (long i = 0;; i++) {
		printf("%ld ready\n", i);
		fflush(stdout);
		usleep(10000);
	}
}
END

look() {
	echo "$(cut -d' ' -f1-2 "/proc/$1/maps" | sort | md5sum)" \
		"$(ls "/proc/$1/task" | wc -l)" "$(ls "/proc/$1/fd" | wc -l)"
}
is_running() {
	[ "$(sed -n 's/^TracerPid:[[:space:]]*//p' "/proc/$1/status" \
		2>/dev/null)" = 0 ] && [ "$(cat "/proc/$1/comm")" = busy ]
}

start ./busy
id=$PID
first=$(look "$id")
for generation in $(seq "${CR_TEST_RUNS:-20}"); do
	cr_checkpoint --kill -f image "$id"
	wait "$PID" 2>/dev/null || true
	size=$(stat -c %s out)
	cr_restart --restore-pid image 2>err &
	PID=$!
	wait_for 'is_running $id || gone $PID' 20
	! gone "$PID" || fail "generation $generation: $(cat err)"
	wait_for '[ $(stat -c %s out) -gt $size ]' 20
	now=$(look "$id")
	[ "$now" = "$first" ] || fail "generation $generation: $first; $now"
done
kill "$id"
status=0
wait "$PID" || status=$?
[ $status = 143 ] || fail "cr_restart did not die of SIGTERM: $status"
# every number once, in order
sed 's/ ready//' out | awk '$1 != NR - 1 { exit 1 }' ||
	fail "the output has a gap"
