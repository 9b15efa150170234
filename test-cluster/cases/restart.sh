# SPDX-License-Identifier: GPL-2.0-or-later
# restart.sh - for cases that restart things; sourced after lib.sh
# shellcheck shell=bash

# start CMD...: run CMD in a session of its own, output to ./out, and wait
# until it says "ready"; its id is in $PID.
start() {
	: >out # not by the child: there may be the "ready" of one before
	setsid "$@" >out 2>&1 </dev/null &
	PID=$!
	wait_for 'grep -q ready out || gone $PID' 20
	! gone "$PID" || fail "$1 ended early: $(cat out)"
}

# save IMAGE: checkpoint the tree of $PID, and end it.
save() {
	cr_checkpoint --kill -f "$1" "$PID" || fail "cr_checkpoint: $?"
	wait "$PID" 2>/dev/null || true
	# a zombie still has its id; a restarted one is collected by cr_restart
	wait_for '[ ! -e "/proc/$PID" ]' 20
}

# restart_is STATUS ARG...: cr_restart ARG... must end with STATUS.
restart_is() {
	local want=$1 status=0
	shift
	timeout $((60 * ${CR_TEST_PATIENCE:-1})) cr_restart "$@" 2>err || status=$?
	[ $status = "$want" ] ||
		fail "cr_restart $*: status $status: $(cat err out)"
}

# running NAME: ids of the processes with this name.  One whose main thread has
# ended looks like a zombie, but has other threads.
running() {
	local f stat tasks
	for f in /proc/[0-9]*; do
		stat=
		read -r -d '' stat 2>/dev/null <"$f/stat" || true
		[[ $stat == *"($1) "* ]] || continue
		tasks=()
		[[ ${stat##*) } != Z* ]] || tasks=("$f"/task/*)
		[ ${#tasks[@]} = 1 ] || echo "${f#/proc/}"
	done
}

# first_of NAME: the id, as we see it, of the first process of such a tree that
# no checkpoint holds.
first_of() {
	local pid parent
	for pid in $(running "$1"); do
		parent=$(awk '/^PPid/ { print $2 }' "/proc/$pid/status") || true
		[ "$(cat "/proc/$parent/comm" 2>/dev/null)" = "$1" ] ||
			! grep -qs '^TracerPid:.*[^0-9]0$' "/proc/$pid/status" ||
			echo "$pid"
	done
}
