#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What cannot be saved: which process, what, why and what to do, beforehand by --check.
# time limit: 240
# sub-cases: state/refused-*.c
#
# Those of what can be saved as a rule are in 0601 and 0701.  Not to be brought
# about here: what old kernels do not tell (eventfd, signalfd, timerfd, rseq), a
# message of a UNIX socket over 4 MiB (Linux allows 0.6), other ends and queues
# that change in the microseconds between two looks, memory of a kind that this
# Linux does not have, a file that was removed and is mapped on a file system
# with two device numbers (btrfs, an overlay of old).
. "$(dirname "$0")/lib.sh"
enter_ipcns # ids of System V IPC that nobody else takes meanwhile
. "$CR_SRC/test-cluster/cases/state.sh"
state_main
