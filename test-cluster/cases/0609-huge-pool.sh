#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Huge pages when the pool is empty: none is taken from the program, a restart says how many are missing; 1 GiB ones.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_pidns
need_root
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
. "$CR_SRC/test-cluster/cases/huge.sh"
huge_pool 21 24
cc_prog huge "$CR_SRC/test-cluster/cases/huge.c"
all=$(cat "$HUGE/nr_hugepages")
none=$((all - 24)) # are free if the pool is so large

# areas: what a checkpoint must not change in the program, and which huge pages
# it has for itself
areas() {
	grep -E '^[0-9a-f]+-|^(VmFlags|KernelPageSize|Private_Hugetlb):' \
		"/proc/$PID/smaps"
}

# No huge page is free, and the image is not complete before it is read.
mkfifo pipe
for form in private unreserved; do
	note "$form, in an empty pool"
	huge_start $form 21
	huge_set $((all - $(huge_left)))
	[ "$(huge_left)" = 0 ] || fail "$(huge_left) pages are free"
	areas >before
	cr_checkpoint -F 1 "$PID" >pipe &
	checkpoint=$!
	exec 8<pipe
	wait_for 'grep -q "^State:.*sleeping" "/proc/$PID/status" &&
		grep -q "^TracerPid:.*[^0-9]0$" "/proc/$PID/status" &&
		[ -n "$(dd bs=4096 count=1 <&8 2>/dev/null | head -c 1)" ]' 20
	huge_good
	huge_good
	[ "$(huge_left)" = 0 ] || fail "$(huge_left) pages are free"
	kill -9 $checkpoint
	exec 8<&-
	wait $checkpoint || true
	areas >after
	cmp before after || fail "$(diff before after)"
	huge_good
	cr_checkpoint -f img "$PID"
	huge_good
	kill -9 $(running huge)
	wait_for '[ -z "$(running huge)" ]' 20
	n=$((n - 1))
	huge_back
	huge_good
	huge_set "$all"
	huge_end
done

note "the checkpoint is killed at any moment"
huge_start private 21
huge_set $((all - $(huge_left)))
areas >before
for i in $(seq 1 20); do
	cr_checkpoint --snapshot=fork -f img "$PID" 2>err &
	checkpoint=$!
	sleep "$(printf '0.%03d' $((i * 2)))"
	kill -9 $checkpoint 2>/dev/null || true
	wait $checkpoint || true
	wait_for 'grep -q "^TracerPid:.*[^0-9]0$" "/proc/$PID/status"' 20
	wait_for 'areas >after; cmp -s before after' 20
	huge_good
done
huge_end
huge_set "$all"

# missing FORM NEEDED
missing() {
	note "$1: $2 pages, one too few is there"
	huge_start "$1" 21
	huge_save
	huge_set $((none + $2 - 1))
	[ "$(huge_left)" = $(($2 - 1)) ]
	must_fail cr_restart --check img 2>check
	must_fail cr_restart img 2>err
	text="$2 huge pages of 2 MiB are needed, $(($2 - 1)) are free on this node; have the administrator raise $HUGE/nr_hugepages by 1"
	grep -q "$text" err || fail "$(cat err)"
	grep -q "$text" check || fail "$(cat check)"
	[ -z "$(running huge)" ]
	huge_set $((none + $2))
	cr_restart --check img
	huge_back
	huge_set "$all"
	huge_good
	huge_end
}
missing private 5
missing unreserved 4
missing shared 4
missing memfd-both 3
missing memfd-open 2

note "no such pages at all"
must_fail unshare --mount sh -c "mount -t tmpfs none $HUGE &&
	cr_restart --check img" 2>err
grep -q "uses huge pages of 2 MiB (hugetlbfs), which this node has not" err ||
	fail "$(cat err)"

note "no room for a copy"
as=(unshare --mount)
huge_start 20full 21
as=(env)
echo 'MemAvailable:      1000 kB' >meminfo
# where the program is, or it would be another system
must_fail nsenter --mount --wd="$PWD" --target "$PID" \
	sh -c "mount --bind meminfo /proc/meminfo &&
	cr_checkpoint -f none $PID" 2>err
grep -q "process $PID: not enough memory is free on this node to copy" err ||
	fail "$(cat err)"
[ ! -e none ]
huge_good
huge_end

note "1 GiB" # which has to be free in one piece
if ! huge_take 30 1; then
	note "not tried: $huge_why"
	exit 0
fi
huge_start 1 30
cr_checkpoint -f img "$PID"
huge_good
huge_save
huge_back
huge_good
huge_end
