#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The two-generation thread program restarts 200 times, from random moments.
# time limit: 400
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
need_choose_ids
enter_pidns
tmpdir
cc_prog crthreadtest "$CR_SRC/examples/crthreadtest.c"

runs=${CR_TEST_RUNS:-200} pause=$((4 * ${CR_TEST_PATIENCE:-1}))
done=0
while [ $done -lt "$runs" ]; do
	rm -f out image
	setsid ./crthreadtest $pause >out 2>&1 </dev/null &
	PID=$!
	sleep 0.$(printf %03d $((RANDOM % (pause * 22))))
	if ! cr_checkpoint --kill -f image $PID 2>err; then
		# it may have ended, or not be the program yet
		status=0
		wait $PID || status=$?
		[ $status = 7 ] || fail "checkpoint: $(cat err)"
		continue
	fi
	wait $PID 2>/dev/null || true
	[ "$(cat /proc/$PID/comm 2>/dev/null)" != crthreadtest ] ||
		fail "$PID was not killed"
	if [ ! -s out ]; then
		continue # caught before it was the program
	fi
	restart_is 7 --restore-pid image
	# 1 + 20 + 1 + 20 lines, all of the right process
	[ "$(wc -l <out)" = 42 ] || fail "run $done: $(wc -l <out) lines"
	[ "$(grep -c "^main $PID" out)" = 2 ] || fail "run $done: $(cat out)"
	ids=$(sed -n "s/^main $PID, threads //p" out)
	for id in $ids; do
		[ "$(grep -c "thread $id," out)" = 10 ] ||
			fail "run $done: thread $id: $(cat out)"
	done
	[ -z "$(running crthreadtest)" ] || fail "run $done: leftovers"
	done=$((done + 1))
done
note "$done restarts"
