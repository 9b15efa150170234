# SPDX-License-Identifier: GPL-2.0-or-later
# storm.sh - a tree that forks all the time, saved and restored; after lib.sh
# shellcheck shell=bash
#
# ./storm counts its forks in the first number of the file "count", and ends
# well when the second one is not 0.

forks() { od -An -td8 -N8 count | tr -d ' '; }
goes_on() {
	local goal # not "end": that is wait_for's own
	goal=$(($(forks) + 100))
	wait_for '[ "$(forks)" -gt $goal ]' 20
}

# storm: the whole way.
storm() {
	local pid restart option i
	truncate -s 4096 count
	setsid ./storm </dev/null >out 2>&1 &
	pid=$!
	at_exit "kill -9 -$pid 2>/dev/null"
	goes_on
	for ((i = 0; i < ${CR_TEST_RUNS:-5}; i++)); do
		cr_checkpoint -f image "$pid"
		goes_on
	done
	kill -9 -- -"$pid"
	wait "$pid" || true
	wait_for '! kill -0 -- -"$pid" 2>/dev/null' 20
	for option in $(pid_options); do
		cr_restart "$option" image &
		restart=$!
		goes_on
		printf '\1' | dd of=count bs=1 seek=8 conv=notrunc status=none
		wait "$restart"
		printf '\0' | dd of=count bs=1 seek=8 conv=notrunc status=none
	done
}
