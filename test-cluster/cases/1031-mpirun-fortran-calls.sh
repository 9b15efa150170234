#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Operations and attributes of Fortran, and a communicator made and freed in each step, over restarts
# time limit: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpifort_prog fortran "$CR_SRC/plugins/mpi/test/fortran.f90"
mpi_start 2 ./fortran "$STOP"
mpi_generations 2 '^step'
mpi_stop
total=$(grep '^total' out)
note "$total"
mpi_reference ./fortran "$(echo "$total" | awk '{ print $4 }')"
grep -qx "$total" reference
