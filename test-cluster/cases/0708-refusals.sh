#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What cannot be saved: which process, what, why and what to do, beforehand by --check.
# time limit: 240
# sub-cases: state/refused-*.c
. "$(dirname "$0")/lib.sh"
# ids of System V IPC that nobody else takes meanwhile
if [ "$(id -u)" = 0 ] && [ -z "${CR_IN_IPCNS:-}" ]; then
	CR_IN_IPCNS=1 exec unshare --ipc bash "$CASE"
fi
. "$CR_SRC/test-cluster/cases/state.sh"
state_main
