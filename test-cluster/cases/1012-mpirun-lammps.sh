#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# LAMMPS under mpirun, restarted over tcp instead of shared memory: the same text
# time limit: 200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
need lmp
enter_pidns
tmpdir

lmp=("$(command -v lmp)" -in "$CR_SRC/test-cluster/cases/melt.lmp" -log none
	-var CELLS 8 -var END end)
thermo() { awk '$1 ~ /^[0-9]+$/ && NF == 5' "$1"; }

echo 1000000000 > end
mpi_start 2 "${lmp[@]}"
for n in 1 2; do
	wait_for "[ \$(thermo out | wc -l) -ge $((15 * n)) ]" 90
	mpi_checkpoint "$n"
	mpi_kill
	mpi_restart "$n" --mca btl tcp,self
done
mpi_caught_up '^ +[0-9]+( +-?[0-9.]+)+ *$'
echo 0 > end.now
mv end.now end
mpi_wait
thermo out | tail -n 3
thermo out | awk 'END { print $1 }' > end
mpi_reference "${lmp[@]}"
# lines between checkpoint and death come twice, and the same
diff <(thermo reference | sort -u) <(thermo out | sort -u)
