#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# All kinds of communication, checkpointed and killed at random moments, give the same checksum
# time limit: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpicc_prog mix "$CR_SRC/plugins/mpi/test/mix.c" \
	"$CR_SRC/plugins/mpi/test/mix_more.c"
seed=${SEED:-$RANDOM}
note "seed $seed"
for ranks in 2 3; do
	mpi_start $ranks ./mix "$STOP" "$seed"
	for n in 1 2 3; do
		mpi_reports 1 '^step'
		sleep 0.$((RANDOM % 9)) # a random moment
		mpi_checkpoint "$ranks.$n"
		mpi_kill
		mpi_restart "$ranks.$n"
	done
	mpi_stop
	checksum=$(grep '^checksum' out)
	note "$checksum"
	mpi_reference ./mix "$(echo "$checksum" | awk '{ print $4 }')" "$seed"
	grep -qx "$checksum" reference
done
