#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A Fortran program under mpirun goes on after a restart as if nothing had been
# time limit: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpifort_prog ring "$CR_SRC/examples/ring.f90"
mpi_start 2 ./ring 2000000000 "$STOP"
for n in 1 2; do
	mpi_reports 5 '^round'
	mpi_checkpoint "$n"
	mpi_kill
	mpi_restart "$n"
done
mpi_caught_up '^round'
mpi_stop
tail -n 5 out
last=$(awk '/^round/ { n = $2 } END { print n }' out)
mpi_reference ./ring "$last"
diff <(grep '^round' reference | sort -u) <(grep '^round' out | sort -u)
