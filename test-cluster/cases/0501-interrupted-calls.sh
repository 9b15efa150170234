#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A signal that waits for a process inside a call ends this call after a restart too.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
cc_prog interrupted "$CR_SRC/test-cluster/cases/interrupted.c"

# state PID: its state letter; sleeping: it waits in its call
state() { sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status"; }

for call in pause poll polltime read sigsuspend nanosleep; do
	start ./interrupted $call
	wait_for '[ "$(state $PID)" = S ]' 10
	# held back by a stop, the signal is there and not yet delivered
	kill -STOP "$PID"
	wait_for '[ "$(state $PID)" = T ]' 10
	kill -USR1 "$PID"
	save img

	timeout $((30 * ${CR_TEST_PATIENCE:-1})) cr_restart img 2>err &
	wait_for '[ -n "$(running interrupted)" ] || gone $!' 10
	pid=$(running interrupted)
	wait_for '[ "$(state $pid)" = T ] || gone $!' 10
	! gone $! || fail "$call: $(cat err out)"
	kill -CONT "$pid"
	status=0
	wait $! || status=$?
	[ $status = 7 ] || fail "$call: status $status: $(cat err out)"
done
