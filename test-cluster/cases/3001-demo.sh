#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The demo: a job loses a node and ends with the right answer, bit for bit.
# time limit: 240
. "$(dirname "$0")/lib.sh"
enter_pidns
need_root
need slurmctld slurmd munged mpicc.openmpi
tmpdir
"$CR_SRC/scripts/demo" -v | tee demo.out
[ "$(tail -n 1 demo.out | sed 's/^.*\] //')" = identical ]
must_fail pgrep -f stillpoint-demo
