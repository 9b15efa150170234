#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ranks that fork before MPI_Init and after it, run commands and read their input, saved with their children
# time limit: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpicc_prog children "$CR_SRC/plugins/mpi/test/children.c"
MPI_SCOPE=-T
MPI_INPUT=input
seq -f 'line %g' 100000 > input
mpi_start 2 ./children "$STOP"
mpi_generations 2 '^step'
mpi_reports 1 '^step'
mpi_stop
grep -qx 'ends well' out
