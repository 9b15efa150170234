#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# All kinds of communication, checkpointed and killed at random moments, give the same checksum
# time limit: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpicc_prog mix "$CR_SRC/plugins/mpi/test/mix.c"
seed=${SEED:-$RANDOM}
note "seed $seed"
steps_all=6000 # several seconds, so that it does not end in between
for ranks in 2 3; do
	"${MPIRUN[@]}" -n $ranks ./mix "$steps_all" "$seed" > reference
	mpi_start $ranks ./mix "$steps_all" "$seed"
	for n in 1 2 3; do
		steps=$(grep -c '^step' out || :)
		wait_for "[ \$(grep -c '^step' out) -gt $steps ]" 60
		sleep 0.$((RANDOM % 9)) # a random moment
		mpi_checkpoint "$ranks.$n"
		mpi_kill
		mpi_restart "$ranks.$n"
	done
	mpi_wait
	diff <(grep '^checksum' reference) <(grep '^checksum' out)
done
