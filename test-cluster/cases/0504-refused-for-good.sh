#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What would come back wrong without a word is refused, and the program runs on.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
cc_prog refusals "$CR_SRC/test-cluster/cases/refusals.c"

# refused THING MESSAGE: a program with THING is not saved, MESSAGE says why
refused() {
	start ./refusals "$1"
	must_fail cr_checkpoint -f img "$PID" 2>err
	grep -q "$2" err || fail "$1: $(cat err)"
	[ ! -e img ] || fail "$1: there is an image"
	! gone "$PID" || fail "$1: the program ended"
	kill -9 "$PID"
	wait "$PID" 2>/dev/null || true
}

refused aio 'asynchronous I/O'
refused directory 'current directory of its own'
refused descriptors 'descriptors of its own'
[ "$(id -u)" != 0 ] ||
	refused ids 'user ids of its own'
