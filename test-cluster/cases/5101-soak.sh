#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 20 cycles of checkpoint, kill and restart of 50 processes and 500 threads.
# time limit: 900
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"
need_choose_ids
# alone with its semaphores: those that others leave cost time at each stop
if [ "$(id -u)" = 0 ] && [ -z "${CR_SOAK_ALONE:-}" ]; then
	CR_SOAK_ALONE=1 exec unshare --ipc bash "$CASE"
fi
enter_pidns
tmpdir
soak_build soak
mkdir w; cd w
soak "${CR_SOAK_CYCLES:-20}" ../soak
