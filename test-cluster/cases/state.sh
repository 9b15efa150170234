# SPDX-License-Identifier: GPL-2.0-or-later
# state.sh - runs the programs of state/*.c; sourced after lib.sh
# shellcheck shell=bash
#
# A case with a line "# sub-cases: GLOB..." stands for as many tests as these
# sources (relative to this directory) have; scripts/check lists and counts
# each by itself.  It tells which ones to run in $CR_SUBCASES (all without),
# and wants for each a file NAME.log and then a file NAME.status with the
# exit status, as of a case, and the seconds, below $CR_RESULTS.

# state_names SOURCE...: the names in the table, in order.
state_names() {
	sed -n 's/^\(STATE\|REFUSED\|LATE\|FAILS\|REAL\)(\([a-z0-9_]*\).*/\2/p' "$@"
}

# state_line NAME: "KIND pattern" of a name.
state_line() {
	sed -n "s/^\(STATE\|REFUSED\|LATE\|FAILS\)($1\(, \"\(.*\)\"\)\?)\$/\1 \3/p" \
		"$state_dir"/*.c
}

# state_sources: the sources of this case.
state_sources() {
	local glob
	for glob in $(sed -n 's/^# sub-cases: *//p' "$CASE"); do
		compgen -G "${CASE%/*}/$glob"
	done
}

# state_build OUT: they make one program.
state_build() {
	local src
	mapfile -t src < <(state_sources)
	src+=("$state_dir/main.c")
	program "$1" "$(cat "$state_dir"/*.h "${src[@]}")" "${CC:-gcc}" \
		-std=gnu11 -D_GNU_SOURCE= -O1 -g -Wall -pthread "${src[@]}"
}

# state_all RUN...: every program that is asked for, by the command RUN NAME,
# one after the other; fails when one of them fails.
state_all() {
	local name status start took bad=0 log src
	mapfile -t src < <(state_sources)
	for name in ${CR_SUBCASES:-$(state_names "${src[@]}")}; do
		log=${CR_RESULTS:-$T}/$name.log
		start=$(date +%s%N)
		status=0
		(trap state_end EXIT; "$@" "$name") >"$log" 2>&1 || status=$?
		took=$((($(date +%s%N) - start) / 10**6))
		took=$(printf '%d.%02d' $((took / 1000)) $((took % 1000 / 10)))
		echo "$status $took" >"${CR_RESULTS:-$T}/$name.status"
		[ -n "${CR_RESULTS:-}" ] || echo "$status $name ($took s)"
		[ $status = 0 ] || [ $status = 77 ] || bad=1
		[ $status = 0 ] || [ -n "${CR_RESULTS:-}" ] || cat "$log"
	done
	return $bad
}

# state_end: whatever a failed one has left must not disturb the next.
state_end() {
	local pid
	for pid in $(running state); do kill -9 "$pid"; done
}

# run_as: how programs and commands are run; as_user in a case of its own.
run_as() { "$@"; }

# state_start NAME: runs it and waits until it is ready; its id is in $PID.
state_start() {
	local i
	rm -rf "$1"; mkdir "$1"; chmod 777 "$1"; cd "$1"
	run_as setsid -w "$T/state" "$1" </dev/null >/dev/null 2>&1 &
	waiter=$!
	for ((i = 0; i < 6000; i++)); do
		[ ! -e "$1.ready" ] || break
		[ ! -e "$1.errors" ] || break
		! gone $waiter || break
		sleep 0.01
	done
	[ ! -e "$1.skipped" ] || skip "$(cat "$1.skipped")"
	PID=$(running state | sort -n | head -n 1)
	[ -n "$PID" ] || fail "$(cat "$1.errors" || true) (it ended early)"
	[ -e "$1.ready" ] || fail "$(cat "$1.errors" || true) (not ready)"
}

# state_go NAME: it runs on to its end, which must be a good one.
state_go() {
	local status=0
	touch "$1.go"
	wait $waiter || status=$?
	[ $status = 0 ] ||
		fail "after the checkpoint: status $status: $(cat "$1.errors")"
	state_gone
}

# state_gone: all of its processes end now; what does not is killed.
state_gone() {
	local i pid left
	for ((i = 0; i < 500; i++)); do
		left=$(running state)
		[ -n "$left" ] || return 0
		sleep 0.01
	done
	for pid in $left; do kill -9 "$pid"; done
	fail "processes are left behind"
}

# state_restart NAME OPTION...: the image comes back and ends well.
state_restart() {
	local status=0 name=$1
	shift
	run_as timeout 120 cr_restart "$@" img </dev/null >out 2>err || status=$?
	[ $status = 0 ] || fail "cr_restart $*: status $status:" \
		"$(cat err out "$name.errors" 2>/dev/null)"
	state_gone
}

# state_refused NAME KIND PATTERN: it is not saved; which process, what, why
# and what to do is told, and was told by --check, unless only the stop shows
# it (LATE).
state_refused() {
	local line
	run_as timeout 120 cr_checkpoint -f img "$PID" 2>err &&
		fail "cr_checkpoint: succeeded"
	line=$(grep -m 1 "$3" err) || fail "not this reason: $(cat err)"
	[[ $line =~ process\ [0-9]+:.*\;\ [a-z] ]] ||
		fail "it does not say who, or what to do: $line"
	[ ! -e img ] || fail "there is an image"
	if run_as timeout 120 cr_checkpoint --check "$PID" 2>asked; then
		[ "$2" = LATE ] || fail "--check finds nothing: $line"
		echo "nothing" >asked
	fi
	if grep -qF -e "$line" asked; then
		[ "$2" = REFUSED ] || fail "--check finds it, too"
	else
		[ "$2" = LATE ] || fail "$line: --check says $(cat asked)"
	fi
	state_go "$1"
}

# state_one NAME: the whole way of one program.
state_one() {
	local kind pattern opt status=0
	read -r kind pattern <<<"$(state_line "$1")"
	state_start "$1"
	case $kind in
	REFUSED | LATE)
		state_refused "$1" "$kind" "$pattern"
		return
		;;
	*)
		run_as timeout 120 cr_checkpoint -f img "$PID" 2>err ||
			fail "cr_checkpoint: $? $(cat err)"
		state_go "$1"
		;;
	esac
	for opt in $state_ids; do
		if [ "$kind" = FAILS ]; then
			run_as timeout 120 cr_restart $opt img >out 2>err </dev/null &&
				fail "cr_restart $opt: succeeded"
			grep -q "$pattern" err || fail "not this: $(cat err)"
			continue
		fi
		state_restart "$1" $opt
	done
}

# state_main [USER]: a whole case of them; as an ordinary user if one is named.
state_main() {
	enter_pidns
	tmpdir
	# shellcheck disable=SC1091
	. "$CR_SRC/test-cluster/cases/restart.sh"
	state_ids=$(pid_options)
	if [ $# != 0 ]; then
		need_root
		run_as() { as_user "$@"; }
		state_ids=--no-restore-pid
	fi
	state_build state
	state_all state_one
}

state_dir=$(dirname "${CASE:-$PWD/x}")/state
