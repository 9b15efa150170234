# SPDX-License-Identifier: GPL-2.0-or-later
# huge.sh - huge pages for cases; sourced after lib.sh and restart.sh
# shellcheck shell=bash
#
# The pool is the machine's: a case has it for itself, and gives back what it
# took however it ends.

# huge_pool BITS N: N huge pages of 1 << BITS bytes more than there are in use,
# or the case is skipped.  The files of the pool are in $HUGE then.
huge_pool() { huge_take "$@" || skip "$huge_why"; }

# huge_take BITS N: the same; false, with the reason in $huge_why
huge_take() {
	local had
	HUGE=/sys/kernel/mm/hugepages/hugepages-$(((1 << $1) / 1024))kB
	huge_why="this kernel has no huge pages of that size"
	[ -e "$HUGE/nr_hugepages" ] || return 1
	if [ -z "${huge_locked:-}" ]; then
		exec 9>/var/tmp/cr-huge-pages.lock
		flock -w 60 9 || fail "somebody else uses the huge pages"
		huge_locked=1
	fi
	had=$(cat "$HUGE/nr_hugepages")
	at_exit "echo $had >$HUGE/nr_hugepages"
	huge_set $(($2 + had - $(huge_left)))
}

# huge_set N: the pool has N pages.
huge_set() {
	huge_why="there is no room for $1 huge pages, or their number is fixed"
	echo "$1" 2>/dev/null >"$HUGE/nr_hugepages" || return 1
	[ "$(cat "$HUGE/nr_hugepages")" -ge "$1" ]
}

# huge_left: pages that are neither in use nor reserved.
huge_left() {
	echo $(($(cat "$HUGE/free_hugepages") - $(cat "$HUGE/resv_hugepages")))
}

# huge_good: the program checks all it has, and changes some.
huge_good() {
	n=$((n + 1))
	kill -USR1 "$PID"
	wait_for 'grep -q "^good $n\$" out || gone $PID' 20
	grep -q "^good $n\$" out || fail "check $n: $(cat out)"
}

# huge_start FORM BITS [DIR]: by as[], the user's way to run things
as=(env)
huge_start() {
	n=0
	rm -f out
	: >out
	chmod 666 out
	"${as[@]}" setsid ./huge "$@" >>out 2>&1 </dev/null 9>&- &
	huge_job=$!
	wait_for 'grep -q ready out || gone $huge_job' 20
	grep -q ready out || fail "$1 ended early: $(cat out)"
	PID=$(first_of huge)
}

# huge_save OPTION...: ./img, and the program has ended
huge_save() {
	"${as[@]}" cr_checkpoint --kill -f img "$@" "$PID" || fail "save: $?"
	wait $huge_job 2>/dev/null || true
	wait_for '[ -z "$(running huge)" ]' 20
}

# huge_back OPTION...: and goes on from ./img
huge_back() {
	"${as[@]}" timeout 60 cr_restart "$@" img 2>err 9>&- &
	huge_job=$!
	wait_for '[ -n "$(first_of huge)" ] || gone $huge_job' 20
	! gone $huge_job || fail "restart: $(cat err)"
	PID=$(first_of huge)
}

# huge_end: it ends well, and nothing of the pool is left in use
huge_end() {
	local status=0
	kill -TERM "$PID"
	wait $huge_job || status=$?
	[ $status = 7 ] || fail "status $status: $(cat out)"
	rm -f hugetlbfs/*
	wait_for '[ "$(huge_left)" = "$(cat "$HUGE/nr_hugepages")" ]' 20
}
