# SPDX-License-Identifier: GPL-2.0-or-later
# slurm.sh - jobs with checkpoints in a box: submit, checkpoint, requeue, wait
#
# For cases in the 20xx range, after lib.sh.
# shellcheck shell=bash
#
#	slurm_up N		a box with N nodes, or skip
#	slurm_script NAME	a batch script in $BOX/shared from stdin
#	slurm_submit ARG...	sbatch as alice; the job's number is $JOB, its
#				output $OUT
#	slurm_work LAST AT	work.sh: its task N says "task N at 1", 2 ... LAST,
#				and waits at AT for the file "go"
#	slurm_counted FILE N FIRST LAST
#				task N has said each of these once, in order
#	slurm_try VERB ...	slurm-checkpoint as alice, ended after 90 s (times
#				$CR_TEST_PATIENCE)
#	slurm_requeue [JOB]	what a dead node does to it, without the wait; but
#				5 s, since slurmd refuses what it has just killed
#	slurm_started [JOB]	wait until it runs
#	slurm_finish [JOB]	wait for its end; prints state and exit code
#	slurm_agents		number of our processes on all nodes
#
# No case may depend on how fast it is itself: what its programs do stops at
# a gate, `until [ -e go ]; do sleep 0.1; done`, until the case touches that
# file in $BOX/shared.

slurm_up() {
	need_root
	[ -e "$CR_PREFIX/lib/stillpoint/spank_stillpoint.so" ] ||
		skip "built without Slurm"
	box_up "$1"
	CHECKPOINTS=$BOX/shared/checkpoint
	at_exit '[ $status = 0 ] || slurm_logs'
}

# When a case fails: what the agents, the jobs and Slurm said.
slurm_logs() {
	tail -n 20 "$BOX"/state/*/log/slurm*.log 2>/dev/null
	box in ctl scontrol show job 2>/dev/null
	tail -n 30 "$BOX"/shared/checkpoint/*/agent-*.log \
		"$BOX"/shared/slurm-*.out 2>/dev/null
}

slurm_script() {
	cat > "$BOX/shared/$1"
	chmod 755 "$BOX/shared/$1"
}

slurm_work() {
	slurm_script work.sh <<-END
	#!/bin/bash
	for i in \$(seq $1); do
		[ \$i != $2 ] || until [ -e go ]; do sleep 0.1; done
		echo "task \$SLURM_PROCID at \$i"
		sleep 0.25
	done
	END
}

slurm_counted() {
	seq -f "task $2 at %.0f" "$3" "$4" > want
	grep "^task $2 at" "$1" | diff want -
}

slurm_submit() {
	JOB=$(as_alice timeout $((30 * ${CR_TEST_PATIENCE:-1})) sbatch --parsable "$@")
	OUT=$BOX/shared/slurm-$JOB.out
	note "job $JOB: $*"
}

slurm_try() {
	as_alice timeout $((90 * ${CR_TEST_PATIENCE:-1})) slurm-checkpoint "$@"
}

# has TEXT: does the job's output have this line?
slurm_has() { grep -qx -- "$1" "$OUT" 2>/dev/null; }

slurm_requeue() {
	local job=${1:-$JOB}
	as_alice timeout 30 scontrol requeue "$job"
	as_alice timeout 30 scontrol update "job=$job" StartTime=now+5
}

slurm_started() {
	wait_for "[ \"\$(job_state ${1:-$JOB})\" = RUNNING ]" 60
}

# It has been requeued (N times) and runs again.
slurm_restarted() {
	wait_for "box in ctl scontrol show job $JOB |
		grep -q 'Restarts=$1 ' && [ \"\$(job_state $JOB)\" = RUNNING ]" 60
}

slurm_finish() {
	local job=${1:-$JOB}
	wait_for "case \$(job_state $job) in
		RUNNING | PENDING | COMPLETING) false ;; esac" "${2:-150}"
	box in ctl scontrol show job "$job" |
		sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p;s/.* ExitCode=\([0-9:]*\).*/\1/p' |
		paste -s -d ' '
}

slurm_agents() {
	pgrep -f -c "^cr_agent --job .*$BOX/" || true
}
