#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Callbacks of the ranks use MPI before and after a checkpoint, on continue, on restart, and when one says no
# time limit: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpicc_prog mpi_callbacks "$CR_SRC/examples/mpi_callbacks.c" \
	-I"$CR_PREFIX/include" -L"$CR_PREFIX/lib" -Wl,-rpath,"$CR_PREFIX/lib" -lcr
mpi_start 3 ./mpi_callbacks 2000000000 "$T/veto" "$STOP"
mpi_reports 1 '^step'
mpi_checkpoint one
wait_for "grep -q 'callback: 0 of 3 restarted' out" 30

touch veto # now one rank says no, and so there is no checkpoint of any
must_fail mpi_checkpoint no 2> why
cat why
grep -q 'callback refused .*code 7' why
wait_for "grep -q 'callback: refused' out" 30
[ ! -e no.0 ] && [ ! -e no.1 ] && [ ! -e no.2 ] || fail "there is an image"
rm veto
mpi_reports 1 '^step'

mpi_kill
mpi_restart one
wait_for "grep -q 'callback: 3 of 3 restarted' out" 30

mpi_stop
cat out
! grep -q 'mine behind' out || fail "a rank was behind what they agreed on"
n=$(awk '/^total/ { print $4 }' out)
total=$((6 * n * (n - 1) / 2))
grep -qx "total $total after $n steps" out
