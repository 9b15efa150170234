#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Environment: the options' variables; of a launcher that is run anew; of jobs submitted by jobs
# time limit: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

slurm_script env.sh <<'END'
#!/bin/bash
env | grep -E '^(LD_PRELOAD|CR_|SLURM_CHECKPOINT)' | sort
END
# with VARIABLE=VALUE... COMMAND...: as alice
with() { box as alice ctl env "$@" 2>&1; }

note "srun and salloc have variables of their own, and name them"
mine=$BOX/shared/mine
with SLURM_CHECKPOINT=7 SLURM_CHECKPOINT_DIR="$mine" timeout 60 srun ./env.sh > out
grep -x "SLURM_CHECKPOINT_IMAGE_DIR=$mine/[0-9]*" out
with SALLOC_CHECKPOINT=0:30 SALLOC_CHECKPOINT_DIR="$mine" timeout 60 \
	salloc -n1 srun ./env.sh > out
grep -x "SLURM_CHECKPOINT_IMAGE_DIR=$mine/[0-9]*" out
must_fail with SLURM_CHECKPOINT=zz timeout 60 srun ./env.sh > out
grep 'SLURM_CHECKPOINT=zz: not a time' out
must_fail with SALLOC_CHECKPOINT_DIR=here timeout 60 \
	salloc --checkpoint true > out
grep 'SALLOC_CHECKPOINT_DIR=here: must be an absolute path' out

note "a job that another one submits: it inherits, or says no"
slurm_script outer.sh <<'END'
#!/bin/bash
srun -n1 sbatch --wait --parsable --output=inherits env.sh
srun -n1 sbatch --wait --parsable --output=says-no --checkpoint=0 env.sh
END
slurm_submit --checkpoint -n1 --exclusive outer.sh
[ "$(slurm_finish)" = "COMPLETED 0:0" ] || fail "$(cat "$OUT")"
cd "$BOX/shared"
must_fail grep "/$JOB" inherits
grep '^CR_AGENT_SOCKET' inherits
must_fail grep 'LD_PRELOAD\|^CR_AGENT\|^CR_LAUNCHER\|IMAGE_DIR' says-no
cd "$T"

note "by the clock, as a variable says; a step goes with its job; on another node"
slurm_script work.sh <<'END'
#!/bin/bash
for i in $(seq 12); do
	[ $i != 8 ] || until [ -e go ]; do sleep 0.1; done
	echo "at $i"
	sleep 0.2
done
END
slurm_script job.sh <<'END'
#!/bin/bash
export SLURM_SUBMIT_HOST=elsewhere CR_MPI_VERBOSE=1
srun --checkpoint=0 ./work.sh
echo "the script was on $SLURM_JOB_NODELIST"
srun sh -c 'echo "the step is on $SLURM_JOB_NODELIST: $(hostname)"
	env | grep -E "^(CR_|SLURM_SUBMIT_HOST)"'
END
JOB=$(with SBATCH_CHECKPOINT=0:02 timeout 30 sbatch --parsable -n1 job.sh)
OUT=$BOX/shared/slurm-$JOB.out
wait_for 'slurm_has "at 5"' 60
was=$(box in ctl squeue -h -j "$JOB" -o %N)
gen=$(slurm_try show "$JOB" 2>/dev/null | sed -n 's/^generation *//p')
wait_for '[ "$(slurm_try show "$JOB" 2>/dev/null |
	sed -n "s/^generation *//p")" -gt "${gen:-0}" ]' 60
slurm_try list "$JOB" | grep ' periodic *1 '
slurm_requeue
as_alice scontrol update "job=$JOB" "ExcNodeList=$was"
slurm_restarted 1
now=$(box in ctl squeue -h -j "$JOB" -o %N)
[ "$now" != "$was" ]
# the launcher's environment is what cr_restart, which it has started, has
wait_for 'pgrep -f "^cr_restart .*/$JOB/gen-.*/$JOB.0.0.context" > pids' 60
tr '\0' '\n' < "/proc/$(head -n 1 pids)/environ" > env
grep -x "SLURM_JOB_NODELIST=$now" env
grep -x "SLURM_SUBMIT_HOST=elsewhere" env
grep -x "CR_MPI_VERBOSE=1" env
must_fail grep '^CR_RESTART_STEP' env # what it starts is not a part of that
touch "$BOX/shared/go"
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
seq -f 'at %.0f' 12 > want
grep ^at "$OUT" | diff want -
slurm_has "the script was on $was"
slurm_has "the step is on $now: $now"
slurm_has "SLURM_SUBMIT_HOST=elsewhere"
must_fail grep '^CR_RESTART' "$OUT"
