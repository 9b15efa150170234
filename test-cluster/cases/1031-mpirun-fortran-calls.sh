#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Operations and attributes of Fortran, and a communicator made and freed in each step, over restarts
# time limit: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpifort_prog fortran "$CR_SRC/plugins/mpi/test/fortran.f90"
n=${STEPS:-20000}
"${MPIRUN[@]}" -n 2 ./fortran "$n" > reference
mpi_start 2 ./fortran "$n"
for g in 1 2; do
	steps=$(grep -c '^step' out || :)
	wait_for "[ \$(grep -c '^step' out) -gt $steps ]" 60
	mpi_checkpoint "$g"
	mpi_kill
	mpi_restart "$g"
done
mpi_wait
diff <(grep '^total' reference) <(grep '^total' out)
