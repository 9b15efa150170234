#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A Fortran 2008 program (module mpi_f08) goes on after a restart
# time limit: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpifort_prog f08 "$CR_SRC/plugins/mpi/test/f08.f90"
mpi_start 3 ./f08 "$STOP"
mpi_generations 2 '^step'
mpi_reports 1 '^step'
mpi_stop
grep -qx 'ends well' out
