#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The helpers of the system tests do what they say.
# time limit: 30
. "$(dirname "$0")/lib.sh"
tmpdir
need unshare setpriv

# in_pidns: exit status, descriptors, pid 1 reaps orphans at once, nothing
# survives.
status=0
in_pidns bash -c 'exit 7' || status=$?
[ $status = 7 ] || fail "in_pidns: status $status, not 7"
status=0
in_pidns bash -c 'kill -TERM $$' || status=$?
[ $status = 143 ] || fail "in_pidns: status $status, not 143"
exec 5</dev/null
in_pidns test ! -e /proc/self/fd/5 || fail "in_pidns: descriptor 5 is open"
exec 5<&-
cat >orphan.sh <<'X'
(sleep 0.1 & echo $! >orphan)
while [ -e /proc/$(cat orphan) ]; do sleep 0.02; done
sleep 1000 &
X
SECONDS=0
in_pidns bash orphan.sh
[ $SECONDS -lt 5 ] || fail "in_pidns waited for an orphan"

# --alone names what is left behind.
status=0
in_pidns unshare -p -f --mount-proc "$(_pid1)" --alone bash -c 'sleep 1000 & disown' 2>left ||
	status=$?
[ $status = 98 ] || fail "pid1 --alone: status $status, not 98"
grep -q 'left behind: process .* sleep' left

# as_user: no root, no capability.
[ "$(as_user id -u)" != 0 ]
[ "$(as_user sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)" = 0000000000000000 ]
as_user touch "$T/by-user"

# cc_prog
cc_prog hello - <<'X'
#include <stdio.h>
int main(void) { puts("hello"); return 0; }
X
[ "$(./hello)" = hello ]

# wait_for, gone
sleep 0.3 &
p=$!
wait_for 'gone $p' 5
(wait_for false 0) >out 2>&1 && fail "wait_for returned"
grep -q 'still not: false' out
