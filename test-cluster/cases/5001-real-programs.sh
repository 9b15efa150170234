#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Real programs, saved at five random moments, killed, restarted, end as undisturbed.
# sub-cases: real/programs
# time limit: 1500
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/state.sh"
. "$(dirname "$0")/real/real.sh"
need_choose_ids
enter_pidns
tmpdir
state_end() { real_end; }
state_all real_one
