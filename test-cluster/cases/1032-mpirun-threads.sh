#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# MPI_THREAD_MULTIPLE: three threads of each rank inside MPI, checkpointed and killed at random moments
# time limit: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpicc_prog threads "$CR_SRC/plugins/mpi/test/threads.c" -pthread
export OMPI_MCA_mpi_yield_when_idle=1

# the library alone is slow with so many threads, so compare a short run
"${MPIRUN[@]}" -n 2 ./threads 500 > reference
mpi_start 2 ./threads 500
mpi_wait
diff <(grep '^checksum' reference) <(grep '^checksum' out)

n=${STEPS:-12000}
mpi_start 2 ./threads "$n"
mpi_wait
mv out reference
mpi_start 2 ./threads "$n"
for g in 1 2 3; do
	steps=$(grep -c '^step' out || :)
	wait_for "[ \$(grep -c '^step' out) -gt $steps ]" 60
	mpi_checkpoint "$g"
	mpi_kill
	mpi_restart "$g"
done
mpi_wait
diff <(grep '^checksum' reference) <(grep '^checksum' out)
