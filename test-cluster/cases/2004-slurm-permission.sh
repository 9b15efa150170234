#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Owner, root and SlurmUser may ask; others, replays and garbage are refused and logged
# time limit: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

s=$CR_SRC/plugins/slurm
# shellcheck disable=SC2046
cc_prog attack "$s/test/attack.c" "$s/agent/conn.c" "$s/agent/frame.c" \
	"$s/agent/json.c" "$s/agent/loop.c" "$CR_SRC/libcr/common/error.c" \
	-I"$CR_SRC" -I"$CR_SRC/libcr" $(pkg-config --cflags --libs json-c) \
	-lmunge -lxxhash
install -m 755 attack "$BOX/shared/attack"

slurm_submit --checkpoint --wrap='sleep 300'
slurm_started
wait_for '[ -s "$CHECKPOINTS/$JOB.agent" ]' 60
log=$(echo "$CHECKPOINTS/$JOB"/agent-*.log)

note "who may"
slurm_try create "$JOB"
box in ctl slurm-checkpoint create "$JOB"
box in ctl setpriv --reuid=slurm --regid=slurm --clear-groups \
	slurm-checkpoint able "$JOB" | grep -x Yes

note "who may not"
for verb in able create vacate requeue error disable list; do
	must_fail box as bob ctl slurm-checkpoint "$verb" "$JOB" 2> err
	[ $verb = list ] || grep -q 'refused: only the job' err
done
grep -q 'refused: "request" from .* by uid 20002' "$log"
[ "$(job_state "$JOB")" = RUNNING ]

read -r address port < <(sed 's/.*"address": *"\([^"]*\)".*"port": *\([0-9]*\).*/\1 \2/' \
	"$CHECKPOINTS/$JOB.agent")
for how in garbage huge half replay other-connection other-body other-job agent; do
	note "attack: $how"
	as_alice timeout 30 "$BOX/shared/attack" $how "$address" "$port" "$JOB" \
		"$(sed 's/.*"host": *"\([^"]*\)".*/\1/' "$CHECKPOINTS/$JOB.agent")" \
		20001
done
note "attack: agent, by bob"
box as bob ctl timeout 30 "$BOX/shared/attack" agent "$address" "$port" "$JOB" \
	"$(sed 's/.*"host": *"\([^"]*\)".*/\1/' "$CHECKPOINTS/$JOB.agent")" 20001
cat "$log"
grep -q 'refused: .*not our protocol' "$log"
grep -q 'refused: .*[Rr]eplay' "$log"
grep -q 'refused: .*credential is not for this message' "$log"
grep -q 'refused: "hello" from .* by uid 20002' "$log"

note "and it still works"
slurm_try create "$JOB"
as_alice scancel "$JOB"
