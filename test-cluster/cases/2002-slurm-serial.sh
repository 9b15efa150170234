#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A serial batch job, checkpointed on request and requeued twice, ends as undisturbed
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

slurm_script serial.sh <<'END'
#!/bin/bash
#SBATCH --checkpoint
trap 'echo trapped' USR1
sum=0
for i in $(seq 40); do
	[ $i != 12 ] || until [ -e go.1 ]; do sleep 0.1; done
	[ $i != 18 ] || until [ -e go.2 ]; do sleep 0.1; done
	sum=$((sum + i))
	echo "i $i sum $sum pid $$ $(seq $i | tail -n 1)"
	sleep 0.25
done
kill -USR1 $$
echo "ends"
exit 7
END

slurm_submit serial.sh
wait_for 'grep -sq "^i 5 " "$OUT"' 60
[ "$(slurm_try able "$JOB")" = Yes ]
as_alice scontrol checkpoint create "$JOB"
slurm_try list "$JOB" | grep -q '^1 .* create'
slurm_try show "$JOB" | grep -q 'batch.context on n'
[ "$(slurm_try error "$JOB")" = "0: no error" ]

note "lost without a warning"
slurm_requeue
slurm_restarted 1
touch "$BOX/shared/go.1"
wait_for 'grep -sq "^i 12 " "$OUT"' 60

note "checkpoint and requeue in one"
as_alice scontrol checkpoint requeue "$JOB"
slurm_restarted 2
touch "$BOX/shared/go.2"
slurm_try list "$JOB" | grep -q '^2 .* requeue'
status=$(slurm_finish)
[ "$status" = "FAILED 7:0" ] || fail "ended as $status"

# every line once, in order, sums right, one and the same pid
pid=$(sed -n 's/^i 1 sum 1 pid \([0-9]*\) 1$/\1/p' "$OUT")
sum=0
for i in $(seq 40); do
	sum=$((sum + i))
	echo "i $i sum $sum pid $pid $i"
done > want
printf 'trapped\nends\n' >> want
diff want "$OUT"
wait_for '[ "$(slurm_agents)" = 0 ]' 60
slurm_try show "$JOB" > /dev/null
