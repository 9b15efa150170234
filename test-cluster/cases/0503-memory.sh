#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every kind of memory, shared descriptors, limits: checked by the program after checkpoints and restarts.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
cc_prog memory "$CR_SRC/test-cluster/cases/memory.c"

# good: has $pid check itself for the next time
good() {
	n=$((n + 1))
	kill -USR1 "$pid"
	wait_for 'grep -q "^good $n\$" out || gone $pid' 20
	grep -q "^good $n\$" out || fail "check $n: $(cat out)"
}

# rounds COMMAND...: the user's way to run things
rounds() {
	local i status=0
	n=0
	rm -rf dir
	mkdir -m 777 dir
	cd dir
	: >out
	chmod 666 out
	"$@" setsid ../memory >>out 2>&1 </dev/null &
	wait_for 'grep -q ready out' 20
	pid=$(first_of memory)
	for i in 1 2 3 4 5; do
		"$@" cr_checkpoint -f img "$pid" || fail "checkpoint $i"
		good
	done
	for i in 1 2 3 4; do
		"$@" cr_checkpoint --kill -f img "$pid" || fail "save $i"
		wait $! 2>/dev/null || true
		"$@" timeout 60 cr_restart img 2>err &
		wait_for '[ -n "$(first_of memory)" ] || gone $!' 20
		! gone $! || fail "restart $i: $(cat err)"
		pid=$(first_of memory)
		good
	done
	kill -TERM "$pid"
	wait $! || status=$?
	[ $status = 7 ] || fail "status $status: $(cat err out)"
	cd ..
}

rounds env
[ "$(id -u)" != 0 ] || rounds as_user
