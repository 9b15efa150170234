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
for run in 1 2; do
	mpirun --oversubscribe ./heat2d -n 300 -i $2 -o $1.$run
	echo "run $run gave $?"
done
END
slurm_submit mpi.sh reference 6000
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
reference=$OUT

slurm_submit --checkpoint mpi.sh field 6000
wait_for 'slurm_has "run 1 gave 0" && [ $(grep -c "^iteration 2000 " "$OUT") = 2 ]' 120
slurm_try_mpi create "$JOB"
slurm_try show "$JOB"
host=$(box in ctl scontrol show job "$JOB" | sed -n 's/.*BatchHost=//p')
note "not on $host any more"
slurm_requeue
as_alice scontrol update "job=$JOB" "ExcNodeList=$host"
slurm_restarted 1
[ "$(slurm_finish "$JOB" 120)" = "COMPLETED 0:0" ]
for run in 1 2; do
	cmp "$BOX/shared/reference.$run" "$BOX/shared/field.$run"
done
sed '/^done/d' "$reference" > want
sed '/^done/d' "$OUT" | diff want -
