#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Several checkpoints of one program at once are all whole; of several restarts
# that want the same ids one runs, unharmed by the others.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
need_choose_ids
enter_pidns
tmpdir
cc_prog ticker "$CR_SRC/test-cluster/cases/ticker.c"
start ./ticker log

note "checkpoints: into files of their own, and into one"
for file in own one; do
	commands=()
	for i in 1 2 3 4; do
		name=$file
		[ $file = one ] || name+=$i
		cr_checkpoint -f "$name" "$PID" 2>"err$i" &
		commands+=($!)
	done
	for i in 1 2 3 4; do
		wait "${commands[i - 1]}" || fail "$file $i: $(cat "err$i")"
	done
done
for name in own1 own2 own3 own4 one; do
	cr_info --verify $name 2>said || fail "$(cat said)"
done
[ -z "$(ls -A | grep incomplete)" ] || fail "$(ls -A)"

note "restarts: one gets the ids"
save image
for round in 1 2 3; do
	rm -f go
	commands=()
	for i in 1 2 3; do
		cr_restart --restore-pid image 2>"err$i" &
		commands+=($!)
	done
	wait_for '[ "$(for c in "${commands[@]}"; do gone $c || echo; done |
		wc -l)" = 1 ] && [ -n "$(running ticker)" ]' 30
	n=$(stat -c %s log)
	wait_for '[ "$(stat -c %s log)" -gt '"$n"' ]' 20
	touch go
	ran=0
	for i in 1 2 3; do
		status=0
		wait "${commands[i - 1]}" || status=$?
		case $status in
		5) ran=$((ran + 1)) ;;
		125) grep -Eq "process $PID .*(its id belongs to|its id is in use|its id is that of)|process $PID: .*id is in use" \
			"err$i" || fail "$(cat "err$i")" ;;
		*) fail "status $status: $(cat "err$i")" ;;
		esac
	done
	[ $ran = 1 ] || fail "$ran ran: $(cat err?)"
	wait_for '[ -z "$(running ticker)$(running cr_restart)" ]' 20
done

note "in namespaces of their own all run"
rm -f go
commands=()
if can_make_namespaces; then
	for i in 1 2 3; do
		cr_restart --no-restore-pid image 2>"err$i" &
		commands+=($!)
	done
	wait_for '[ "$(running ticker | wc -l)" = 3 ]' 30
	touch go
	for i in 1 2 3; do
		status=0
		wait "${commands[i - 1]}" || status=$?
		[ $status = 5 ] || fail "status $status: $(cat "err$i")"
	done
fi
