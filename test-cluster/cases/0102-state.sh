#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Signals, timers, memory of all kinds, files, threads are as they were.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
cc_prog state "$CR_SRC/test-cluster/cases/state.c"

for opt in $(pid_options); do
	rm -rf go sub
	start ./state
	save image
	touch go
	restart_is 5 $opt image
	tail -n 1 out | grep -q "all right" || fail "$(cat out)"
done
