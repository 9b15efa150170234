#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A full disk fails a checkpoint: the program runs on, the old image stays.
# time limit: 60
. "$(dirname "$0")/lib.sh"
need_root
enter_pidns
tmpdir

cc_prog big - <<'C'
#include <stdio.h>
#include <unistd.h>
static volatile char block[20 << 20];
int main(void)
{
	for (size_t i = 0; i < sizeof(block); i += 4096)
		block[i] = 1;
	for (long i = 0;; i++) {
		FILE *f = fopen("count.new", "w");
		fprintf(f, "%ld\n", i);
		fclose(f);
		rename("count.new", "count");
		usleep(10000);
	}
}
C
mkdir small
mount -t tmpfs -o size=4m none small
at_exit 'umount small'
echo "the old one" >small/image

setsid ./big </dev/null >/dev/null 2>&1 &
pid=$!
at_exit "kill -9 $pid 2>/dev/null"
wait_for '[ -s count ]' 20

status=0
cr_checkpoint -f small/image "$pid" 2>err || status=$?
[ $status = 1 ] || fail "status $status"
grep -q "small/image.*No space left on device" err
[ "$(ls -A small)" = image ]
[ "$(cat small/image)" = "the old one" ]

# It runs on, and can be checkpointed where there is room.
before=$(cat count)
wait_for '[ "$(cat count)" -gt "$before" ]' 20
cr_checkpoint -f image "$pid"
cr_info --verify image
