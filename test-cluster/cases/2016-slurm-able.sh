#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# able looks at every rank and touches none; a callback that says no stops the checkpoint of all and kills nobody
# time limit: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

# In the files WHAT.RANK the case says what a rank is to do.
cc_prog rank - -Wl,-rpath,"$CR_PREFIX/lib" -lcr <<'END'
#include <libcr.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int told(const char *what)
{
	char path[64];

	sprintf(path, "%s.%s", what, getenv("SLURM_PROCID"));
	return !access(path, F_OK);
}

static int callback(void *arg)
{
	while (told("slow"))
		usleep(20000);
	if (told("later"))
		return cr_checkpoint(CR_CHECKPOINT_TEMP_FAILURE_CODE(3));
	if (told("never"))
		return cr_checkpoint(CR_CHECKPOINT_PERM_FAILURE_CODE(5));
	return cr_checkpoint(CR_CHECKPOINT_READY);
}

int main(void)
{
	int odd = -1;

	if (cr_init() < 0 ||
	    cr_register_callback(callback, NULL, CR_THREAD_CONTEXT) < 0)
		return 1;
	for (int i = 1; !told("stop"); i++) {
		if (odd < 0 && told("odd")) {
			odd = socket(AF_NETLINK, SOCK_RAW, 0);
			puts("odd");
		} else if (odd >= 0 && !told("odd")) {
			close(odd);
			odd = -1;
			puts("even");
		}
		printf("rank %s at %d\n", getenv("SLURM_PROCID"), i);
		fflush(stdout);
		usleep(50000);
	}
	return 0;
}
END
install -m 755 rank "$BOX/shared/rank"
tell() { touch "$BOX/shared/$1"; }
tell_no_more() { rm "$BOX/shared/$1"; }

# both ranks go on
run_on() {
	local rank now
	for rank in 0 1; do
		now=$(grep -c "^rank $rank at" "$OUT")
		wait_for "[ \$(grep -c '^rank $rank at' $OUT) -gt $now ]" 60
	done
}
# how often rank 1 has said so
refusals() { grep -c "REQUEST fails: .*code 3" "$CHECKPOINTS/$JOB"/agent-n1.log; }
generations() { find "$CHECKPOINTS/$JOB" -maxdepth 1 -name 'gen-*' | wc -l; }

slurm_submit --checkpoint -N2 -n2 --wrap='srun -u ./rank; echo "srun gave $?"'
wait_for 'grep -qs "^rank 0" "$OUT" && grep -qs "^rank 1" "$OUT"' 60

note "nothing is in the way, and then something is"
[ "$(slurm_try able "$JOB")" = Yes ]
tell odd.1
wait_for 'slurm_has odd' 30
[ "$(slurm_try able "$JOB" 2> why)" = No ]
cat why
grep -q 'node n[12], .* rank 1: process .* descriptor .*socket' why
must_fail slurm_try create "$JOB" 2> err
cat err
grep -qF "$(sed 's/^slurm-checkpoint: //' why)" err
tell_no_more odd.1
wait_for 'slurm_has even' 30
[ "$(slurm_try able "$JOB")" = Yes ]
[ "$(generations)" = 0 ]

note "while a checkpoint is being taken"
tell slow.0
began=$(date +%F)
slurm_try create "$JOB" &
create=$!
wait_for 'slurm_try able "$JOB" | grep -q "^Began at $began"' 30
tell_no_more slow.0
wait $create
[ "$(generations)" = 1 ]

note "one rank says: not now"
tell later.1
must_fail as_alice timeout 60 scontrol checkpoint create "$JOB" MaxWait=2 2> err
cat err
grep -q 'rank 1: .*[cC]allback .*code 3' err
as_alice scontrol checkpoint error "$JOB" | grep 'rank 1: .*code 3'
run_on
note "which is asked again until the time is over"
n=$(refusals)
slurm_try create "$JOB" &
create=$!
wait_for '[ "$(refusals)" -gt "$n" ]' 30
tell_no_more later.1
wait $create
[ "$(slurm_try error "$JOB")" = "0: no error" ]

note "one rank says: never"
tell never.0
must_fail as_alice timeout 60 scontrol checkpoint vacate "$JOB" 2> err
cat err
grep -q 'rank 0: .*callback .*code 5' err
as_alice scontrol checkpoint error "$JOB" | grep 'rank 0: .*code 5'
run_on
[ "$(generations)" = 2 ]
tell_no_more never.0
slurm_try create "$JOB"

tell stop.0
tell stop.1
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
slurm_has "srun gave 0"
