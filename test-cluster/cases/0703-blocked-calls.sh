#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Threads that wait in every kind of call, over a checkpoint and over a restart.
# time limit: 240
# sub-cases: state/call-*.c state/part-*.c
. "$(dirname "$0")/lib.sh"
. "$CR_SRC/test-cluster/cases/state.sh"
state_main
