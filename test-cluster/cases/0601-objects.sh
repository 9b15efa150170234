#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Open things of every kind, over a checkpoint and over a restart.
# time limit: 600
# sub-cases: state/fd-*.c state/ipc-*.c
. "$(dirname "$0")/lib.sh"
# ids of System V IPC that nobody else takes meanwhile
if [ "$(id -u)" = 0 ] && [ -z "${CR_IN_IPCNS:-}" ]; then
	CR_IN_IPCNS=1 exec unshare --ipc bash "$CASE"
fi
. "$CR_SRC/test-cluster/cases/state.sh"
state_main
