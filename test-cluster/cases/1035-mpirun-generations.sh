#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Twenty restarts in a row, each from a checkpoint of the one before: nothing grows, and the same bits
# time limit: 500
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

# "maps threads descriptors" of each rank
holds() {
	local pid
	for pid in $(mpi_pids); do
		echo "$(wc -l < "/proc/$pid/maps")" \
			"$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)" \
			"$(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
	done
}

mpicc_prog heat2d "$CR_SRC/examples/heat2d.c" -lm
mpi_start 2 ./heat2d -n 100 -i 2000000000 -s "$STOP" -o field
mpi_reports 1 '^iteration'
for n in $(seq 20); do
	mpi_checkpoint "$n"
	mpi_kill
	mpi_restart "$n"
	mpi_reports 1 '^iteration'
	holds > "holds.$n"
	rm -f "$n".[01]
done
note "after 1 restart:" $(cat holds.1)
note "after 20 restarts:" $(cat holds.20)
while read -r maps threads fds && read -r maps1 threads1 fds1 <&3; do
	[ "$maps" -le $((maps1 + 2)) ] || fail "more memory areas"
	[ "$threads" = "$threads1" ] || fail "more threads"
	[ "$fds" = "$fds1" ] || fail "more descriptors"
done < holds.20 3< holds.1
mpi_stop
last=$(awk '/^iteration/ { n = $2 } END { print n }' out)
mpi_reference ./heat2d -n 100 -i "$last" -o reference.field
cmp reference.field field
