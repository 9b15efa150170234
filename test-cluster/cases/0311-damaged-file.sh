#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A context file that is cut off or damaged anywhere is refused by cr_info and
# cr_restart, and no instruction of the program runs.
# time limit: 90
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir

cc_prog ticker - <<'C'
#include <fcntl.h>
#include <unistd.h>
int main(void)
{
	for (;;) {
		int fd = open("ticks", O_WRONLY | O_CREAT | O_APPEND, 0600);
		if (write(fd, "x", 1) != 1)
			return 1;
		close(fd);
		usleep(1000);
	}
}
C
setsid ./ticker </dev/null >/dev/null 2>&1 &
pid=$!
wait_for '[ -s ticks ]' 20
cr_checkpoint -f image --kill "$pid"
wait_for 'gone $pid' 20
wait "$pid" || true
size=$(stat -c %s image)
ticks=$(stat -c %s ticks)

# refused WHAT: the file "bad" is, by both, and says so in one line.
refused() {
	local status=0
	cr_info --verify bad >out 2>err && fail "$1: cr_info accepts it"
	grep -Eq "^cr_info: bad: (incomplete|damaged|not a context file)" err ||
		fail "$1: $(cat err)"
	cr_restart bad </dev/null >out 2>err || status=$?
	[ $status = 125 ] || fail "$1: cr_restart: status $status"
	grep -Eq "incomplete|damaged|not a context file" err ||
		fail "$1: $(cat err)"
	[ "$(stat -c %s ticks)" = "$ticks" ] || fail "$1: the program ran"
}

for keep in 0 1 64 4096 5000 $((size / 2)) $((size - 64)) $((size - 1)); do
	head -c "$keep" image >bad
	refused "cut off after $keep"
done
for at in 9 4100 $((size / 3)) $((size / 2)) $((size - 5000)) $((size - 70)) \
	$((size - 40)) $((size - 1)); do
	cp image bad
	byte=$(od -An -tu1 -j "$at" -N 1 bad)
	printf "\\x$(printf %02x $((byte ^ 16)))" |
		dd of=bad bs=1 seek="$at" conv=notrunc status=none
	if [ "$at" = 9 ]; then # the version: not damage, but another format
		cr_info bad >out 2>err && fail "another version is accepted"
		grep -q "format version" err
	else
		refused "byte $at flipped"
	fi
done
cp image bad && echo >>bad
refused "one byte more"

# The undamaged one is fine.
cr_restart image </dev/null &
restarted=$!
at_exit "kill -9 $restarted 2>/dev/null"
wait_for '[ "$(stat -c %s ticks)" -gt "$ticks" ]' 20
kill -TERM "$restarted" # which cr_restart hands on, and ends as ticker does
status=0
wait "$restarted" || status=$?
[ $status = 143 ] || fail "status $status after SIGTERM"
