#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A process with a lower half survives 20 checkpoints and restarts, and nothing grows
# time limit: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

lower_prog survive
"$T/survive" "$T" > out 2>&1 < /dev/null &
pid=$!
wait_for 'grep -q "^restarts 0 " out' 30
restart=
for n in $(seq 20); do
	timeout 30 cr_checkpoint -f "context.$n" "$pid"
	kill -9 "$pid"
	wait "${restart:-$pid}" || :
	wait_for 'gone $pid' 10
	timeout 170 cr_restart "context.$n" < /dev/null &
	restart=$!
	wait_for 'grep -q "^restarts $n " out' 30
done
touch end
wait "$restart"
cat out
grep -q '^end after 20 restarts$' out
read -r _ _ _ fds1 _ threads1 _ maps1 < <(grep '^restarts 1 ' out)
read -r _ _ _ fds20 _ threads20 _ maps20 < <(grep '^restarts 20 ' out)
[ "$fds1 $threads1" = "$fds20 $threads20" ]
[ "$maps20" -le $((maps1 + 2)) ]
