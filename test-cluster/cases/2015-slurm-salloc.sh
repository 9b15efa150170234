#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# salloc --checkpoint: a step in it is checkpointed, and taken up in another one
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

slurm_work 14 8
as_alice timeout 90 salloc --checkpoint -N2 -n2 sh -c 'srun ./work.sh' > first 2>&1 &
wait_for 'grep -qx "task 1 at 4" first && grep -qx "task 0 at 4" first' 60
JOB=$(as_alice squeue -h -o %A)
slurm_try create "$JOB"
slurm_try show "$JOB"
as_alice scancel "$JOB"
wait || true
touch "$BOX/shared/go"

status=0
as_alice timeout 90 salloc --checkpoint -N2 -n2 sh -c \
	"srun --restart-dir=$CHECKPOINTS/$JOB ./work.sh && srun -n1 echo next" \
	> second 2>&1 || status=$?
cat second
[ $status = 0 ]
for t in 0 1; do
	n=$(grep -m 1 "^task $t at" second | sed 's/.* //')
	[ "$n" -ge 4 ] && [ "$n" -le 8 ]
	slurm_counted second $t "$n" 14
done
grep -qx next second
