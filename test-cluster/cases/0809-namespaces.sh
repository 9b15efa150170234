#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A program in a namespace of its own is refused with the way out if a restart
# would show it another system, and saved if not.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
need_root
enter_pidns
tmpdir
cc_prog ticker "$CR_SRC/test-cluster/cases/ticker.c"

# begin CMD...: it runs the program; its id is in $pid.
begin() {
	rm -f go
	: >out
	setsid "$@" ./ticker </dev/null >out 2>&1 &
	waiter=$!
	wait_for 'grep -q ready out' 20
	pid=$(running ticker)
}
end() {
	touch go
	wait $waiter || true
	wait_for '[ -z "$(running ticker)" ]' 20
}
refused() { # TEXT CMD...
	local text=$1
	shift
	begin "$@"
	must_fail cr_checkpoint --check "$pid" 2>asked
	must_fail cr_checkpoint --kill -f image "$pid" 2>err
	cmp err asked
	grep -Eq "$text" err || fail "$text: not in: $(cat err)"
	[ ! -e image ] || fail "there is an image"
	end
}
saved() { # CMD...
	begin "$@"
	cr_checkpoint -f image "$pid" || fail "$*"
	end
	restart_is 5 image
}

own="namespace of its own, and a restart would not be; run cr_checkpoint, and "
refused "is in a network $own" unshare --net
refused "is in a host name \(uts\) $own" unshare --uts
refused "is in a user $own" unshare --user --map-root-user
refused "is in a user $own" setpriv --reuid=$CR_TEST_UID --clear-groups \
	unshare --user --map-root-user
mkdir here
refused "is in a mount $own" unshare --mount \
	sh -c 'mount -t tmpfs none here && exec "$@"' sh
refused "process 1: is the first process of a pid namespace.* below that" \
	unshare --pid --fork
saved unshare --mount
begin unshare --mount
mount -t tmpfs none here # it came later
cr_checkpoint -f image "$pid"
umount here
end
restart_is 5 image
saved unshare --pid --fork "$(_pid1)" # below an init
saved unshare --ipc
saved setpriv --reuid=$CR_TEST_UID --clear-groups --bounding-set=-all \
	unshare --user --map-user=$CR_TEST_UID --keep-caps setpriv \
	--inh-caps=-all

note "the way out is as the message says"
rm go
cat >inside <<'E2'
mount -t tmpfs none here
hostname there
setsid ./ticker </dev/null >out 2>&1 &
pid=$!
until grep -q ready out; do sleep 0.05; done
echo $pid >pid
until [ -e again ]; do sleep 0.05; done
wait
cr_restart image
echo $? >status
E2
: >out
unshare --uts --mount bash inside &
inside=$!
wait_for '[ -s pid ]' 20
pid=$(cat pid)
must_fail cr_checkpoint -f image "$pid" 2>err
nsenter --target "$pid" --uts --mount --wd="$T" \
	cr_checkpoint --kill -f image "$pid"
touch go again
wait $inside
[ "$(cat status)" = 5 ] || fail "status $(cat status)"

note "what cr_restart has made is no other system: generation after generation"
rm go
start ./ticker
save image
for i in 1 2 3; do
	cr_restart --no-restore-pid image 2>err &
	front=$!
	wait_for '[ -n "$(running ticker)" ] || gone $front' 20
	cr_checkpoint --kill -f image $front || fail "$i: $(cat err)"
	wait $front || true
done
touch go
restart_is 5 image
