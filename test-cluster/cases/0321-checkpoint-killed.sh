#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cr_checkpoint killed or interrupted at any moment: the program runs on.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir

cc_prog ticker - <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static void *tick(void *arg)
{
	struct timespec t;
	for (;;) {
		t = (struct timespec){0, 2000000};
		if (nanosleep(&t, NULL))
			puts("disturbed");
	}
}
int main(void)
{
	size_t n = 32 << 20;
	volatile char *p = malloc(n);
	pthread_t th[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&th[i], NULL, tick, NULL);
	for (size_t k = 0; k < n; k += 4096)
		p[k] = 1;
	for (long i = 0;; i++) {
		usleep(1000);
		if (waitpid(-1, NULL, __WALL) != -1)
			puts("a child");
		printf("%ld\n", i);
		fflush(stdout);
	}
}
C
mkdir images
setsid ./ticker </dev/null >out 2>&1 &
pid=$!
at_exit "kill -9 $pid 2>/dev/null"
wait_for '[ -s out ]' 20

helper_gone() {
	local f
	for f in /proc/[0-9]*; do
		[ "$(cat "$f/comm" 2>/dev/null)" != cr_tracer ] ||
			gone "${f#/proc/}" || return 1
	done
}

complete=0 runs=${CR_TEST_RUNS:-60}
for ((i = 0; i < runs; i++)); do
	rm -f images/*
	cr_checkpoint -q -f images/image "$pid" &
	command=$!
	sleep "0.$(printf %03d $((300 * i * i / runs / runs)))"
	case $((i % 3)) in
	0) kill -9 $command 2>/dev/null || true ;;
	1) kill -INT $command 2>/dev/null || true ;;
	2) kill -TERM $command 2>/dev/null || true ;;
	esac
	wait $command || true
	wait_for helper_gone 20
	if [ -e images/image ]; then
		cr_info --verify images/image >/dev/null
		complete=$((complete + 1))
	fi
	[ -z "$(ls -A images | grep -vx image)" ] || fail "left: $(ls images)"
	before=$(wc -l <out)
	wait_for '[ "$(wc -l <out)" -gt "$before" ]' 20
	grep -q '^TracerPid:[[:space:]]*0$' "/proc/$pid/status"
done
note "$complete of $i complete"
must_fail grep '[a-z]' out
[ "$(cat /proc/$pid/task/*/children)" = "" ] || fail "children left"

note "the time is over"
must_fail cr_checkpoint -q -t 0.0001 -f images/late "$pid"
[ ! -e images/late ]

note "--term: only once the file is complete"
cr_checkpoint --term -f images/last "$pid"
cr_info --verify images/last >/dev/null
status=0
wait "$pid" || status=$?
[ $status = 143 ] || fail "status $status"
