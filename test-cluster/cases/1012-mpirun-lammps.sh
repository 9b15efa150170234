#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# LAMMPS under mpirun, restarted over tcp instead of shared memory: the same text
# time limit: 200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
need lmp
enter_pidns
tmpdir

lmp=(lmp -in "$CR_SRC/test-cluster/cases/melt.lmp" -log none
	-var CELLS 10 -var STEPS "${STEPS:-3000}")
"${MPIRUN[@]}" -n 2 "${lmp[@]}" > reference 2>&1
thermo() { awk '$1 ~ /^[0-9]+$/ && NF == 5' "$1"; }

mpi_start 2 "$(command -v lmp)" "${lmp[@]:1}"
for n in 1 2; do
	wait_for "[ \$(thermo out | wc -l) -ge $((15 * n)) ]" 90
	mpi_checkpoint "$n"
	mpi_kill
	mpi_restart "$n" --mca btl tcp,self
done
mpi_wait
tail -n 5 out
# lines between checkpoint and death come twice, and the same
diff <(thermo reference) <(thermo out | sort -n -u)
