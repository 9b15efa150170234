#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Process groups and sessions: several roots, orphans, leaders that have ended.
# time limit: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
# waits for the file "go", then tells its ids to NAME.ids
cc_prog member - <<'END'
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[64], to[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s.up", argv[1]);
	fclose(fopen(path, "w"));
	while (access("go", F_OK))
		usleep(5000);
	snprintf(path, sizeof(path), "%s.new", argv[1]);
	f = fopen(path, "w");
	fprintf(f, "%d %d %d\n", getpid(), getpgrp(), getsid(0));
	fclose(f);
	snprintf(to, sizeof(to), "%s.ids", argv[1]);
	rename(path, to);
	return 7;
}
END
# a session: the leader and its child; orphans: in the leader's group, in one
# of its own, in one whose leader has ended
cat >session <<'END'
echo $$ >leader.pid
set -m
(./member own & echo $! >own.pid)
(sh -c './member dead & echo $! >dead.pid')
set +m
(./member orphan & echo $! >orphan.pid)
./member child
exit 9
END
ids_of() {
	ps -o pid=,pgid=,sid= -p "$1" | xargs
}
start_session() {
	rm -f ./*.up ./*.ids ./*.pid go
	setsid bash session >out 2>&1 </dev/null &
	wait_for '[ -e own.up ] && [ -e dead.up ] && [ -e orphan.up ] &&
		[ -e child.up ] && [ -s leader.pid ]' 20
	leader=$(cat leader.pid)
	for n in own dead orphan; do
		echo "$n $(ids_of "$(cat $n.pid)")"
	done >before
}
told() { [ -e own.ids ] && [ -e dead.ids ] && [ -e orphan.ids ]; }

for opt in $(pid_options); do
	note "a session, $opt"
	start_session
	cr_checkpoint -s --kill -f image "$leader"
	wait || true
	[ "$(cr_info --json image | grep -c '"ppid"')" = 5 ] ||
		fail "$(cr_info --tree image)"
	wait_for '[ -z "$(running member)" ]' 20
	touch go
	restart_is 9 $opt image
	wait_for told 20
	for n in own dead orphan; do echo "$n $(cat $n.ids)"; done >after
	cmp before after || fail "before: $(cat before) after: $(cat after)"
	wait_for '[ -z "$(running member)" ]' 20
done

note "a group without its leader: two orphans"
cat >group <<'END'
./member first & echo $! >first.pid
./member second & echo $! >second.pid
END
rm -f go ./*.up ./*.ids
set -m
bash group >out 2>&1 </dev/null &
group=$!
set +m
wait $group
wait_for '[ -e first.up ] && [ -e second.up ]' 20
ids_of "$(cat first.pid)" >before
cr_checkpoint -g -f image "$group"
touch go
wait_for '[ -e first.ids ] && [ -e second.ids ]' 20
cmp before first.ids || fail "$(cat before first.ids)"
wait_for '[ -z "$(running member)" ]' 20
rm -f first.ids second.ids
# both go on in cr_restart's group in place of the one that leads outside
restart_is 7 image
wait_for '[ -e first.ids ] && [ -e second.ids ]' 20
[ "$(cut -d' ' -f1 before)" = "$(cut -d' ' -f1 first.ids)" ] ||
	fail "$(cat before first.ids)"
[ "$(cut -d' ' -f2,3 first.ids)" = "$(cut -d' ' -f2,3 second.ids)" ] ||
	fail "$(cat first.ids second.ids)"
wait_for '[ -z "$(running member)" ]' 20
rm -f first.ids second.ids
restart_is 7 --restore-pgid --restore-sid image
wait_for '[ -e first.ids ] && [ -e second.ids ]' 20
cmp before first.ids || fail "$(cat before first.ids)"
wait_for '[ -z "$(running member)" ]' 20

note "a pipeline, whose parent is a shell outside"
rm -f go ./*.up ./*.ids
set -m
./member first | ./member second >out 2>&1 &
set +m
wait_for '[ -e first.up ] && [ -e second.up ]' 20
group=$(ps -o pgid= -p $! | xargs)
cr_checkpoint -g -f image "$group"
touch go
status=0
wait $! || status=$?
[ $status = 7 ] || fail "status $status"
mv first.ids before
rm -f second.ids
restart_is 7 image
wait_for '[ -e first.ids ] && [ -e second.ids ]' 20
[ "$(cut -d' ' -f1,2 before)" = "$(cut -d' ' -f1,2 first.ids)" ] ||
	fail "$(cat before first.ids)"
wait_for '[ -z "$(running member)" ]' 20

note "nothing there"
must_fail cr_checkpoint -g -f image2 "$group" 2>err
grep -q "no such process group" err || fail "$(cat err)"
must_fail cr_checkpoint -s -f image2 "$group" 2>err
grep -q "no such session" err || fail "$(cat err)"
