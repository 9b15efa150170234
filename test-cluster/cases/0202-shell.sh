#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Shells with loops, children, pipes and background jobs end as undisturbed.
# time limit: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
need_choose_ids
enter_pidns
tmpdir
cat >job <<'END'
trap 'echo trapped' USR1
x=0
(for i in 1 2 3 4 5 6 7 8; do echo bg $i; sleep 0.1; done) | sed 's/^/sed: /' &
bg=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	x=$((x + i))
	y=$(echo $i | tr 0-9 a-j; sleep 0.02)
	seq 1 100 | sort -rn | (sleep 0.03; cat) | tail -n 1 >>tails
	echo "i=$i x=$x y=$y status=$?"
done
wait $bg
echo "background: $?"
(exit 5)
echo "sub: $?"
exit 9
END

for shell in dash bash; do
	command -v $shell >/dev/null || continue
	rm -f tails
	status=0
	$shell job >plain 2>&1 </dev/null || status=$?
	[ $status = 9 ] || fail "$shell: $status"
	sort plain >want
	for run in $(seq "${CR_TEST_RUNS:-6}"); do
		rm -f out tails image
		setsid $shell job >out 2>&1 </dev/null &
		PID=$!
		wait_for '[ -s out ]' 10
		sleep 0.$((RANDOM % 7))$((RANDOM % 10))
		save image
		restart_is 9 --restore-pid image
		sort out | diff want - || fail "$shell, run $run"
		[ "$(wc -l <tails)" = 12 ] || fail "$shell, run $run: tails"
	done
done
