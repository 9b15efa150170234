#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Processes and their calls as an ordinary user, who gets a namespace for the ids.
# time limit: 600
# sub-cases: state/mem-*.c state/proc-*.c state/sig-*.c state/tree-*.c state/call-*.c
. "$(dirname "$0")/lib.sh"
. "$CR_SRC/test-cluster/cases/state.sh"
state_main user
