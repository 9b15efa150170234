#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# srun without a batch script is checkpointed, ended, and taken up by another srun
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

slurm_script work.sh <<'END'
#!/bin/bash
for i in $(seq 20); do
	[ $i != 10 ] || until [ -e go ]; do sleep 0.1; done
	echo "task $SLURM_PROCID at $i"
	sleep 0.25
done
exit 4
END
as_alice timeout 60 srun --checkpoint -N2 -n2 ./work.sh > first 2>&1 &
wait_for 'grep -qx "task 1 at 4" first' 60
JOB=$(as_alice squeue -h -o %A)
slurm_try create "$JOB"
slurm_try show "$JOB"
wait_for 'grep -qx "task 1 at 7" first' 60
as_alice scancel "$JOB"
wait || true
touch "$BOX/shared/go"

status=0
as_alice timeout 60 srun --checkpoint --restart-dir="$CHECKPOINTS/$JOB" \
	-N2 -n2 ./work.sh > second 2>&1 || status=$?
cat second
[ $status = 4 ]
for t in 0 1; do
	# no line of the first part comes twice, none is missing
	n=$(grep -m 1 "^task $t at" second | sed 's/.* //')
	[ "$n" -ge 3 ] && [ "$n" -le 10 ]
	seq -f "task $t at %.0f" "$n" 20 > want
	grep "^task $t at" second | diff want -
done

note "another number of tasks is refused"
must_fail as_alice timeout 60 srun --checkpoint \
	--restart-dir="$CHECKPOINTS/$JOB" -N1 -n1 ./work.sh > third 2>&1
grep -q 'had 2 tasks, this step has 1' third
must_fail grep -q '^task' third
note "and so is a place with nothing in it"
must_fail as_alice timeout 60 srun --checkpoint --restart-dir=/tmp \
	-N1 -n1 ./work.sh > third 2>&1
grep -q 'cannot restart' third
