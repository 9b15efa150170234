#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two jobs are checkpointed at the same time, on the same nodes, and both restart
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

slurm_script work.sh <<'END'
#!/bin/bash
for i in $(seq 20); do
	[ $i != 12 ] || until [ -e go ]; do sleep 0.1; done
	echo "job $1 task $SLURM_PROCID at $i"
	sleep 0.25
done
END
slurm_script job.sh <<'END'
#!/bin/bash
#SBATCH --checkpoint
#SBATCH -N2 -n2
srun ./work.sh $1
echo "ends $?"
END

slurm_submit job.sh A
a=$JOB a_out=$OUT
slurm_submit job.sh B
b=$JOB b_out=$OUT
wait_for 'grep -sqx "job A task 1 at 4" $a_out && grep -sqx "job B task 1 at 4" $b_out' 60
for n in 1 2 3; do
	slurm_try create "$a" > create.a &
	pa=$!
	slurm_try create "$b" > create.b &
	pb=$!
	wait $pa
	wait $pb
	cat create.a create.b
done
note "two newest generations are kept"
[ "$(echo "$CHECKPOINTS/$a"/gen-*)" = "$CHECKPOINTS/$a/gen-2 $CHECKPOINTS/$a/gen-3" ]
slurm_requeue "$a"
slurm_requeue "$b"
touch "$BOX/shared/go"
for job in "$a" "$b"; do
	[ "$(slurm_finish "$job")" = "COMPLETED 0:0" ]
done
for k in A B; do
	out=$a_out
	[ $k = A ] || out=$b_out
	for t in 0 1; do
		seq -f "job $k task $t at %.0f" 20 > want
		grep "task $t " "$out" | diff want -
	done
done
grep -qx "ends 0" "$a_out" "$b_out"
