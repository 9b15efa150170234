#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Callbacks add processes and trees to the request; all come back together.
# time limit: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
# forward NAME: its callback forwards as the lines of NAME.do ("SCOPE ID" or
# "omit") say, results to NAME.log; ends when there is a file "go"
cc_prog forward - -lcr "-Wl,-rpath,$CR_PREFIX/lib" <<'END'
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libcr.h>

static const char *name;

static FILE *open_file(const char *suffix, const char *mode)
{
	char path[64];

	snprintf(path, sizeof(path), "%s.%s", name, suffix);
	return fopen(path, mode);
}

static void say(const char *what, int value)
{
	FILE *f = open_file("log", "ae");

	fprintf(f, "%s %d\n", what, value);
	fclose(f);
}

static int callback(void *arg)
{
	FILE *f = open_file("do", "re");
	char word[16];
	int id, rc, flags = CR_CHECKPOINT_READY;

	say("begin", 0);
	while (f && fscanf(f, "%15s %d", word, &id) == 2) {
		if (!strcmp(word, "omit")) {
			flags = CR_CHECKPOINT_OMIT;
			continue;
		}
		if (!strcmp(word, "wait")) {
			while (access("seen.log", F_OK))
				usleep(5000);
			continue;
		}
		rc = cr_forward_checkpoint(!strcmp(word, "tree") ?
						   CR_SCOPE_TREE :
					   !strcmp(word, "group") ?
						   CR_SCOPE_PGRP :
						   CR_SCOPE_PROC, id);
		say(word, rc ? errno : 0);
	}
	if (f)
		fclose(f);
	rc = cr_checkpoint(flags);
	say("end", rc);
	return 0;
}

int main(int argc, char **argv)
{
	name = argv[1];
	cr_init();
	cr_register_callback(callback, NULL, CR_THREAD_CONTEXT);
	if (cr_forward_checkpoint(CR_SCOPE_PROC, getppid()) != -1 ||
	    errno != CR_ENOTCB)
		return 1;
	fclose(open_file("up", "w"));
	while (access("go", F_OK) || cr_status() != CR_STATE_IDLE)
		usleep(5000);
	say("pid", getpid());
	return 7;
}
END
# up NAME CMD...: in a session of its own
up() {
	rm -f "$1.up" "$1.log"
	setsid "${@:2}" >"$1.out" 2>&1 </dev/null &
	wait_for "[ -e $1.up ]" 20
}
# log NAME TEXT
log() {
	wait_for "[ \"\$(cat $1.log 2>/dev/null | xargs)\" = '$2' ]" 20 ||
		fail "$1: $(cat "$1.log")"
}
all_gone() { wait_for '[ -z "$(running forward)$(running sleep)" ]' 20; }
cat >tree <<'END'
sleep 1000 &
kid=$!
./forward seen
kill $kid
wait $kid
echo "tree: $?" >tree.end
END

note "one other process, a whole tree, and overlap"
up one ./forward one
one=$!
up other ./forward other
other=$!
up seen bash tree
tree=$!
seen=$(running forward | sort -n | tail -n 1)
# tree's callback answers while one's waits for it; it forwards back
printf '%s\n' "proc $other" "tree $tree" "wait 0" "proc $seen" "proc $one" \
	"tree $one" "proc 0" "tree $tree" "proc 4000000" >one.do
echo "proc $one" >seen.do
cr_checkpoint -p -f image $one
log one "begin 0 proc 0 tree 0 proc 0 proc 0 tree 0 proc 0 tree 0 proc 3 end 0"
log other "begin 0 end 0"
log seen "begin 0 proc 0 end 0"
[ "$(cr_info --json image | grep -c '"ppid"')" = 5 ] ||
	fail "$(cr_info --tree image)"
touch go
for p in $one $other; do
	status=0
	wait $p || status=$?
	[ $status = 7 ] || fail "status $status"
