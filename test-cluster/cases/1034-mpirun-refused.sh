#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No checkpoint while a window or a file of MPI is open, nor after MPI_Comm_spawn; by name
# time limit: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpicc_prog opened "$CR_SRC/plugins/mpi/test/opened.c"

# refused FUNCTION: a checkpoint is, and the program goes on
refused() {
	must_fail mpi_checkpoint no 2>why
	cat why
	grep -q "$1" why
	mpi_reports 2 '^step'
}

mpi_start 2 "$T/opened" "$T"
mpi_reports 1 '^step'
refused MPI_File_open
touch close
wait_for "grep -qx closed out" 30
mpi_checkpoint one
mpi_kill
mpi_restart one
mpi_reports 1 '^step'
mpi_checkpoint two
touch again
mpi_reports 5 '^step'
refused MPI_File_open
touch spawn # which a restarted program cannot
wait_for "grep -qx 'not spawned' out" 60
grep -q 'MPI_Comm_spawn: a restarted program cannot start others' out
mpi_checkpoint three
mpi_stop
grep -qx ends out

touch close again spawn
mpi_start 2 "$T/opened" "$T"
wait_for "grep -qx spawned out" 60
refused MPI_Comm_spawn
mpi_stop
grep -qx ends out
