#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An MPI job with mpirun in its batch script restarts, with other ranks on other nodes
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 3
[ -e "$CR_PREFIX/lib/libcr_mpi.so" ] || skip "built without MPI"

mpicc_prog heat2d "$CR_SRC/examples/heat2d.c" -lm
install -m 755 heat2d "$BOX/shared/heat2d"
slurm_script mpi.sh <<'END'
#!/bin/bash
#SBATCH -N2 -n4
export CR_MPI_VERBOSE=1
for run in 1 2; do
	mpirun --oversubscribe ./heat2d -n 300 -i ${!run} -s stop.$run -o $3.$run
	echo "run $run gave $?"
done
END

# of run 2
furthest() {
	awk '/^run 1/ { n = 0 } /^iteration/ && $2 > n { n = $2 }
		END { print n + 0 }' "$OUT" 2>/dev/null || echo 0
}

slurm_submit --checkpoint mpi.sh 1000 2000000000 field
wait_for 'slurm_has "run 1 gave 0" && [ "$(furthest)" -gt 1000 ]' 120
slurm_try create "$JOB"
slurm_try show "$JOB"
host=$(box in ctl scontrol show job "$JOB" | sed -n 's/.*BatchHost=//p')
note "not on $host any more"
slurm_requeue
as_alice scontrol update "job=$JOB" "ExcNodeList=$host"
slurm_restarted 1
now=$(furthest)
wait_for "[ \$(furthest) -gt $now ]" 90
touch "$BOX/shared/stop.2"
[ "$(slurm_finish "$JOB" 120)" = "COMPLETED 0:0" ]
[ "$(grep '^run' "$OUT")" = "$(printf 'run %d gave 0\n' 1 2)" ]
grep '^iteration' "$OUT" | sort -u > got

rm "$BOX/shared/stop.2"
slurm_submit mpi.sh 1000 "$(furthest)" reference
[ "$(slurm_finish "$JOB" 200)" = "COMPLETED 0:0" ]
for run in 1 2; do
	cmp "$BOX/shared/reference.$run" "$BOX/shared/field.$run"
done
grep '^iteration' "$OUT" | sort -u | diff - got
