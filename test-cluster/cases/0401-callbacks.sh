#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Callbacks in both contexts see each checkpoint and each of two restarts.
# time limit: 90
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
cc_prog callbacks "$CR_SRC/examples/callbacks.c" -lcr "-Wl,-rpath,$CR_PREFIX/lib"

done_steps() { grep -c generation out || true; }

steps=$((60 * ${CR_TEST_PATIENCE:-1}))
./callbacks $steps >out 2>&1 &
pid=$!
wait_for '[ "$(done_steps)" -ge 3 ]' 20
cr_checkpoint -f ctx1 $pid
wait_for 'grep -q "going on" out' 20
n=$(done_steps)
wait_for '[ "$(done_steps)" -gt $n ]' 20
cr_checkpoint --kill -f ctx1 $pid
wait $pid || true

# restart, a second generation from the restarted process, its restart
cr_restart ctx1 &
restart=$!
wait_for 'grep -q "generation 1" out' 20
grep -q "callbacks: restarted from $T/ctx1" out
cr_checkpoint --kill -f ctx2 $pid
wait $restart || true
cr_restart ctx2
grep -q "callbacks: restarted from $T/ctx2" out

# every step once and in one piece, and what happened in between
sed -n 's/^step \([0-9]*\) in one piece, generation [012]$/\1/p' out >got
seq 0 $((steps - 1)) | cmp - got || fail "$(cat out)"
grep -q "step $((steps - 1)) in one piece, generation 2" out
[ "$(grep callbacks: out)" = "callbacks: a checkpoint to $T/ctx1
callbacks: going on
callbacks: a checkpoint to $T/ctx1
callbacks: restarted from $T/ctx1
callbacks: a checkpoint to $T/ctx2
callbacks: restarted from $T/ctx2" ] || fail "$(grep callbacks: out)"
