#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What cannot be saved is refused by name, with the program undisturbed.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir

cc_prog odd - <<'C'
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec t;
	aio_context_t aio = 0;

	if (!strcmp(argv[1], "socket")) {
		socket(AF_NETLINK, SOCK_RAW, 0);
	} else if (!strcmp(argv[1], "aio")) {
		syscall(SYS_io_setup, 4, &aio);
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		t = (struct timespec){0, 5000000};
		if (nanosleep(&t, NULL))
			puts("disturbed");
		else
			puts("tick");
		fflush(stdout);
	}
}
C

refused() { # KIND TEXT
	local before
	rm -f out
	setsid ./odd "$1" </dev/null >out 2>&1 &
	pid=$!
	at_exit "kill -9 $pid 2>/dev/null"
	wait_for 'grep -qs ready out' 20
	must_fail cr_checkpoint -f image "$pid" 2>/dev/null
	must_fail cr_checkpoint --check "$pid" 2>err
	grep -q "process $pid: .*$2" err || fail "$1: $(cat err)"
	[ ! -e image ] || fail "$1: a file was left"
	before=$(wc -l <out)
	wait_for '[ "$(wc -l <out)" -gt '"$before"' ]' 20
	must_fail grep disturbed out
	kill -9 "$pid"
	wait "$pid" || true
	note "$1: $(head -n 1 err)"
}

refused socket 'is a socket.*close it'
refused aio 'an asynchronous I/O context.*destroy'

note "nothing in the way: --check says so and writes nothing"
rm -f out
setsid ./odd nothing </dev/null >out 2>&1 &
pid=$!
at_exit "kill -9 $pid 2>/dev/null"
wait_for 'grep -qs ready out' 20
cr_checkpoint --check "$pid"
[ -z "$(ls context.* 2>/dev/null)" ] || fail "a file was left"

note "wrong usage"
for args in "" "0" "x" "--ptraced $pid" "1 2" \
	"-t 0 $pid" "-S 65 $pid" "--snapshot=none $pid"; do
	status=0
	# shellcheck disable=SC2086
	cr_checkpoint $args 2>err || status=$?
	[ $status = 2 ] || fail "cr_checkpoint $args: status $status"
done
must_fail cr_checkpoint 99999999 2>err
grep -q 'no such process' err
if [ "$(id -u)" = 0 ]; then
	note "somebody else's"
	must_fail as_user cr_checkpoint -f "$T/image" "$pid" 2>err
	grep -q "process $pid: may not be looked into" err || fail "$(cat err)"
fi

note "existing files"
echo old >image
must_fail cr_checkpoint --noclobber -f image "$pid" 2>err
[ "$(cat image)" = old ]
cr_checkpoint --backup -f image "$pid"
[ "$(cat image~)" = old ]
cr_info --verify image
cr_checkpoint --backup=second -f image "$pid"
cr_info --verify second
mkdir dir
cr_checkpoint -d dir "$pid"
cr_info --verify "dir/context.$pid"
cr_checkpoint -F 9 "$pid" 9>by-fd
cr_info --verify by-fd
kill -9 "$pid"
