#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of the tracer at any moment, in the middle of a remote call too: the program runs on.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
cc_prog careful "$CR_SRC/test-cluster/cases/careful.c"
cc_prog killer "$CR_SRC/test-cluster/cases/killer.c"

setsid ./careful </dev/null >out 2>&1 &
pid=$!
at_exit "kill -9 $pid 2>/dev/null"
wait_for 'grep -q ready out' 20

# How long a checkpoint takes here, in microseconds.
t0=$(date +%s%N)
cr_checkpoint -q -f image "$pid"
whole=$((($(date +%s%N) - t0) / 1000))

killed=0 runs=${CR_TEST_RUNS:-150}
for ((i = 0; i < runs; i++)); do
	usec=$((whole * (i % 50) / 50 + RANDOM % 200))
	! ./killer $usec cr_checkpoint -q -f image "$pid" 2>/dev/null ||
		killed=$((killed + 1))
	! gone $pid || fail "the program died in run $i: $(tail -n 3 out)"
	[ "$(cat out)" = ready ] || fail "run $i: $(cat out)"
done
note "$killed of $runs killed"
[ $killed -gt $((runs / 4)) ]
grep -q '^TracerPid:[[:space:]]*0$' "/proc/$pid/status"

# Each thread has gone round again after the last one.
kill -TERM $pid
status=0
wait $pid || status=$?
[ $status = 7 ] || fail "status $status: $(cat out)"
