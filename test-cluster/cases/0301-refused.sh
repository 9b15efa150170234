#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What cannot be restarted rightly is refused with the reason, nothing is left.
# time limit: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir

# refused PATTERN ARG...: cr_restart must fail, say so, and leave nothing.
refused() {
	local pattern=$1
	shift
	restart_is 125 "$@"
	grep -Eq "$pattern" err || fail "$pattern: not in: $(cat err)"
	[ -z "$(running ticker)" ] || fail "left: $(running ticker)"
}

cc_prog ticker "$CR_SRC/test-cluster/cases/ticker.c"
cc_prog hold - <<'END'
/* hold.c - runs a command as the process with a given id, waits for it */
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	pid_t id = atoi(argv[1]);
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = (uintptr_t)&id,
				   .set_tid_size = 1 };
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	return pid < 0 || waitpid((pid_t)pid, NULL, 0) < 0;
}
END
mkdir dir
cd dir
start ../ticker ../log
save ../image
cd ..
mv dir/out out
note "the output has moved away"
refused "dir/out.*(No such file|not there|missing)" image
mv out dir/out
note "the working directory has gone"
mv dir elsewhere
refused "$T/dir.*No such file" image
: >dir
refused "working directory $T/dir is no directory" image
rm dir
note "moved paths can be named"
touch elsewhere/go
restart_is 5 --relocate "$T/dir=$T/elsewhere" image
rm elsewhere/go
mv elsewhere dir

if [ "$(id -u)" = 0 ]; then
	note "an id is taken"
	./hold "$PID" sleep 1000 &
	wait_for '[ "$(cat /proc/$PID/comm)" = sleep ]' 10
	refused "process $PID .*running process $PID \(sleep\)" \
		--restore-pid image
	note "... and elsewhere it is free"
	touch dir/go
	restart_is 5 image
	rm dir/go
	kill "$PID"
	wait_for '! [ -e /proc/$PID ]' 10
fi

note "the image is damaged"
size=$(stat -c %s image)
for cut in 0 1 100 4096 $((size / 2)) $((size - 1)); do
	head -c "$cut" image >short
	refused "short: " short
done
for i in $(seq "${CR_TEST_RUNS:-25}"); do
	at=$((RANDOM * 32768 % size + RANDOM % 1000))
	[ $at -lt "$size" ] || at=$((size - 1))
	cp image flipped
	byte=$(od -An -tu1 -j $at -N1 image)
	printf "\\x$(printf %02x $((byte ^ (1 << i % 8))))" |
		dd of=flipped bs=1 seek=$at conv=notrunc status=none
	status=0
	touch dir/go
	timeout 20 cr_restart flipped 2>err || status=$?
	rm dir/go
	# bytes between the sections mean nothing
	if [ $status = 5 ]; then
		cr_info --verify flipped >/dev/null ||
			fail "byte $at: ran, though cr_info finds it bad"
		continue
	fi
	[ $status = 125 ] || fail "byte $at: $status: $(cat err)"
	[ -z "$(running ticker)" ] || fail "byte $at: left"
done
refused "none: .*No such file" none

note "the executable was recompiled"
cc_prog ticker "$CR_SRC/test-cluster/cases/ticker.c" -DVERSION='"two"'
refused "ticker is another one.*build id was [0-9a-f]+ and is" image
cc_prog ticker "$CR_SRC/test-cluster/cases/ticker.c" -Wl,--build-id=none
refused "ticker is another one" image
rm ticker
refused "ticker.*No such file" image
