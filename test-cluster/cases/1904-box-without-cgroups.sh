#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A box works where there are no version 1 cgroups.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
export BOX_CGROUP=none
box_up 2
box status | grep -q 'cgroup none'
box in ctl scontrol show config | grep -q 'ProctrackType *= proctrack/linuxproc'
[ "$(as_alice timeout 20 srun -N2 hostname | sort | xargs)" = "n1 n2" ]
status=0
as_alice timeout 20 srun sh -c 'exit 3' 2>/dev/null || status=$?
[ $status = 3 ] || fail "exit status $status, not 3"