done
wait $tree
[ "$(cat tree.end)" = "tree: 143" ] || fail "$(cat tree.end)"
all_gone
for opt in $(pid_options); do
	rm -f ./*.log tree.end
	restart_is 7 $opt image
	log one "end 1 pid $one"
	log other "end 1 pid $other"
	log seen "end 1 pid $seen"
	wait_for '[ -e tree.end ]' 20
	[ "$(cat tree.end)" = "tree: 143" ] || fail "$(cat tree.end)"
	all_gone
done

note "all involved end with a killed cr_restart"
rm -f go
cr_restart image &
restart=$!
wait_for '[ "$(running forward | wc -l)" = 3 ]' 20
kill -9 $restart
wait $restart 2>/dev/null || true
all_gone

if can_make_namespaces; then
	note "a restarted one forwards in its own pid namespace"
	rm -f ./*.log
	cr_restart --no-restore-pid image &
	restart=$!
	wait_for '[ "$(running forward | wc -l)" = 3 ]' 20
	root=$(for p in $(running forward); do
		! grep -q "^NSpid:.*[[:space:]]$one\$" /proc/$p/status || echo "$p"
	done)
	cr_checkpoint -p --kill -f image2 "$root"
	log other "end 1 begin 0"
	wait $restart 2>/dev/null || true
	all_gone
	touch go
	rm -f ./*.log
	restart_is 7 image2
	log other "end 1 pid $other"
	log seen "end 1 pid $seen"
	all_gone
fi

note "a launcher that leaves itself out"
rm -f go ./*.do
up one ./forward one
one=$!
up other ./forward other
other=$!
printf '%s\n' "group $other" "omit 0" >one.do
cr_checkpoint -p -f image $one
log one "begin 0 group 0 end -2358"
log other "begin 0 end 0"
touch go
all_gone
rm -f ./*.log
restart_is 7 image
log other "end 1 pid $other"
[ ! -e one.log ] || fail "$(cat one.log)"

note "what stands in the way is refused, and all run on"
rm -f go ./*.do
up one ./forward one
one=$!
# one whose directory is gone
mkdir gone
setsid bash -c 'cd gone; rmdir ../gone; >../lost.up; exec sleep 1000' &
lost=$!
wait_for '[ -e lost.up ]' 20
echo "proc $lost" >one.do
must_fail cr_checkpoint -p -f image3 $one 2>err
grep -q "process $lost: .*directory" err || fail "$(cat err)"
log one "begin 0 proc 0 end -2354"
[ ! -e image3 ] || fail "a file was left"
kill $lost
if [ "$(id -u)" = 0 ]; then
	note "somebody else's process"
	rm -f ./*.log
	setpriv --reuid=20002 --regid=20002 --clear-groups sleep 1000 &
	bob=$!
	wait_for 'grep -q "^Uid:[[:space:]]20002" /proc/$bob/status' 20
	as_user setsid ./forward alice >/dev/null 2>&1 </dev/null &
	wait_for '[ -e alice.up ]' 20
	alice=$(running forward | sort -n | tail -n 1)
	printf '%s\n' "proc $bob" "tree $one" "proc $alice" >alice.do
	as_user "$CR_PREFIX/bin/cr_checkpoint" -p -f image3 "$alice"
	log alice "begin 0 proc 1 tree 1 proc 0 end 0"
	rm -f alice.log
	# root may, with or without CAP_SYS_RESOURCE, but it is alice's
	# program that asks for bob's
	cr_checkpoint -p -f image4 "$alice" || fail "root may not"
	wait_for 'grep -q end alice.log' 20
	[ "$(head -n 4 alice.log | xargs)" = "begin 0 proc 1 tree 1 proc 0" ] ||
		fail "$(cat alice.log)"
	[ "$(cr_info --json image3 | grep -c '"ppid"')" = 1 ] ||
		fail "$(cr_info --tree image3)"
	kill $bob

	note "root asks a program in a user namespace"
	kill -9 "$alice"
	wait_for '[ "$(running forward)" = $one ]' 20
	rm -f alice.log alice.do
	as_user "$CR_PREFIX/bin/cr_restart" image3 2>err &
	restart=$!
	wait_for 'grep -qs "end 1" alice.log || gone $restart' 20
	alice=$(running forward | grep -vx $one)
	rm -f alice.log
	cr_checkpoint -p -f image5 "$alice" || fail "root may not"
	log alice "begin 0 end 0"
fi
touch go
all_gone
