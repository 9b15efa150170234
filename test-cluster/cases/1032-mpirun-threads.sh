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

mpi_start 2 ./threads "$STOP"
mpi_generations 3 '^step'
mpi_stop
checksum=$(grep '^checksum' out)
note "$checksum"
read -ra steps < <(echo "$checksum" | sed 's/.* after \(.*\) steps/\1/')
mpi_start 2 ./threads "${steps[@]}"
mpi_wait
grep -qx "$checksum" out

# the library alone is slow with so many threads: compare it in a short run
mpi_start 2 ./threads 300 200 300
mpi_wait
mpi_reference ./threads 300 200 300
diff <(grep '^checksum' reference) <(grep '^checksum' out)
