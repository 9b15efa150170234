# SPDX-License-Identifier: GPL-2.0-or-later
# real.sh - checkpoints real programs at random moments; after lib.sh, state.sh
# shellcheck shell=bash
#
# Each line of real/programs is a program with a workload of steps: the same
# number of lines of output every time, and checks of its own (it says
# "wrong:") that go on until there is a file ./go, so that it is never over
# too early.  What it prints must be what it prints undisturbed.

real=$(dirname "${CASE:-$PWD/x}")/real

# real_end: nothing of one program is there when the next one begins.
# Whatever is not of the case's own session is its.
real_end() {
	local f pid round
	for round in 1 2 3 4 5 6 7 8 9 10; do
		pid=
		for f in /proc/[0-9]*; do
			[ "${f#/proc/}" != 1 ] || continue
			[ "$(real_session "${f#/proc/}")" != "$real_mine" ] || continue
			! gone "${f#/proc/}" || continue
			pid=${f#/proc/}
			kill -9 "$pid" 2>/dev/null || true
		done
		[ -n "$pid" ] || return 0
		sleep 0.02
	done
}

real_session() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f4; }
real_mine=$(real_session $$)

make_openjdk() { javac -d "$1" "$real/Steps.java"; }
make_go() {
	HOME=$1 GOCACHE=$1/cache GO111MODULE=off CGO_ENABLED=0 \
		go build -o "$1/steps" "$real/steps.go"
}
make_musl_static() { musl-gcc -static -O1 -o "$1/steps" "$real/steps.c"; }
make_openmp() { gcc -fopenmp -O1 -o "$1/openmp" "$real/openmp.c"; }

# real_line NAME: program, package and command of a line of the table.
real_line() {
	sed -n "s/^REAL($1, \([^,]*\), \([^)]*\)) \(.*\)/\1 \2 \3/p" "$real/programs"
}

# real_start CMD...: it runs in w, its output goes to w/out.
real_start() {
	(cd w && TMPDIR=$PWD exec setsid "$@" </dev/null >out 2>&1) &
	waiter=$!
}

# real_wait LINES: until it has printed so many, or ends.
real_wait() {
	wait_for '[ "$(wc -l <w/out)" -ge '"$1"' ] || gone "$waiter"' 120
	! gone "$waiter" ||
		fail "it has ended early: $(tail -n 5 w/out err 2>/dev/null)"
}

# real_result: it goes on to its end, which is that of the undisturbed run.
real_result() {
	local status=0
	touch w/go
	timeout 300 tail --pid="$waiter" -s 0.05 -f /dev/null || true
	gone "$waiter" || fail "$1: does not end: $(tail -n 3 w/out)"
	wait "$waiter" || status=$?
	[ $status = 0 ] || fail "$1: status $status: $(tail -n 5 w/out err)"
	diff want w/out >differs || fail "$1: other output: $(head -n 20 differs)"
}

# real_restart IMAGE OPTION...
real_restart() {
	setsid cr_restart "${@:2}" "$1" </dev/null >err 2>&1 &
	waiter=$!
}

# real_put_back DIR: w is as it was, with the same files (sqlite3 would notice).
real_put_back() {
	local f
	while IFS= read -r f; do
		[ -e "$1/$f" ] || rm -f "w/$f"
	done < <(cd w && find . ! -type d)
	cp -a "$1/." w/
}

real_pause() { sleep "0.$((RANDOM % 3))$((RANDOM % 10))$((RANDOM % 10))"; }

# real_checkpoint IMAGE OPTION...
real_checkpoint() {
	local status=0 i
	for ((i = 0; i < 600; i++)); do
		status=0
		timeout 60 cr_checkpoint "${@:2}" -f "$1" "$PID" 2>err || status=$?
		# the restart before may not be over yet, or it says so itself
		grep -q 'is traced by process [0-9]* (cr_restart)\|no such process\|try again later' err || break
		! gone "$waiter" || break
		sleep 0.05
	done
	[ $status = 0 ] || fail "checkpoint $1: status $status: $(cat err)"
}

# real_gdb CMD...: debugger and program are refused by the debugger's name.
real_gdb() {
	real_start "$@"
	wait_for '[ -n "$(cat /proc/$waiter/task/$waiter/children)" ]' 30
	must_fail cr_checkpoint -f img "$waiter" 2>err
	grep -q "is traced by process $waiter (gdb); detach" err ||
		fail "not this reason: $(cat err)"
	[ ! -e img ] || fail "there is an image"
	! gone "$waiter" || fail "gdb has ended"
}

# real_one NAME: the whole way of one program.
real_one() {
	local program package command i kill_at steps all
	read -r program package command <<<"$(real_line "$1")"
	command -v "$program" >/dev/null ||
		skip "needs $program (Debian package $package)"
	eval "set -- $1 $command"
	rm -rf "${T:?}/$1"; mkdir "$T/$1"; cd "$T/$1"
	mkdir made w
	! declare -F "make_$1" >/dev/null || "make_$1" "$PWD/made"

	if [ "$1" = gdb ]; then
		real_gdb "${@:2}"
		real_end
		return
	fi

	# undisturbed
	touch w/go
	real_start "${@:2}"
	timeout 300 tail --pid="$waiter" -s 0.05 -f /dev/null || true
	i=0
	wait "$waiter" || i=$?
	[ $i = 0 ] || fail "undisturbed: status $i: $(tail -n 5 w/out)"
	mv w/out want
	all=$(grep -c '^\(step [0-9]\|[0-9]\+:\)' want || true)
	! grep wrong want || fail "undisturbed"
	real_end
	rm -rf w; mkdir w

	# five checkpoints, two of them with a restart; the last image twice
	real_start "${@:2}"
	real_wait 1
	PID=$waiter
	kill_at=$((RANDOM % 4 + 1))
	for i in 1 2 3 4 5; do
		real_pause
		if [ $i != $kill_at ] && [ $i != 5 ]; then
			real_checkpoint img.$i
			continue
		fi
		real_checkpoint img.$i --kill
		wait "$waiter" || true
		cp -a w saved.$i
		steps=$(wc -l <w/out)
		note "killed and restarted after $steps steps"
		real_restart img.$i --restore-pid
		# all steps done: it repeats them until there is ./go
		[ $i = 5 ] || [ "$steps" -ge "$all" ] || real_wait $((steps + 1))
	done
	real_result "restarted twice"
	real_end
	real_put_back saved.5
	real_restart img.5 --no-restore-pid
	real_result "the second time"
	real_end
	cd "$T"; rm -rf "${T:?}/$1"
}
