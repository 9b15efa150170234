#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A program at its limit of address space: kill -9 of the tracer leaves the limit, and a restart says what it needs.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
need prlimit
cc_prog careful "$CR_SRC/test-cluster/cases/careful.c"
cc_prog killer "$CR_SRC/test-cluster/cases/killer.c"

setsid ./careful </dev/null >out 2>&1 &
job=$!
wait_for 'grep -q ready out' 20
pid=$(first_of careful)

# is_limit SOFT: of the address space
is_limit() { grep -q "^Max address space *$1 *unlimited" "/proc/$pid/limits"; }
is_limit unlimited || skip "the limit is another one from the start"

note "a soft limit, raised for a moment"
prlimit --as=4096:unlimited --pid "$pid"
t0=$(date +%s%N)
cr_checkpoint -q -f image "$pid"
whole=$((($(date +%s%N) - t0) / 1000))
is_limit 4096
killed=0
for ((i = 0; i < 30; i++)); do
	! ./killer $((whole * i / 30)) cr_checkpoint -q -f image "$pid" 2>err ||
		killed=$((killed + 1))
	wait_for 'is_limit 4096' 10
	[ "$(cat out)" = ready ] || fail "run $i: $(cat out err)"
done
note "$killed of $i killed"
[ $killed -gt 0 ]
cr_checkpoint -q --kill -f image "$pid"
wait $job 2>/dev/null || true
wait_for '[ -z "$(running careful)" ]' 20

# under LIMIT COMMAND...: an ordinary user has no more than LIMIT KiB
under() {
	# shellcheck disable=SC2016
	as_user sh -c 'ulimit -v "$1" && shift && exec "$@"' sh "$@"
}
[ "$(id -u)" = 0 ] || as_user() { "$@"; }

note "a hard limit, where it is restarted"
user_dir user
cd user
: >out
chmod 666 out
as_user setsid ../careful </dev/null >out 2>&1 &
job=$!
wait_for 'grep -q ready out' 20
pid=$(first_of careful)
size=$(sed -n 's/^VmSize:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status")
as_user cr_checkpoint -q --kill -f image "$pid"
wait $job 2>/dev/null || true
wait_for '[ -z "$(running careful)" ]' 20
must_fail under "$size" cr_restart --check image 2>err
need=$(sed -n 's/.* process [0-9]* needs \([0-9]*\) KiB of addresses.*/\1/p' err)
grep -q "while it is restarted, and the limit here is $size KiB (RLIMIT_AS); raise it (ulimit -v)\$" err && [ -n "$need" ] || fail "$(cat err)"
must_fail under $((need - 4)) cr_restart image 2>err
grep -q "needs $need KiB" err || fail "$(cat err)"
under "$need" timeout 60 cr_restart image >more 2>err &
job=$!
wait_for '[ -n "$(first_of careful)" ] || gone $job' 20
! gone $job || fail "restart: $(cat err)"
kill -TERM "$(first_of careful)"
status=0
wait $job || status=$?
[ $status = 7 ] || fail "status $status: $(cat out more err)"
