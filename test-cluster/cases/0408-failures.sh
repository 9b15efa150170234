#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One of many processes fails half-way: all run on, or all are killed.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
# worker NAME: callbacks in both contexts, what to do is in NAME.do
cc_prog worker - -lcr "-Wl,-rpath,$CR_PREFIX/lib" <<'END'
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libcr.h>

static const char *name;
static int log_fd;

static void say(const char *what, int value)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s %d\n", what, value);

	if (write(log_fd, line, n) != n)
		_exit(9);
}

/* Async-signal-safe. */
static int wanted(const char *context)
{
	char path[64], word[64] = "";
	int fd, n, i;

	snprintf(path, sizeof(path), "%s.do", name);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? 0 : read(fd, word, sizeof(word) - 1);
	close(fd);
	if (n <= 0 || strncmp(word, context, strlen(context)))
		return CR_CHECKPOINT_READY;
	/* the others are ready long since */
	for (i = 0; i < 6000 && access("ready.log", F_OK); i++)
		usleep(5000);
	if (strstr(word, "temp"))
		return CR_CHECKPOINT_TEMP_FAILURE_CODE(0xffff);
	if (strstr(word, "perm"))
		return CR_CHECKPOINT_PERM_FAILURE_CODE(7);
	return CR_CHECKPOINT_OMIT;
}

static int callback(void *arg)
{
	const char *context = arg;
	int flags = wanted(context), rc;

	if (!strcmp(name, "ready") && *context == 's')
		close(open("ready.log", O_CREAT | O_WRONLY, 0600));
	rc = cr_checkpoint(flags);
	say(context, rc);
	return 0;
}

int main(int argc, char **argv)
{
	char path[64];

	name = argv[1];
	snprintf(path, sizeof(path), "%s.said", name);
	log_fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
	cr_init();
	cr_register_callback(callback, "thread", CR_THREAD_CONTEXT);
	cr_register_callback(callback, "signal", CR_SIGNAL_CONTEXT);
	say("up", 0);
	while (access("end", F_OK))
		usleep(5000);
	return 7;
}
END
cat >tree <<'END'
./worker bad &
bad=$!
./worker ready &
ready=$!
sleep 1000 & # knows nothing of libcr
echo ready
wait $bad $ready
kill %3
exit 7
END
# begin CONTEXT WHAT: of the process that does not want
begin() {
	rm -f ./*.said ready.log end image
	echo "$1 $2" >bad.do
	start bash tree
	wait_for 'grep -qs up bad.said && grep -qs up ready.said' 20
}
said() { # NAME WHAT
	wait_for "[ \"\$(grep -v up $1.said | xargs)\" = '$2' ]" 20 ||
		fail "$1: $(cat "$1.said")"
}
finish() {
	touch end
	status=0
	wait "$PID" || status=$?
	[ $status = 7 ] || fail "status $status: $(cat out)"
}
left() { ls -A | grep -e image -e incomplete || true; }

for context in thread signal; do
	note "for now, in $context context: nobody is saved, all run on"
	begin $context temp
	must_fail cr_checkpoint -f image "$PID" 2>err
	grep -q 'for now (code 65535)' err || fail "$(cat err)"
	[ -z "$(left)" ] || fail "$(left)"
	# of the thread's callbacks those that ran; in reverse
	[ $context = thread ] && ran="thread -2354" ||
		ran="signal -2354 thread -2354"
	said bad "$ran"
	said ready 'signal -2354 thread -2354'
	rm bad.do
	cr_checkpoint -f image "$PID"
	said ready 'signal -2354 thread -2354 signal 0 thread 0'
	finish

	note "for good: all are killed, those without libcr, too"
	begin $context perm
	must_fail cr_checkpoint -f image "$PID" 2>err
	grep -q 'code 7' err || fail "$(cat err)"
	[ -z "$(left)" ] || fail "$(left)"
	status=0
	wait "$PID" || status=$?
	[ $status = 137 ] || fail "status $status"
	wait_for '[ -z "$(running worker)$(running sleep)" ]' 20
	[ "$(cat bad.said ready.said)" = "up 0
up 0" ] || fail "$(cat bad.said ready.said)"

	note "without me: it runs on, the others are saved"
	begin $context omit
	cr_checkpoint -f image "$PID"
	[ $context = thread ] && ran="thread -2358" ||
		ran="signal -2358 thread -2358"
	said bad "$ran"
	said ready 'signal 0 thread 0'
	cr_info --tree image >said
	must_fail grep 'worker bad' said
	grep -q 'worker ready' said || fail "$(cat said)"
	finish
done
