#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Threads in blocking calls, children, signals and timers notice no checkpoint and no restart.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
cc_prog blocking "$CR_SRC/test-cluster/cases/blocking.c"
cc_prog oneshot "$CR_SRC/test-cluster/cases/oneshot.c"

# up NAME: the process runs, and nobody holds it
up() {
	[ "$(cat "/proc/$PID/comm" 2>/dev/null)" = "$1" ] &&
		grep -q '^TracerPid:.*[^0-9]0$' "/proc/$PID/status"
}

# get_on PROGRAM N M: N checkpoints on continue, M restarts, each from the last
get_on() {
	local name=$1 i status=0
	start "./$name"
	for ((i = 0; i < $2; i++)); do
		cr_checkpoint -f img "$PID" || fail "checkpoint $i"
		! gone "$PID" || fail "after checkpoint $i: $(cat out)"
	done
	save img
	wait_for '[ -z "$(running $name)" ]' 10
	for ((i = 0; i < $3; i++)); do
		timeout 60 cr_restart --restore-pid img 2>err &
		wait_for 'up $name || gone $!' 10
		up "$name" || fail "restart $i: $(cat err out)"
		cr_checkpoint -f img "$PID" ||
			fail "restart $i: $(cat err out)"
		[ $((i + 1)) != "$3" ] || break
		kill -9 "$PID"
		wait $! 2>/dev/null || true
		# its children end by themselves; until then their ids are taken
		wait_for '[ -z "$(running $name)" ]' 10
	done
	kill -TERM "$PID"
	wait $! || status=$?
	[ $status = 7 ] || fail "$name: status $status: $(cat err out)"
}

runs=${CR_TEST_RUNS:-100}
restarts=$((runs < 8 ? runs : 8))
get_on blocking "$runs" "$restarts"
get_on oneshot "$((runs < 30 ? runs : 30))" "$restarts"
