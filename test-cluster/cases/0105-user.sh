#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An ordinary user, without any capability, restarts the seed program with the
# same ids, in namespaces; and again from a checkpoint of the restarted one.
# time limit: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
cc_prog crthreadtest "$CR_SRC/examples/crthreadtest.c"
user_dir home
cd home

# program: its id on this host (in the namespaces it may have another)
program() { running crthreadtest | head -n 1; }

for run in $(seq "${CR_TEST_RUNS:-10}"); do
	rm -f out image* err
	as_user sh -c 'setsid ../crthreadtest '$((200 * ${CR_TEST_PATIENCE:-1}))' >out 2>&1 </dev/null & echo $!' \
		>id
	id=$(cat id)
	wait_for 'grep -q iteration out' 10
	sleep 0.0$((RANDOM % 10))
	as_user cr_checkpoint --kill -f image1 "$id" || fail "cr_checkpoint"
	wait_for '[ -z "$(program)" ]' 10
	as_user cr_restart image1 2>err &
	front=$!
	wait_for '[ -n "$(program)" ] || gone $front' 10
	wait_for '[ "$(sed -n "s/^TracerPid:[[:space:]]*//p" \
		/proc/$(program)/status 2>/dev/null)" = 0 ] || gone $front' 10
	sleep 0.$((RANDOM % 2))$((RANDOM % 10))
	as_user cr_checkpoint --kill -f image2 "$(program)" ||
		fail "second cr_checkpoint: $(cat err)"
	status=0
	wait $front || status=$?
	[ $status = 137 ] || fail "first restart: $status: $(cat err)"
	status=0
	as_user cr_restart image2 2>err || status=$?
	[ $status = 7 ] || fail "second restart: $status: $(cat err out)"
	[ "$(wc -l <out)" = 42 ] || fail "$(wc -l <out) lines"
	[ "$(grep -c "^main $id" out)" = 2 ] || fail "$(cat out)"
	[ -z "$(program)" ] || fail "left"
done
