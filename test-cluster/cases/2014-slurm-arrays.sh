#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A task of a job array by its name; heterogeneous jobs are refused by name
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

slurm_script task.sh <<'END'
#!/bin/bash
#SBATCH --checkpoint --array=3,5 --output=task.%a -n1
for i in $(seq 12); do
	[ $i != 6 ] || until [ -e go ]; do sleep 0.1; done
	echo "$SLURM_ARRAY_TASK_ID at $i"
	sleep 0.25
done
END
array=$(as_alice timeout 30 sbatch --parsable task.sh)
wait_for 'grep -sqx "3 at 4" $BOX/shared/task.3 && grep -sqx "5 at 4" $BOX/shared/task.5' 60
for task in 3 5; do
	as_alice timeout 90 scontrol checkpoint create "${array}_$task"
	[ "$(slurm_try able "${array}_$task")" = Yes ]
	slurm_try list "${array}_$task" | grep '^1 .* create'
done
[ "$(ls -d "$CHECKPOINTS"/*/gen-1 | wc -l)" = 2 ]
must_fail slurm_try create "$array" 2> err
grep "job $array is an array: name one of its tasks, as ${array}_[35]" err
must_fail slurm_try create "${array}_4" 2> err
grep "array job $array has no task 4" err

note "one of them again"
JOB=$(box in ctl scontrol -o show job "${array}_3" | sed 's/^JobId=\([0-9]*\).*/\1/')
slurm_requeue
slurm_restarted 1
touch "$BOX/shared/go"
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
for task in 3 5; do
	wait_for "[ \"\$(wc -l < $BOX/shared/task.$task)\" = 12 ]" 60
	seq -f "$task at %.0f" 12 | diff - "$BOX/shared/task.$task"
done

note "a heterogeneous job runs, and is not checkpointed"
slurm_script het.sh <<'END'
#!/bin/bash
until [ -e go.2 ]; do sleep 0.1; done
srun true
echo "srun gave $?"
END
JOB=$(as_alice timeout 30 sbatch --parsable --checkpoint -n1 : -n1 het.sh)
OUT=$BOX/shared/slurm-$JOB.out
slurm_started
wait_for 'grep -s "this job cannot be checkpointed: it is a heterogeneous job" "$OUT"' 60
for name in "$JOB" "$JOB+1"; do
	must_fail slurm_try create "$name" 2> err
	grep 'heterogeneous job' err
done
touch "$BOX/shared/go.2"
slurm_finish
slurm_has "srun gave 0"
