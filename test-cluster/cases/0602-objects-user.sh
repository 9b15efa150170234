#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same as an ordinary user, who gets a namespace for the ids.
# time limit: 600
# sub-cases: state/fd-*.c state/ipc-*.c
. "$(dirname "$0")/lib.sh"
enter_ipcns # ids of System V IPC that nobody else takes meanwhile
. "$CR_SRC/test-cluster/cases/state.sh"
state_main user
