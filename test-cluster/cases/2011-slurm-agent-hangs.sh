#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An agent that hangs or dies harms no job: it runs on, and commands say so
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 1

slurm_script job.sh <<'END'
#!/bin/bash
#SBATCH --checkpoint
for i in $(seq 100000); do
	[ ! -e "$1" ] || break
	echo "at $i"
	sleep 0.1
done
srun -n1 echo "a step"
echo "ends"
END
# submit FAULT STOP: see worker.c for the fault
submit() {
	JOB=$(box as alice ctl env CR_AGENT_FAULT="$1" \
		timeout 30 sbatch --parsable job.sh "$2")
	OUT=$BOX/shared/slurm-$JOB.out
	wait_for 'slurm_has "at 3"' 60
}
runs_on() {
	local now
	now=$(grep -c ^at "$OUT")
	wait_for "[ \$(grep -c ^at $OUT) -gt $((now + 3)) ]" 30
}
agent() { pgrep -f "^cr_agent --job $JOB .*$BOX/"; }

note "it stops while the script stands still: MaxWait holds all the same"
submit SNAPSHOT:-1:2:stop stop.1
slurm_try create "$JOB"
pid=$(agent)
slurm_try create "$JOB" MaxWait=2 2> err &
create=$!
wait_for "grep -q '^State:.*T' /proc/$pid/status" 30
runs_on
kill -CONT "$pid"
must_fail wait $create
grep 'MaxWait is over' err
[ ! -e "$CHECKPOINTS/$JOB/gen-2" ]
slurm_try create "$JOB" "ImageDir=$BOX/shared/elsewhere"
[ -e "$BOX/shared/elsewhere/$JOB/gen-1/manifest.json" ]
touch "$BOX/shared/stop.1"
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
slurm_has "a step"

note "it is killed while the script stands still"
submit SNAPSHOT:-1:1:kill stop.2
must_fail slurm_try create "$JOB" 2> err
cat err
runs_on
for verb in create able; do
	must_fail slurm_try $verb "$JOB" 2> err
	cat err
	grep -q "cannot reach the job's agent on n1" err
done
[ "$(job_state "$JOB")" = RUNNING ]
touch "$BOX/shared/stop.2"
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
slurm_has "a step"
slurm_has "ends"
grep 'this task cannot be checkpointed' "$OUT"
