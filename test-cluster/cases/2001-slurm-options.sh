#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The options are checked with clear errors; jobs without them are not touched
# time limit: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 1

slurm_script env.sh <<'END'
#!/bin/bash
env | grep -E '^(LD_PRELOAD|CR_|SLURM_CHECKPOINT)' | sort
ps -o args= -p $$
END

for bad in x 5x 1:2:3:4 -5 1- 99999999999 "1 2"; do
	must_fail as_alice timeout 30 sbatch "--checkpoint=$bad" env.sh 2> err
	grep -q 'not a time: minutes, m:s' err || fail "--checkpoint=$bad: $(cat err)"
done
must_fail as_alice timeout 30 srun --checkpoint=y true 2> err
grep -q 'not a time' err
must_fail as_alice timeout 30 sbatch --checkpoint --checkpoint-dir=here env.sh 2> err
grep -q 'absolute path' err
must_fail box as alice ctl env SBATCH_CHECKPOINT=zz timeout 30 sbatch env.sh 2> err
grep -q 'SBATCH_CHECKPOINT=zz: not a time' err

for good in 5 0:30 1:2:3 1-2 1-2:3 1-2:3:4; do
	slurm_submit --wait "--checkpoint=$good" env.sh
	grep -q LD_PRELOAD=.*libcr_slurm.so "$OUT" || fail "$good: $(cat "$OUT")"
	grep -qx "SLURM_CHECKPOINT_IMAGE_DIR=$CHECKPOINTS/$JOB" "$OUT"
done

note "without the option, and with 0, nothing of ours is there"
for none in --comment=none --checkpoint=0; do
	slurm_submit --wait "$none" env.sh
	must_fail grep -E '^(LD_PRELOAD|CR_AGENT|SLURM_CHECKPOINT_IMAGE)' "$OUT"
	[ ! -e "$CHECKPOINTS/$JOB" ]
done

note "environment variables"
JOB=$(box as alice ctl env SBATCH_CHECKPOINT=7 \
	SBATCH_CHECKPOINT_DIR="$BOX/shared/mine" timeout 60 \
	sbatch --wait --parsable env.sh)
grep -qx "SLURM_CHECKPOINT_IMAGE_DIR=$BOX/shared/mine/$JOB" \
	"$BOX/shared/slurm-$JOB.out"
wait_for '[ "$(slurm_agents)" = 0 ]' 60

note "a directory that cannot be made: said, and the job runs"
slurm_submit --wait --checkpoint --checkpoint-dir=/proc/none env.sh
grep -q 'cannot be checkpointed: .*/proc/none' "$OUT"
slurm_submit --wait --checkpoint --checkpoint-dir=/proc/none \
	--wrap='echo ran'
slurm_has ran

note "scontrol: everything else is the real one's"
for args in "show config" "foo" "--version" "show job 99999" "-o show node n1"; do
	a=0 b=0
	as_alice scontrol $args > out.a 2> err.a || a=$?
	as_alice /usr/bin/scontrol $args > out.b 2> err.b || b=$?
	[ $a = $b ] || fail "scontrol $args: $a instead of $b"
	grep -v 'BOOT_TIME\|Sys_uptime\|CPULoad\|FreeMem\|LastBusy\|Slurmd.*now' \
		out.a > out.A || true
	grep -v 'BOOT_TIME\|Sys_uptime\|CPULoad\|FreeMem\|LastBusy\|Slurmd.*now' \
		out.b > out.B || true
	sed -i 's/data as of.*//;s/CPULoad=[^ ]*//;s/FreeMem=[^ ]*//' out.A out.B
	cmp out.A out.B
	cmp err.a err.b
done
must_fail as_alice scontrol checkpoint able 99999 2> err
grep -q 99999 err
must_fail as_alice scontrol checkpoint create 1.0 2> err
grep -q "give the job's id, 1" err
