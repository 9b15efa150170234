#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# box kill ends all of a node at once and Slurm notices; start brings it back;
# cut and join take the network link away and give it back.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_pidns
box_up 2

slurm_state() { box in ctl sinfo -h -p low -n "$1" -o %T; }

box in n2 touch /tmp/stays /dev/shm/goes
box as alice n2 sh -c 'setsid sleep 10000 >/dev/null 2>&1 &'
box kill n2
must_fail box in n2 true 2>err
grep -q 'n2 is not up' err
must_fail pgrep -f '^sleep 10000$' # nothing survives
must_fail box kill n2 2>/dev/null
wait_for '[[ $(slurm_state n2) == down* ]]' 40

box start n2
wait_for '[ "$(slurm_state n2)" = idle ]' 30
box in n2 sh -c 'test -e /tmp/stays && ! test -e /dev/shm/goes'
[ "$(box as alice ctl timeout 20 srun -w n2 hostname)" = n2 ]

reach() { box in n1 sh -c '(timeout 2 bash -c ": </dev/tcp/n2/6818") 2>/dev/null'; }
reach
box cut n2
must_fail reach
box in n2 true
box join n2
wait_for reach 20
[ "$(box as alice ctl timeout 20 srun -N2 hostname | sort | xargs)" = "n1 n2" ]

# A job on a node that dies is requeued and starts elsewhere, quickly.
cat >"$BOX/shared/job.sh" <<'X'
#!/bin/bash
echo "start ${SLURM_RESTART_COUNT:-0} on $SLURM_NODELIST"
[ -n "${SLURM_RESTART_COUNT:-}" ] || srun sleep 1000
X
job=$(as_alice sbatch --parsable -N1 --requeue job.sh)
out=$BOX/shared/slurm-$job.out
wait_for '[ -s "$out" ]' 20
node=$(sed -n 's/^start 0 on //p' "$out")
box kill "$node"
SECONDS=0
wait_for '[ "$(job_state $job)" = COMPLETED ]' 80
note "$node died; started again and done after $SECONDS s"
grep -q '^start 1 on n' "$out"
