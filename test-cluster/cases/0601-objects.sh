#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Open things of every kind, over a checkpoint and over a restart.
# time limit: 600
# sub-cases: state/fd-*.c state/ipc-*.c
. "$(dirname "$0")/lib.sh"
enter_ipcns # ids of System V IPC that nobody else takes meanwhile
. "$CR_SRC/test-cluster/cases/state.sh"
state_main
