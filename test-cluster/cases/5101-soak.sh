#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 20 cycles of checkpoint, kill and restart of 50 processes and 500 threads.
# time limit: 900
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"
need_choose_ids
enter_ipcns # the semaphores of others cost time at each stop
enter_pidns
tmpdir
soak_build soak
mkdir w; cd w
soak "${CR_SOAK_CYCLES:-20}" ../soak
