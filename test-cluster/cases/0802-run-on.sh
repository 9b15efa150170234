#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cr_restart runs a command on success and on each kind of failure; signals.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
cc_prog waiter - <<'END'
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t last;

static void on_signal(int signo)
{
	last = signo;
}

int main(int argc, char **argv)
{
	FILE *f = fopen(argv[1], "r");

	signal(SIGUSR1, on_signal);
	signal(SIGHUP, on_signal);
	signal(SIGTERM, on_signal);
	puts("ready");
	fflush(stdout);
	while (access("end", F_OK)) {
		if (last) {
			printf("signal %d\n", (int)last);
			fflush(stdout);
			last = 0;
		}
		usleep(5000);
	}
	return f ? 7 : 1;
}
END
echo data >data
start ./waiter data
save image
touch end

# on KIND...: the command of this kind, of no other, decides the exit status
on() {
	local want=$1 k args=() status=0
	shift
	for k in args temp env perm; do
		args+=("--run-on-fail-$k=echo ran $k; exit 3$(printf '%d' "'$k" |
			tail -c 1)")
	done
	cr_restart "${args[@]}" --run-on-success='echo ran success' "$@" \
		>ran 2>err || status=$?
	grep -qx "ran $want" ran || fail "not $want: $(cat ran err)"
	[ "$(grep -c ran ran)" = 1 ] || fail "more than $want: $(cat ran)"
	[ "$want" = success ] || [ $status = "3$(printf '%d' "'$want" |
		tail -c 1)" ] || fail "$want: status $status"
}

note "each kind of failure has its command, whose status is cr_restart's"
on success image
on args --signal 99 image
on args
mv data data.off
on env image
mv data.off data
head -c 5000 image >cut
on perm cut
echo nothing >text
on perm text
if [ "$(id -u)" = 0 ]; then
	rm end
	start ./waiter data
	cr_checkpoint -f image2 "$PID"
	on temp --restore-pid image2
	touch end
	wait "$PID" || true
fi
rm -f ran
status=0
cr_restart --run-on-failure='echo failed >ran; exit 9' text 2>err || status=$?
[ $status = 9 ] && [ "$(cat ran)" = failed ] || fail "$status: $(cat err)"
# a special one goes before the general one, and without any it is 125
status=0
cr_restart --run-on-failure='exit 9' --run-on-fail-perm='exit 8' text 2>err ||
	status=$?
[ $status = 8 ] || fail "status $status"
status=0
cr_restart text 2>err || status=$?
[ $status = 125 ] || fail "status $status"

note "signals afterwards, and those that it hands on; it ends as they end"
rm end
# state WHAT: of the restarted process
restarted() { pid=$(running waiter | head -n 1) && [ -n "$pid" ]; }
cr_restart --signal 10 image 2>err &
restart=$!
wait_for 'grep -qx "signal 10" out' 20
kill -HUP $restart
wait_for 'grep -qx "signal 1" out' 20
kill -TERM $restart
wait_for 'grep -qx "signal 15" out' 20
restarted
kill -9 "$pid"
status=0
wait $restart || status=$?
[ $status = 137 ] || fail "status $status"
cr_restart --stop image 2>err &
restart=$!
wait_for 'restarted && grep -q "^State:.T" /proc/$pid/status' 20
kill -CONT "$pid"
touch end
status=0
wait $restart || status=$?
[ $status = 7 ] || fail "status $status"
for opt in --term --abort --kill; do
	rm -f end
	status=0
	cr_restart $opt image 2>err &
	restart=$!
	if [ $opt = --term ]; then
		wait_for 'grep -qx "signal 15" out' 20
		touch end
	fi
	wait $restart || status=$?
	case $opt in
	--term)  [ $status = 7 ] ;;
	--abort) [ $status = 134 ] ;;
	--kill)  [ $status = 137 ] ;;
	esac || fail "$opt: status $status: $(cat err)"
done
touch end
restart_is 7 --cont --run image
