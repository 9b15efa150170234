#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A signal that whoever starts cr_restart has blocked is the program's when it runs.
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
env --block-signal=USR1 true 2>/dev/null || skip "needs env --block-signal"
cc_prog memory "$CR_SRC/test-cluster/cases/memory.c"

setsid ./memory >out 2>&1 </dev/null &
wait_for 'grep -q ready out' 20
cr_checkpoint --kill -f img "$(first_of memory)" || fail "save"
wait $! 2>/dev/null || true
wait_for '[ -z "$(running memory)" ]' 20

# it comes before anything else
# shellcheck disable=SC2016
env --block-signal=USR1 sh -c 'kill -USR1 $$; exec cr_restart img' \
	2>err &
wait_for 'grep -q "^good 1\$" out || gone $!' 20
grep -q "^good 1\$" out || fail "$(cat err out)"
kill -TERM "$(first_of memory)"
status=0
wait $! || status=$?
[ $status = 7 ] || fail "status $status: $(cat err out)"
