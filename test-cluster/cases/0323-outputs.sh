#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Nobody reads what a command writes, or it may not be written: the checkpoint is
# given up in time, the program runs on, and nothing of ours stays behind.
# time limit: 90
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
need_root # so not in guests (case 4004): nothing here is up to the kernel
enter_pidns
tmpdir
cc_prog ticker "$CR_SRC/test-cluster/cases/ticker.c"
start ./ticker log
pid=$PID

# runs_on: it does, and nobody holds it; no helper is left.
runs_on() {
	local n
	n=$(stat -c %s log)
	wait_for '[ "$(stat -c %s log)" -gt '"$n"' ]' 20
	wait_for '[ -z "$(running cr_tracer)" ]' 20
	grep -q '^TracerPid:[[:space:]]*0$' "/proc/$pid/status"
}
# gives_up STATUS TEXT CMD...
gives_up() {
	local want=$1 text=$2 status=0
	shift 2
	"$@" 2>err || status=$?
	[ $status = "$want" ] || fail "$*: status $status: $(cat err)"
	grep -q -- "$text" err || fail "$text: not in: $(cat err)"
	runs_on
}

note "a FIFO that nobody reads"
mkfifo fifo
for how in "" --clobber --backup --noclobber; do
	gives_up 1 "the time is over" cr_checkpoint $how -t 0.2 -f fifo "$pid"
done
for sig in INT TERM HUP QUIT KILL; do
	cr_checkpoint -f fifo "$pid" 2>err &
	command=$!
	wait_for '[ -n "$(running cr_tracer)" ]' 20
	kill -s $sig $command
	status=0
	wait $command || status=$?
	[ $status = $((128 + $(kill -l $sig))) ] || fail "$sig: status $status"
	runs_on
done
[ -p fifo ] || fail "it was replaced"

note "one that somebody reads a little of; the program stands still meanwhile"
for sig in TERM KILL; do
	cr_checkpoint --kill -f fifo "$pid" 2>err &
	command=$!
	exec 5<fifo
	head -c 1 <&5 >first
	wait_for 'grep -q "^State:.t" /proc/$pid/status' 20
	kill -s $sig $command
	status=0
	wait $command || status=$?
	[ $status = $((128 + $(kill -l $sig))) ] || fail "$sig: status $status"
	runs_on
	exec 5<&-
done
mkfifo slow # its other end has a process that is stopped
cat slow >/dev/null &
reader=$!
at_exit "kill -9 $reader 2>/dev/null"
exec 6>slow
kill -STOP $reader
gives_up 1 "the time is over" cr_checkpoint --kill -t 0.3 -F 6 "$pid"
exec 6>&-
kill -KILL $reader
wait $reader || true
gives_up 1 "Broken pipe" eval 'cr_checkpoint -F 7 $pid 7> >(head -c 1 >first)'

note "somebody reads all of it, by and by"
cat fifo >image & # whoever opens first
cr_checkpoint -f fifo "$pid"
wait $!
cr_info --verify image
(cr_checkpoint -F 1 "$pid" && echo done >status) | cat >image
[ -s status ] && cr_info --verify image

note "what may not be written"
gives_up 1 "No space left" cr_checkpoint -f /dev/full "$pid"
gives_up 1 "cannot create $T/none/x: No such file" \
	cr_checkpoint -f none/x "$pid"
gives_up 1 "File too large" bash -c "ulimit -f 20; cr_checkpoint -f big $pid"
[ ! -e big ] || fail "a file was left"
gives_up 1 "descriptor 77: Bad file" cr_checkpoint -F 77 "$pid"
gives_up 1 "not open for writing" cr_checkpoint -F 5 "$pid" 5<log

note "standard descriptors are closed: messages go nowhere else"
for redirect in '<&-' '>&-' '2>&-' '<&- >&-' '<&- >&- 2>&-'; do
	rm -f image
	eval "cr_checkpoint -v -f image $pid $redirect" >times
	cr_info --verify image 2>said || fail "$redirect: $(cat said)"
	must_fail eval "cr_checkpoint -v -f image $pid.0 $redirect" 2>err
	must_fail eval "cr_info --all image >&- $redirect" 2>err
	must_fail eval "cr_checkpoint -F 1 $pid >&- $redirect" 2>err
done
cr_checkpoint --kill -f image "$pid"
wait "$pid" || true
touch go
for redirect in '<&-' '>&-' '2>&-' '<&- >&-' '<&- >&- 2>&-'; do
	status=0
	eval "cr_restart -v image $redirect" >said 2>err || status=$?
	[ $status = 5 ] || fail "$redirect: status $status: $(cat err)"
done

note "nobody reads what cr_restart says: the program goes on"
rm go
rm status
(cr_restart -v image 2>&1 || echo $? >status) | head -c 1 >first &
wait_for '[ -n "$(running ticker)" ]' 20
pid=$(running ticker)
runs_on
touch go
wait_for '[ -s status ] && [ -z "$(running cr_restart)" ]' 20
[ "$(cat status)" = 5 ] || fail "status $(cat status)"
status=0
(ulimit -f 0; exec cr_restart -v --check image 2>>err) || status=$?
[ $status = 0 ] || fail "a message that is too long: status $status"
