#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tasks of a step that have ended at the checkpoint end again as they did
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

slurm_script work.sh <<'END'
#!/bin/bash
[ $SLURM_PROCID != 0 ] || exit 0
[ $SLURM_PROCID != 1 ] || exit 3
for i in $(seq 16); do
	[ $i != 8 ] || until [ -e go.1 ]; do sleep 0.1; done
	[ $i != 12 ] || until [ -e go.2 ]; do sleep 0.1; done
	echo "task $SLURM_PROCID at $i"
	sleep 0.25
done
END
slurm_script job.sh <<'END'
#!/bin/bash
#SBATCH --checkpoint
#SBATCH -N2 -n4
srun -n4 ./work.sh
echo "srun gave $?"
END
slurm_submit job.sh
wait_for 'slurm_has "task 3 at 4"' 60
slurm_try create "$JOB"
slurm_try show "$JOB"
slurm_try show "$JOB" | grep -c 'had ended' | grep -qx 2
slurm_requeue
slurm_restarted 1
touch "$BOX/shared/go.1"

note "and once more, from the restarted one"
wait_for 'slurm_has "task 3 at 9"' 60
slurm_try create "$JOB"
slurm_requeue
slurm_restarted 2
touch "$BOX/shared/go.2"
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
for t in 2 3; do
	seq -f "task $t at %.0f" 16 > want
	grep "^task $t " "$OUT" | diff want -
done
slurm_has "srun gave 3"
