#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cr_restart stands for the program: signals, exit status, death by signal.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
need_choose_ids
enter_pidns
tmpdir
cc_prog ticker "$CR_SRC/test-cluster/cases/ticker.c"
start ./ticker log
save image
# one that is in the session and group of its shell, and so of cr_restart
./ticker joblog >jobout 2>&1 </dev/null &
PID=$!
wait_for 'grep -q ready jobout' 10
save job

# ticks: the program runs (its log grows)
ticks() { # LOG
	local n
	n=$(stat -c %s "${1:-log}")
	wait_for "[ \$(stat -c %s ${1:-log}) -gt $n ]" 10
}
is_there() { wait_for '[ -n "$(running ticker)" ] || gone $front' 10; ! gone $front || fail "$(cat err)"; }
state() { sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status"; }

for opt in $(pid_options); do
	for sig in TERM HUP KILL USR1 RTMIN+3; do
		cr_restart $opt image 2>err &
		front=$!
		is_there
		ticks
		target=$front
		[ $sig != KILL ] || target=$(running ticker)
		kill -s $sig "$target"
		status=0
		wait $front || status=$?
		[ $status = $((128 + $(kill -l $sig))) ] ||
			fail "$sig: $status: $(cat err)"
		wait_for '[ -z "$(running ticker)" ]' 10
	done

	note "$opt: stop and continue, as a job of a shell"
	set -m
	cr_restart $opt job 2>err &
	front=$!
	set +m
	is_there
	ticks joblog
	kill -TSTP $front
	wait_for '[ "$(state $(running ticker))" = T ]' 10
	wait_for '[ "$(state $front)" = T ]' 10
	kill -CONT $front
	ticks joblog
	touch go
	status=0
	wait $front || status=$?
	[ $status = 5 ] || fail "status $status: $(cat err)"
	rm go

	note "$opt: restart stopped"
	cr_restart $opt --stop image 2>err &
	front=$!
	is_there
	wait_for '[ "$(state $(running ticker))" = T ]' 10
	kill -CONT "$(running ticker)"
	ticks
	touch go
	status=0
	wait $front || status=$?
	[ $status = 5 ] || fail "status $status: $(cat err)"
	rm go
done

status=0
cr_restart --run-on-failure='echo sorry; exit 3' none >said 2>err || status=$?
[ $status = 3 ] && grep -q sorry said || fail "--run-on-failure: $status"
touch go
restart_is 5 --run-on-success='echo fine >fine' image
[ -s fine ] || fail "--run-on-success"
restart_is 0 --check image
