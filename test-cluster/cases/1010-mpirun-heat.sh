#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A halo exchange under mpirun, three times checkpointed and killed, gives the same bits
# time limit: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpicc_prog heat2d "$CR_SRC/examples/heat2d.c" -lm
size=(-n 200 -i "${ITERATIONS:-150000}")
"${MPIRUN[@]}" -n 2 ./heat2d "${size[@]}" -o reference > reference.log

mpi_start 2 ./heat2d "${size[@]}" -o field -p progress
for n in 1 2 3; do
	wait_for "[ \$(grep -c '^iteration' out) -ge $n ]" 60
	mpi_checkpoint "$n"
	mpi_kill
	mpi_restart "$n"
done
mpi_wait
cat out
cmp reference field
# each report of a residual, however often, is the undisturbed run's
sort -u <(grep '^iteration' out) | diff - <(grep '^iteration' reference.log |
	sort -u)
