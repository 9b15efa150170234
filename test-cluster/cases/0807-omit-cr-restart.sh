#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A checkpoint that names cr_restart means what it restarted; --omit-*.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
cat >job <<'END'
echo ready
n=0
while [ ! -e end ]; do
	sleep 0.02
	n=$((n + 1))
	echo $n >>count
done
exit 7
END
lines() { cat count 2>/dev/null | wc -l; }
goes_on() {
	local n
	n=$(lines)
	wait_for "[ \$(lines) -gt $n ]" 20
}
commands() { cr_info --json "$1" | grep -c '"ppid"'; }

note "generation after generation, always by the id of cr_restart"
start bash job
goes_on
save image
for opt in $(pid_options) --omit-maybe; do
	cr_restart $opt image &
	restart=$!
	goes_on
	# it runs on; then it ends, and cr_restart with it
	cr_checkpoint -f image.on $restart
	goes_on
	cr_checkpoint --kill -f image $restart
	status=0
	wait $restart || status=$?
	[ $status = 137 ] || fail "status $status"
	for i in image.on image; do
		cr_info --tree $i >said
		must_fail grep cr_restart said
		grep -q 'bash job' said || fail "$(cat said)"
	done
done
seq 1 "$(lines)" | cmp - count
touch end
restart_is 7 image.on
restart_is 7 image

note "in a larger tree it is left out if it says so, and runs on"
rm -f end count
start bash job
goes_on
save image
for opt in --omit-always --omit-maybe; do
	rm -f end
	setsid bash -c "cr_restart $opt image; echo \$? >ended" &
	script=$!
	goes_on
	if [ $opt = --omit-always ]; then
		cr_checkpoint -f outer $script
		cr_info --tree outer >said
		must_fail grep 'cr_restart *image' said
		grep -q 'bash job' said || fail "$(cat said)"
	elif cr_checkpoint -f outer $script 2>err; then
		cr_info --tree outer >said
		grep -q 'cr_restart' said || fail "$(cat said)"
	fi
	goes_on
	touch end
	wait $script
	[ "$(cat ended)" = 7 ] || fail "$(cat ended)"
done

note "a group or session that has cr_restart in it is not its tree"
rm -f end
cr_restart --omit-never image &
restart=$!
goes_on
if cr_checkpoint -f image2 $restart 2>err; then
	cr_info --tree image2 | grep -q cr_restart || fail "it was left out"
fi
touch end
status=0
wait $restart || status=$?
[ $status = 7 ] || fail "status $status"
