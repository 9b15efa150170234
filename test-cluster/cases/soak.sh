# SPDX-License-Identifier: GPL-2.0-or-later
# soak.sh - one tree through many checkpoints and restarts; after lib.sh
# shellcheck shell=bash
#
# The tree is that of soak/: 50 processes, 500 threads, random load, assertions
# of its own.  A cycle: checkpoint, the tree goes on (or is killed by the
# checkpoint, every other time), kill, restart, everybody does something
# again.  What must stay the same is counted after each restart.

soak_processes=50 soak_threads=500 # and what the load makes for a moment

# soak_build OUT
soak_build() {
	local dir=$CR_SRC/test-cluster/cases/soak
	program "$1" "$(cat "$dir"/*.[hc])" "${CC:-gcc}" -std=gnu11 \
		-D_GNU_SOURCE= -O1 -g -Wall -pthread "$dir"/*.c
}

# soak_rounds N: wait until the tree has printed N rounds more.
soak_rounds() {
	local goal
	goal=$(($(wc -l <out) + $1))
	wait_for '[ "$(wc -l <out)" -ge '$goal' ] || grep -q wrong out ||
		gone $soak_waiter' 300
	! grep wrong out || fail "in the tree"
	! gone $soak_waiter || fail "the tree has ended: $(cat err)"
}

# soak_pids: the processes of the tree that last, the first one first; their
# ids stay the same.
soak_pids() {
	if [ -z "${soak_members:-}" ]; then
		soak_members=$(cat "/proc/$soak_root/task/$soak_root/children")
	fi
	# shellcheck disable=SC2086 # ids
	printf '%s\n' $soak_root $soak_members
}

# soak_kill: all at once, so that none sees another's end.
soak_kill() {
	local pids
	pids=$(soak_pids)
	# shellcheck disable=SC2086 # ids
	kill -STOP $pids
	# shellcheck disable=SC2086 # ids
	kill -KILL $pids 2>/dev/null || true
}

# soak_count: what the tree has: processes, threads, descriptors, areas, KiB.
soak_count() {
	local pids n maps fds
	mapfile -t pids < <(soak_pids)
	n=${#pids[@]}
	pids=("${pids[@]/#//proc/}")
	fds=$(find "${pids[@]/%//fd}" -type l | wc -l)
	maps=$(cat "${pids[@]/%//maps}" | wc -l)
	awk -v n="$n" -v fds="$fds" -v maps="$maps" '/^Threads:/ { t += $2 }
		/^VmRSS:/ { r += $2 } END { print n, t, fds, maps, r }' \
		"${pids[@]/%//status}"
}

# soak_left: processes that are not there without the tree.
soak_left() {
	local f name n=0
	for f in /proc/[0-9]*; do
		read -r name 2>/dev/null <"$f/comm" || continue
		[ "$name" != soak ] || n=$((n + 1)) # zombies, too
	done
	echo $n
}

# soak_check: no more of anything than at the beginning.
soak_check() {
	local processes threads fds maps rss image
	read -r processes threads fds maps rss <<<"$(soak_count)"
	image=$(stat -c %s img)
	# those, and one child each
	[ "$(soak_left)" -le $((2 * soak_processes)) ] || fail "processes: $(ps ax)"
	if [ -z "${soak_fds:-}" ]; then
		soak_fds=$fds soak_maps=$maps soak_rss=$rss soak_image=$image
	fi
	[ "$processes" = $soak_processes ] || fail "$processes processes"
	[ "$threads" = $soak_threads ] || fail "$threads threads"
	# only the load's own: up to 8 areas in each process, of 64 KiB
	[ "$fds" = "$soak_fds" ] || fail "$fds descriptors, were $soak_fds"
	[ "$maps" -le $((soak_maps + 8 * soak_processes)) ] ||
		fail "$maps areas, were $soak_maps"
	[ "$rss" -le $((soak_rss * 3 / 2 + 25600)) ] ||
		fail "$rss KiB, were $soak_rss"
	[ "$image" -le $((soak_image * 3 / 2 + 26214400)) ] ||
		fail "an image of $image bytes, was $soak_image"
	[ "$(find . -type f | sort | tr '\n' ' ')" = "./err ./img ./out " ] ||
		fail "files: $(ls -a)"
	[ "$(find /dev/shm | wc -l)" -le "$soak_shm" ] ||
		fail "left in /dev/shm: $(ls -a /dev/shm)"
}

# soak_cycle I
soak_cycle() {
	local kill=$(($1 % 2))
	sleep 0.0$((RANDOM % 10))
	if [ $kill = 1 ]; then
		cr_checkpoint --nosync --kill -f img "$soak_root" 2>err ||
			fail "cr_checkpoint: $(cat err)"
	else
		cr_checkpoint --nosync -f img "$soak_root" 2>err ||
			fail "cr_checkpoint: $(cat err)"
		soak_rounds 1
		soak_kill
	fi
	wait_for '[ "$(soak_left)" = 0 ]' 120
	wait $soak_waiter 2>/dev/null || true
	setsid cr_restart --restore-pid -q img </dev/null >>out 2>err &
	soak_waiter=$!
	wait_for '! gone "$soak_root" || gone $soak_waiter' 120
	soak_rounds 2
	soak_check
}

# soak CYCLES PROGRAM
soak() {
	local i
	: >out; : >err
	setsid "$2" </dev/null >>out 2>&1 & # err is only ours
	soak_root=$! soak_waiter=$!
	at_exit 'soak_kill 2>/dev/null'
	at_exit '[ $status = 0 ] || grep wrong out'
	soak_shm=$(find /dev/shm | wc -l)
	soak_rounds 2
	soak_pids >/dev/null # the first time, of the tree as it was made
	for ((i = 1; i <= $1; i++)); do
		soak_cycle $i
		[ $((i % 10)) != 0 ] || note "$i cycles: $(soak_count)," \
			"image of $(stat -c %s img) bytes, $SECONDS s"
	done
	soak_kill
	wait $soak_waiter 2>/dev/null || true
	wait_for '[ "$(soak_left)" = 0 ]' 60
}
