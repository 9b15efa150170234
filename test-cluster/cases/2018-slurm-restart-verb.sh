#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# restart: the same job, or a new one of the same shape; show; words that are wrong
# time limit: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

slurm_work 10 6
slurm_script job.sh <<'END'
#!/bin/bash
srun ./work.sh
echo "srun gave $?"
END
ends_well() {
	touch "$BOX/shared/go"
	[ "$(slurm_finish)" = "COMPLETED 0:0" ]
	slurm_counted "$OUT" 0 1 10
	slurm_counted "$OUT" 1 1 10
	slurm_has "srun gave 0"
	rm "$BOX/shared/go"
}

slurm_submit --checkpoint -N2 -n2 --job-name=shaped job.sh
wait_for 'slurm_has "task 0 at 3" && slurm_has "task 1 at 3"' 60
elsewhere=$BOX/shared/elsewhere
as_alice scontrol checkpoint create "$JOB"
as_alice scontrol checkpoint create "$JOB" MaxWait=30 "ImageDir=$elsewhere"

note "what there is"
slurm_try show -g 1 "$JOB" | grep '^generation  1$'
slurm_try show --json "$JOB" | grep '"format": *"stillpoint generation"'
must_fail slurm_try show -g 7 "$JOB" 2> err
grep 'gen-7' err
must_fail slurm_try restart "$JOB" 2> err
grep 'is running' err

note "wrong words are said to be wrong: status 2"
while read -r words; do
	status=0
	# shellcheck disable=SC2086 # words
	slurm_try $words 2> err || status=$?
	[ $status = 2 ] && [ -s err ] || fail "slurm-checkpoint $words: $status"
done <<-END
	create
	begin $JOB
	create $JOB MaxWait=
	create $JOB MaxWait=0
	create $JOB MaxWait=99999999999
	create $JOB ImageDir=here
	create -i here $JOB
	create -w 3x $JOB
	show -g x $JOB
	restart $JOB StickToNodes
	create $JOB what
END

note "ended, and started again"
as_alice scancel "$JOB"
slurm_finish | grep CANCELLED
slurm_try restart "$JOB"
slurm_restarted 1
ends_well

note "a new job in its place has its shape; and only its owner submits one"
must_fail box in ctl slurm-checkpoint restart "$JOB" "ImageDir=$elsewhere" 2> err
grep 'belongs to uid 20001' err
slurm_try restart "$JOB" "ImageDir=$elsewhere" > out
new=$(sed -n 's/^Submitted batch job \([0-9]*\)$/\1/p' out)
[ "$new" -gt "$JOB" ]
JOB=$new OUT=$BOX/shared/slurm-$new.out
slurm_started
box in ctl scontrol show job "$JOB" > job
grep 'JobName=shaped' job
grep 'NumNodes=2 .*NumTasks=2' job
ends_well
