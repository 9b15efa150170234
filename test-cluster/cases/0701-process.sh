#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Trees, memory, signals, timers and facts of processes, over a checkpoint and over a restart.
# time limit: 300
# sub-cases: state/mem-*.c state/proc-*.c state/sig-*.c state/tree-*.c state/kern-*.c
. "$(dirname "$0")/lib.sh"
. "$CR_SRC/test-cluster/cases/state.sh"
state_main
