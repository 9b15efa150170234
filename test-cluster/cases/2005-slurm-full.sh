#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vacate with the checkpoint directory full: the job runs on, "error" says why
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 1

cc_prog big - <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(void)
{
	size_t n = 32 << 20;
	unsigned char *p = malloc(n);

	for (size_t i = 0; i < n; i++)
		p[i] = i * 2654435761u >> 13;
	for (int i = 1; i <= 60000; i++) {
		printf("at %d\n", i);
		fflush(stdout);
		usleep(250000);
	}
	return 0;
}
END
install -m 755 big "$BOX/shared/big"
# a small file system that the node sees
small=$BOX/shared/small
mkdir "$small"
box in n1 mount -t tmpfs -o size=8m,mode=1777 small "$small"

slurm_submit --checkpoint --checkpoint-dir="$small" --wrap='./big; echo ends'
wait_for 'slurm_has "at 3"' 60
for verb in vacate requeue create; do
	note "$verb"
	must_fail slurm_try "$verb" "$JOB" 2> err
	cat err
	grep -q 'No space left on device' err
	slurm_try error "$JOB" | grep 'No space left on device'
	[ "$(job_state "$JOB")" = RUNNING ]
	box in n1 ls -R "$small/$JOB" > ls
	must_fail grep -q 'context\|manifest\|gen-' ls
done
[ "$(slurm_try able "$JOB")" = Yes ]

note "with room it works, and ends the job"
box in n1 mount -o remount,size=64m "$small"
now=$(grep -c ^at "$OUT")
wait_for '[ "$(grep -c ^at "$OUT")" -gt $now ]' 60
slurm_try vacate "$JOB"
slurm_finish | grep CANCELLED
box in n1 grep -q '"op": *"vacate"' "$small/$JOB/gen-1/manifest.json"
must_fail grep -q ends "$OUT"
