#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Callbacks that omit, fail for now or for good, sections, a killed requester.
# time limit: 90
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
# reads what its callback is to do from the file "do", counts in "out"
cc_prog refuse - -lcr "-Wl,-rpath,$CR_PREFIX/lib" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libcr.h>

static int callback(void *arg)
{
	int flags = 0, rc, i;
	char word[16] = "";
	FILE *f = fopen("do", "re");

	if (!f || fscanf(f, "%15s", word) != 1)
		exit(3);
	fclose(f);
	if (!strcmp(word, "omit"))
		flags = CR_CHECKPOINT_OMIT;
	if (!strcmp(word, "temp"))
		flags = CR_CHECKPOINT_TEMP_FAILURE_CODE(42);
	if (!strcmp(word, "perm"))
		flags = CR_CHECKPOINT_PERM_FAILURE;
	printf("%s\n", word);
	for (i = 0; i < 2000 && !strcmp(word, "slow"); i++) {
		usleep(10000);
		if (!access("go", F_OK))
			break;
	}
	rc = cr_checkpoint(flags);
	printf("= %d\n", rc);
	return 0;
}

int main(int argc, char **argv)
{
	cr_client_id_t id = cr_init();

	setvbuf(stdout, NULL, _IONBF, 0);
	cr_register_callback(callback, NULL, CR_THREAD_CONTEXT);
	printf("ready\n");
	while (access("end", F_OK)) {
		cr_enter_cs(id);
		while (!access("inside", F_OK))
			usleep(10000);
		cr_leave_cs(id);
		usleep(1000);
	}
	return 7;
}
END
says() { wait_for "grep -qx -- '$1' out" 20; }
start() {
	: >out
	rm -f go end inside
	./refuse >out 2>&1 &
	pid=$!
	says ready
}
finish() {
	local status=0
	touch end
	wait $pid || status=$?
	[ $status = 7 ] || fail "status $status: $(cat out)"
}

note "fails for now: no file, the program runs on"
start
echo temp >do
must_fail cr_checkpoint -f ctx $pid 2>err
grep -q 'for now (code 42)' err || fail "$(cat err)"
says '= -2354'
[ ! -e ctx ] || fail "a file was left"
[ -z "$(ls -A | grep ctx)" ] || fail "$(ls -A)"
echo ready >do
cr_checkpoint -f ctx $pid
says '= 0'
finish

note "fails for good: it is killed"
start
echo perm >do
rm -f ctx
must_fail cr_checkpoint -f ctx $pid 2>err
wait_for "gone $pid" 20
[ -z "$(ls -A | grep ctx)" ] || fail "$(ls -A)"
must_fail wait $pid

note "a section puts it off; a request with a limit gives up"
start
touch inside
echo ready >do
sleep 0.1
must_fail cr_checkpoint -t 1 -f ctx $pid 2>err
[ "$(cat out)" = ready ] || fail "$(cat out)"
cr_checkpoint -f ctx $pid &
ask=$!
rm inside
wait $ask
says '= 0'
finish

note "its requester is killed while the callback works"
start
rm -f ctx
echo slow >do
cr_checkpoint -f ctx $pid 2>/dev/null &
ask=$!
says slow
kill -9 $ask
wait $ask 2>/dev/null || true
touch go
says '= -2354'
echo ready >do
cr_checkpoint -f ctx $pid
says '= 0'
finish

note "omits itself, and as cr_run --omit, from a tree that goes on without"
: >out
rm -f end ctx
echo omit >do
cat >script <<'END'
./refuse >out &
cr_run --omit sleep 1000 &
echo $! >omitted
until [ -e end ]; do sleep 0.01; done
kill $!
wait
END
bash script &
pid=$!
wait_for '[ -s omitted ]' 20
says ready
wait_for 'grep -q libcr-control /proc/$(cat omitted)/maps' 20
cr_checkpoint -f ctx $pid
says '= -2358'
cr_info --tree ctx >tree
grep -q 'bash script' tree || fail "$(cat tree)"
must_fail grep 'refuse\|sleep 1000' tree
touch end
wait $pid
