#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Graphs, grids, intercommunicators, error handlers and buffered sends stay what they were over restarts
# time limit: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpicc_prog objects "$CR_SRC/plugins/mpi/test/objects.c" -Wno-stringop-overread \
	-Wno-stringop-overflow
mpi_start 3 ./objects "$STOP"
mpi_generations 2 '^step'
mpi_reports 1 '^step'
mpi_stop
grep -q '^all as it was made' out
