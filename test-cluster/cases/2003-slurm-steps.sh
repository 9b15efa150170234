#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A bash loop over 3 srun steps, killed in the second, goes on in the second
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 3

slurm_script work.sh <<'END'
#!/bin/bash
for i in $(seq 10); do
	[ "$1 $i" != "2 8" ] || until [ -e go ]; do sleep 0.1; done
	echo "step $1 task $SLURM_PROCID at $i"
	sleep 0.3
done
exit $1
END
slurm_script loop.sh <<'END'
#!/bin/bash
#SBATCH --checkpoint
#SBATCH -N2 -n2
total=0
for k in 1 2 3; do
	date +%s%N >> began.$k
	srun ./work.sh $k 2> /dev/null
	total=$((total + $?))
	echo "step $k done, total $total"
done
echo "ends"
exit $total
END

slurm_submit loop.sh
wait_for 'slurm_has "step 2 task 1 at 4"' 60
slurm_try create "$JOB"
slurm_try show "$JOB"
wait_for 'slurm_has "step 2 task 0 at 7"' 60

note "the batch host goes; the others have to do"
host=$(box in ctl scontrol show job "$JOB" | sed -n 's/.*BatchHost=//p')
slurm_requeue
as_alice scontrol update "job=$JOB" "ExcNodeList=$host" || true
slurm_restarted 1
touch "$BOX/shared/go"
status=$(slurm_finish)
[ "$status" = "FAILED 6:0" ] || fail "ended as $status"

# steps that were over are not repeated, the second goes on from its middle
[ "$(wc -l < "$BOX/shared/began.1")" = 1 ]
[ "$(wc -l < "$BOX/shared/began.2")" = 1 ]
for k in 1 2 3; do
	for t in 0 1; do
		seq -f "step $k task $t at %.0f" 10 > want
		grep "^step $k task $t " "$OUT" | diff want -
	done
	grep -c "^step $k done" "$OUT"
done
printf '%s\n' "step 1 done, total 1" "step 2 done, total 3" \
	"step 3 done, total 6" ends > want
grep -E 'done|ends' "$OUT" | diff want -
