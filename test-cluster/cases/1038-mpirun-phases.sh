#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Checkpoints and restarts before MPI_Init, with MPI and after MPI_Finalize of one program
# time limit: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpicc_prog phases "$CR_SRC/plugins/mpi/test/phases.c"
mpi_start 2 "$T/phases" "$T"
for phase in init work stop; do
	mpi_reports 3 "^before $phase"
	mpi_checkpoint "$phase"
	mpi_kill
	mpi_restart "$phase"
	mpi_reports 3 "^before $phase"
	touch "$phase"
done
mpi_wait
grep -qx 'ends well' out
