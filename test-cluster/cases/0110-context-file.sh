#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cr_info tells of a real context file what the program is, file or stream.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
need python3
tmpdir

cc_prog worker - -pthread <<'C'
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
static void *idle(void *arg)
{
	prctl(PR_SET_NAME, "idle one");
	*(volatile int *)arg = 1;
	for (;;)
		pause();
	return NULL;
}
int main(void)
{
	static volatile int up[2];
	pthread_t t[2];
	/* 8 MiB written, of which every other MiB is zeros */
	char *p = aligned_alloc(1 << 20, 8 << 20);
	for (int i = 0; i < 8; i++)
		memset(p + (i << 20), i % 2 ? 0x5a : 0, 1 << 20);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, idle, (void *)&up[i]);
	while (!up[0] || !up[1])
		usleep(1000);
	fclose(fopen("ready", "w"));
	for (;;)
		pause();
}
C
cat >script <<'S'
exec 7>>log
./worker "an argument" &
wait
S
setsid bash script </dev/null >/dev/null 2>&1 &
root=$!
at_exit "kill -9 -- -$root 2>/dev/null"
wait_for '[ -e ready ]' 20
child=$(pgrep -P "$root")

cr_checkpoint -f image "$root"
cr_info --verify image 2>verified
grep -q "^image: verified" verified
LC_ALL=C cr_info -a image >all
grep -q "2 processes, 4 threads" all
grep -q " \`- ./worker an argument" all
grep -q "{idle one} [0-9]* [0-9]*$" all
grep -q " 7  *file  *w .* $T/log.*(append)" all
grep -q "\[heap\]" all

cr_info --json image >json
python3 - "$root" "$child" <<'P'
import json, sys
root, child = map(int, sys.argv[1:])
d = json.load(open("json"))
a, b = d["processes"]
assert (a["pid"], b["pid"], b["ppid"]) == (root, child, root)
assert b["command"] == ["./worker", "an argument"], b["command"]
assert len(b["threads"]) == 3
space = d["address_spaces"][b["address_space"]]
# The zeros are not in the file, the rest of what was written is.
assert 4 << 20 <= space["page_bytes"] < 5 << 20, space["page_bytes"]
P
python3 "$CR_SRC/libcr/image/test/document.py" \
	"$CR_SRC/doc/context-file.md" "$CR_PREFIX/bin/cr_info" image

# Through a pipe, written and read.
cr_checkpoint -F 1 "$root" | cat | cr_info --verify -t - >tree 2>verified
grep -q "an argument" tree
grep -q "^standard input: verified" verified

# Nothing was disturbed, nothing but the image is there.
kill -0 "$root" "$child"
[ -z "$(find . -name '.incomplete*')" ]
