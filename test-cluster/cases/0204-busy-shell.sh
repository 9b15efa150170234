#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An ordinary user's shell whose children come and go all the time is saved at any moment.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
cat >busy <<'END'
for ((i = 0; ; i++)); do
	sleep 0.001
	/bin/true || echo "false in $i"
	[ $((i % 10)) != 0 ] || echo "$i" >count
done
END
user_dir home
cd home
as_user sh -c 'exec setsid bash ../busy >out 2>&1 </dev/null' &
wait_for '[ -s count ]' 20
shell=
for f in /proc/[0-9]*; do
	[ -e "$f/cmdline" ] || continue
	[ "$(tr '\0' ' ' 2>/dev/null <"$f/cmdline")" != "bash ../busy " ] || shell=${f#/proc/}
done
[ -n "$shell" ]
at_exit "kill -9 $shell 2>/dev/null"
for ((i = 0; i < ${CR_TEST_RUNS:-40}; i++)); do
	as_user cr_checkpoint -f image "$shell" 2>err ||
		fail "checkpoint $i: $(cat err)"
done
wait_for 'before=$(cat count); [ -n "$before" ]' 20
wait_for '[ "$(cat count)" -gt "$before" ] 2>/dev/null' 20
[ ! -s out ] || fail "$(cat out)"
kill -9 "$shell"
