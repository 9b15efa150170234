#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A damaged generation is found at restart: said, and the one before is taken
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 1

slurm_work 16 10
slurm_script job.sh <<'END'
#!/bin/bash
#SBATCH --checkpoint -n2
srun ./work.sh
echo "srun gave $?"
END
# flip FILE: another byte in its middle, the size stays
flip() {
	local at=$(($(stat -c %s "$1") / 2)) byte
	byte=$(od -An -tu1 -j $at -N 1 "$1")
	# shellcheck disable=SC2059 # an octal escape
	printf "\\$(printf %o $((byte ^ 255)))" |
		dd of="$1" bs=1 seek=$at conv=notrunc status=none
}

slurm_submit job.sh
wait_for 'slurm_has "task 1 at 3"' 60
slurm_try create "$JOB"
wait_for 'slurm_has "task 1 at 6"' 60
slurm_try create "$JOB"
flip "$(echo "$CHECKPOINTS/$JOB"/gen-2/*.1.context)"
slurm_requeue
slurm_restarted 1
said='^stillpoint: cannot restart from generation 2: .*damaged.*trying the one before$'
wait_for 'grep -q "$said" "$OUT"' 60
slurm_try list "$JOB" > list
grep '^2 *not usable: .*1.context is damaged' list

note "a damaged one does not take the place of a good one"
slurm_try create "$JOB"
slurm_try list "$JOB" | grep -c ' create ' | grep -qx 2
touch "$BOX/shared/go"
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
grep "$said" "$OUT"
grep -q ' cannot restart from generation 2: .*damaged' \
	"$CHECKPOINTS/$JOB"/agent-n1.log
slurm_counted "$OUT" 0 1 16
slurm_counted "$OUT" 1 1 16
slurm_has "srun gave 0"
must_fail grep -qv '^task\|^srun gave\|^stillpoint: cannot restart' "$OUT"

note "none is left that is sound: the job does not begin anew unasked"
for gen in "$CHECKPOINTS/$JOB"/gen-*; do
	flip "$gen/batch.context"
done
slurm_try restart "$JOB"
[ "$(slurm_finish)" = "FAILED 1:0" ]
grep -q 'nothing to restart from in' "$OUT"
must_fail slurm_has "task 0 at 1"
