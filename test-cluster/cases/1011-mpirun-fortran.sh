#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A Fortran program under mpirun goes on after a restart as if nothing had been
# time limit: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpifort_prog ring "$CR_SRC/examples/ring.f90"
rounds=5000000
"${MPIRUN[@]}" -n 2 ./ring $rounds > reference

mpi_start 2 ./ring $rounds
for n in 1 2; do
	wait_for "[ \$(wc -l < out) -ge $((100 * n)) ]" 60
	mpi_checkpoint "$n"
	mpi_kill
	mpi_restart "$n"
done
mpi_wait
cat out
diff <(grep '^round' reference | sort -u) <(grep '^round' out | sort -u)
[ "$(grep '^round' reference | tail -n 1)" = "$(grep '^round' out | tail -n 1)" ]
