#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An MPI job under srun, checkpointed at once, requeued, checkpointed, its node lost: the same bits
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
srun --mpi=pmix ./heat2d -n 300 -i $2 -s stop -o $1
echo "ends $?"
END

furthest() {
	awk '/^iteration/ && $2 > n { n = $2 } END { print n + 0 }' "$OUT" \
		2>/dev/null || echo 0
}

# more: wait until the program has come further than ever
more() {
	local now
	now=$(furthest)
	wait_for "[ \$(furthest) -gt $now ]" 90
}

slurm_submit --checkpoint mpi.sh field 2000000000
more
slurm_try create "$JOB"
slurm_try create "$JOB"
more
slurm_try create "$JOB"
slurm_try show "$JOB"
slurm_try requeue "$JOB"
slurm_restarted 1
slurm_try create "$JOB"
more
slurm_try create "$JOB"

note "a node that is not the batch host's loses its power"
host=$(box in ctl scontrol show job "$JOB" | sed -n 's/.*BatchHost=//p')
list=$(box in ctl scontrol show job "$JOB" | sed -n 's/^ *NodeList=//p')
for node in $(box in ctl scontrol show hostnames "$list"); do
	[ "$node" = "$host" ] || victim=$node
done
box kill "$victim"
slurm_restarted 2
more
touch "$BOX/shared/stop"
[ "$(slurm_finish "$JOB" 120)" = "COMPLETED 0:0" ]
slurm_has 'ends 0'
grep '^iteration' "$OUT" | sort -u > got

rm "$BOX/shared/stop"
slurm_submit mpi.sh reference "$(furthest)"
[ "$(slurm_finish "$JOB" 200)" = "COMPLETED 0:0" ]
cmp "$BOX/shared/reference" "$BOX/shared/field"
grep '^iteration' "$OUT" | sort -u | diff - got
