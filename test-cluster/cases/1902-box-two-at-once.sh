#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two boxes on one machine do not see each other; one goes, the other stays.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
need_root
need slurmctld slurmd munged
tmpdir

one() { BOX=$T/one box "$@"; }
two() { BOX=$T/two box "$@"; }
at_exit 'one down; two down'

one up 2 &
two up 1
wait $!
[ "$(one as alice ctl timeout 20 srun -N2 hostname | sort | xargs)" = "n1 n2" ]
[ "$(two as alice ctl sinfo -h -N -p low -o %N)" = n1 ]
one in n1 touch /tmp/one
must_fail two in n1 ls /tmp/one 2>/dev/null
must_fail two up 1 2>refused
grep -q 'is up already' refused
one down
[ ! -e "$T/one" ]
[ "$(two as alice ctl timeout 20 srun hostname)" = n1 ]
