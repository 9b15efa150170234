#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# MPI ranks that have ended while others go on: saved under srun; refused by name under mpirun, whose job goes on
# time limit: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2
[ -e "$CR_PREFIX/lib/libcr_mpi.so" ] || skip "built without MPI"

mpicc_prog ended "$CR_SRC/plugins/mpi/test/ended.c"
install -m 755 ended "$BOX/shared/ended"
slurm_script job.sh <<'END'
#!/bin/bash
#SBATCH --checkpoint
#SBATCH -N2 -n4
mkdir one two
mpirun --oversubscribe -n 2 ./ended one
echo "mpirun gave $?"
srun --mpi=pmix -n4 ./ended two
echo "srun gave $?"
END
slurm_submit job.sh
wait_for 'slurm_has "rank 1 of 2 at 50"' 60
must_fail slurm_try create "$JOB" 2> why
cat why
grep -q 'rank 0 of .* has ended, the others have not' why
touch "$BOX/shared/one/stop"
wait_for 'slurm_has "mpirun gave 0"' 60

wait_for 'slurm_has "rank 3 of 4 at 50"' 60
slurm_try create "$JOB"
slurm_try show "$JOB" | grep -c 'had ended' | grep -qx 2
slurm_requeue
slurm_restarted 1
touch "$BOX/shared/two/stop"
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
slurm_has "rank 1 ends"
slurm_has "rank 3 ends"
slurm_has "srun gave 0"
