#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Checkpoints by the clock; disable and enable; restart as a new job
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

slurm_script serial.sh <<'END'
#!/bin/bash
for i in $(seq 60); do
	[ $i != 40 ] || until [ -e go ]; do sleep 0.1; done
	echo "at $i"
	sleep 0.25
done
srun -n1 sh -c 'echo "step in job $SLURM_JOB_ID"'
echo ends
END
slurm_submit --checkpoint=0:01 serial.sh
slurm_started
wait_for '[ -e "$CHECKPOINTS/$JOB/gen-3/manifest.json" ]' 90
slurm_try list "$JOB"
slurm_try list "$JOB" | grep -q ' periodic '

note "disabled: none by the clock, none on request"
slurm_try disable "$JOB"
slurm_try able "$JOB" 2> /dev/null | grep -x No
must_fail slurm_try create "$JOB" 2> err
grep -q 'are disabled' err
slurm_try enable "$JOB"
[ "$(slurm_try able "$JOB" | cut -c1-5)" != No ]
slurm_try create "$JOB"

note "ended, and taken up by a new job"
as_alice scancel "$JOB"
slurm_finish > state
grep -q CANCELLED state
old=$JOB
touch "$BOX/shared/go"
last=$(slurm_try show "$old" | sed -n 's/^generation *//p')
[ "$last" -ge 4 ]
slurm_submit --checkpoint --restart-dir="$CHECKPOINTS/$old" serial.sh
[ "$(slurm_finish)" = "COMPLETED 0:0" ] || fail "$(cat "$OUT")"
# goes on where the last generation was; what was before is there as well
tail -n 2 "$OUT" > end
printf 'step in job %s\nends\n' "$JOB" | diff - end
seq -f 'at %.0f' 60 > want
grep ^at "$OUT" | diff want -
