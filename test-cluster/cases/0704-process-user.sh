#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Processes and their calls as an ordinary user, who gets a namespace for the ids.
# time limit: 600
# sub-cases: state/mem-*.c state/proc-*.c state/sig-*.c state/tree-*.c state/call-*.c
. "$(dirname "$0")/lib.sh"
enter_pidns
need_root
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
. "$CR_SRC/test-cluster/cases/state.sh"
state_build state
run_as() { as_user "$@"; }
state_ids=--no-restore-pid
state_all state_one
