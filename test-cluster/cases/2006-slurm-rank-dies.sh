#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A rank killed in REQUEST, QUIESCE, SNAPSHOT or STORE: the last good generation stays usable
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

slurm_script work.sh <<'END'
#!/bin/bash
for i in $(seq 14); do
	[ $i != 10 ] || until [ -e go.$SLURM_JOB_ID ]; do sleep 0.1; done
	echo "task $SLURM_PROCID at $i"
	sleep 0.25
done
END
slurm_script job.sh <<'END'
#!/bin/bash
#SBATCH --checkpoint
#SBATCH -N2 -n2
srun --kill-on-bad-exit=1 ./work.sh 2> /dev/null
echo "srun gave $?"
END

for phase in REQUEST QUIESCE SNAPSHOT STORE; do
	note "killed in $phase"
	JOB=$(box as alice ctl env CR_AGENT_FAULT=$phase:1:2 \
		timeout 30 sbatch --parsable job.sh)
	OUT=$BOX/shared/slurm-$JOB.out
	wait_for 'slurm_has "task 1 at 3"' 60
	slurm_try create "$JOB"
	slurm_try create "$JOB" MaxWait=5 || slurm_try error "$JOB" || true
	touch "$BOX/shared/go.$JOB"
	# it lost a rank: the step ends, and so does the script
	[ "$(slurm_finish)" = "COMPLETED 0:0" ]
	grep -q 'srun gave [1-9]' "$OUT"
	slurm_try list "$JOB"
	for gen in "$CHECKPOINTS/$JOB"/gen-*; do
		[ -s "$gen/manifest.json" ]
		for context in "$gen"/*.context; do
			cr_info --verify "$context" > /dev/null
		done
	done
	# a STORE goes on without it: the snapshot has been made
	[ $phase = STORE ] || [ ! -e "$CHECKPOINTS/$JOB/gen-2" ]

	slurm_try restart "$JOB"
	slurm_restarted 1
	[ "$(slurm_finish)" = "COMPLETED 0:0" ]
	slurm_has "srun gave 0" || fail "$(cat "$OUT")"
	for t in 0 1; do
		seq -f "task $t at %.0f" 14 > want
		grep "^task $t " "$OUT" | diff want -
	done
done
