#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An MPI job under srun, checkpointed, requeued, checkpointed, its node lost: the same bits
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
srun --mpi=pmix ./heat2d -n 300 -i 60000 -o $1
echo "ends $?"
END
slurm_submit mpi.sh reference
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
reference=$OUT
[ -s "$BOX/shared/reference" ]

slurm_submit --checkpoint mpi.sh field
wait_for 'grep -sq "^iteration 12000 " "$OUT"' 60
slurm_try_mpi create "$JOB"
slurm_try show "$JOB"
slurm_try_mpi requeue "$JOB"
slurm_restarted 1
wait_for 'grep -sq "^iteration 30000 " "$OUT"' 90
slurm_try_mpi create "$JOB"

note "a node that is not the batch host's loses its power"
host=$(box in ctl scontrol show job "$JOB" | sed -n 's/.*BatchHost=//p')
list=$(box in ctl scontrol show job "$JOB" | sed -n 's/^ *NodeList=//p')
for node in $(box in ctl scontrol show hostnames "$list"); do
	[ "$node" = "$host" ] || victim=$node
done
box kill "$victim"
slurm_restarted 2
[ "$(slurm_finish "$JOB" 120)" = "COMPLETED 0:0" ]
cmp "$BOX/shared/reference" "$BOX/shared/field"
sed '/^done/d' "$reference" > want
sed '/^done/d' "$OUT" | diff want -
