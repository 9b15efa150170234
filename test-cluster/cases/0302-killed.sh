#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whoever of a restart is killed, and when: no process is left behind.
# time limit: 200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
need_choose_ids
enter_pidns
tmpdir
cc_prog tree "$CR_SRC/test-cluster/cases/tree.c"
start ./tree
save image

all_gone() { [ -z "$(running tree)$(running cr_restart)" ]; }
child_of() { cat "/proc/$1/task/$1/children" 2>/dev/null; }

for opt in $(pid_options); do
	for run in $(seq "${CR_TEST_RUNS:-25}"); do
		cr_restart $opt image 2>err &
		front=$!
		# somewhere in verification, building, or the run
		sleep 0.0$((RANDOM % 10))$((RANDOM % 10))
		victim=$front
		if [ $((run % 3)) = 0 ]; then
			victim=$(child_of $front)
			victim=${victim%% *}
		fi
		kill -9 "${victim:-$front}" 2>/dev/null || true
		wait_for all_gone 10
		wait $front 2>/dev/null || true
	done
done
