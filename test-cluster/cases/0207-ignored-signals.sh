#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No thread is woken by a signal that the program ignores, because it is being stopped.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_ipcns
enter_pidns
tmpdir
# To one that is traced the kernel tells of each child's end, and wakes any
# thread for it.
cc_prog storm "$CR_SRC/test-cluster/cases/woken.c"
at_exit '[ $status = 0 ] || cat out'
: "${CR_TEST_RUNS:=20}"
. "$CR_SRC/test-cluster/cases/storm.sh"
storm
