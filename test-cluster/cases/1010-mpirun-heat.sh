#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A halo exchange under mpirun, three times checkpointed and killed, gives the same bits
# time limit: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

mpicc_prog heat2d "$CR_SRC/examples/heat2d.c" -lm
mpi_start 2 ./heat2d -n 200 -i 2000000000 -s "$STOP" -o field -p progress
mpi_generations 3 '^iteration'
mpi_caught_up '^iteration'
mpi_stop
cat out
last=$(awk '/^iteration/ { n = $2 } END { print n }' out)
mpi_reference ./heat2d -n 200 -i "$last" -o reference.field
cmp reference.field field
# each report of a residual, however often, is the undisturbed run's
diff <(grep '^iteration' reference | sort -u) <(grep '^iteration' out | sort -u)
