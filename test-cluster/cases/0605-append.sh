#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What was appended to a file after the checkpoint: kept, moved aside, or named.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"

cc_prog appender - <<'C'
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	FILE *log = fopen("log", "a");

	fputs("first\n", log);
	fflush(log);
	puts("ready");
	fflush(stdout);
	while (access("go", F_OK))
		usleep(2000);
	fputs("second\n", log);
	return fclose(log);
}
C

start ./appender
cr_checkpoint -f img "$PID"
touch go
wait "$PID"
[ "$(cat log)" = "$(printf 'first\nsecond')" ]

note "an obstacle, with what to do"
must_fail cr_restart --append=fail img 2>err
grep -q 'log has grown since the checkpoint (13 bytes now, 6 then).*--append=cut' err ||
	fail "$(cat err)"
[ "$(wc -l <log)" = 2 ]
note "which --check tells, too"
must_fail cr_restart --check --append=fail img 2>err
grep -q 'log has grown since the checkpoint (13 bytes now, 6 then).*--append=cut' err ||
	fail "$(cat err)"
cr_restart --check img
cr_restart --check --append=cut img

note "moved aside"
cr_restart --append=cut img 2>err
[ "$(cat log)" = "$(printf 'first\nsecond')" ]
[ "$(cat log.after-checkpoint-*)" = second ]
grep -q 'log has grown.*is kept in .*log.after-checkpoint' err

note "kept, if nothing is said"
cr_restart img 2>err
[ "$(cat log)" = "$(printf 'first\nsecond\nsecond')" ]
grep -q 'log has grown.*what was added stays' err || fail "$(cat err)"

note "nothing is said of a file that has not"
echo first >log
cr_restart --append=fail img 2>err
must_fail grep grown err
must_fail cr_restart --append=perhaps img 2>err
grep -q 'is not keep, cut or fail' err
