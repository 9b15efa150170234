#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ranks that wait in receives, waits, probes and collectives for one that computes; over shared memory and tcp in turn
# time limit: 200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpicc_prog waiting "$CR_SRC/plugins/mpi/test/waiting.c" -pthread
export OMPI_MCA_mpi_yield_when_idle=1

for level in multiple funneled; do
	rm -f go.* stop
	mpi_start 4 "$T/waiting" "$T" $level
	round=1
	for how in "tcp,self" "vader,self"; do
		wait_for "grep -qx 'computing $round' out" 60
		mpi_checkpoint "$round"
		touch "go.$round" # on continue
		wait_for "grep -qx 'computing $((round + 1))' out" 60
		mpi_checkpoint "$((round + 1))"
		mpi_kill
		touch "go.$((round + 1))"
		mpi_restart "$((round + 1))" --mca btl "$how"
		round=$((round + 2))
	done
	touch "$STOP"
	touch "go.$round"
	mpi_wait
	grep -qx 'ends well' out
done
