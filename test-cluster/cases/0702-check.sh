#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --check: every obstacle of a tree with process, object, reason and advice; of an image, too.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
cc_prog odd - <<'C'
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void become(const char *what)
{
	aio_context_t aio = 0;

	if (!strcmp(what, "socket")) {
		socket(AF_NETLINK, SOCK_RAW, 0);
	} else if (!strcmp(what, "memory")) {
		if (syscall(SYS_io_setup, 4, &aio))
			exit(1);
	} else if (!strcmp(what, "directory")) {
		mkdir("gone", 0700);
		if (chdir("gone") || rmdir("../gone"))
			exit(1);
	} else if (!strcmp(what, "file")) {
		int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);

		if (write(fd, "content", 7) != 7)
			exit(1);
	}
}

/* A child for each argument but the first, which is for ourselves. */
int main(int argc, char **argv)
{
	int up[2];
	char c;

	if (pipe(up))
		return 1;
	for (int i = 2; i < argc; i++) {
		if (fork())
			continue;
		become(argv[i]);
		if (write(up[1], "", 1) != 1)
			return 1;
		for (;;)
			pause();
	}
	become(argv[1]);
	for (int i = 2; i < argc; i++)
		if (read(up[0], &c, 1) != 1)
			return 1;
	close(up[0]);
	close(up[1]);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
C
end() {
	local pid
	for pid in $(running odd); do kill -9 "$pid"; done
	wait_for '[ -z "$(running odd)" ]' 20
}

note "one line for each obstacle, and no more"
start ./odd socket directory memory
must_fail cr_checkpoint --check "$PID" 2>asked
cat asked
for text in "process $PID: descriptor [0-9]* (socket:.*is a socket.*; close it" \
	'its current directory .* was removed; change' \
	'memory 0x[0-9a-f]*-.*an asynchronous I/O context.*; have'; do
	[ "$(grep -c "$text" asked)" = 1 ] || fail "not once: $text"
done
[ "$(wc -l <asked)" = 4 ]
grep -q '3 things stand in the way' asked

note "the same text from a refused checkpoint, which stops nothing"
must_fail cr_checkpoint -f image "$PID" 2>refused
cmp asked refused
[ ! -e image ]

note "nobody traces it meanwhile, and another tracer is only one more line"
for pid in $(running odd); do
	grep -q '^TracerPid:[[:space:]]*0$' "/proc/$pid/status"
done
end

note "a program that wants to be left out"
start cr_run --omit ./odd nothing
must_fail cr_checkpoint --check "$PID" 2>asked
grep -q "process $PID: wants to be left out.*; have it" asked ||
	fail "$(cat asked)"
must_fail cr_checkpoint -f image "$PID" 2>refused
cmp asked refused
[ ! -e image ]
end

note "nothing in the way"
start ./odd nothing nothing
cr_checkpoint --check "$PID"
must_fail compgen -G 'context.*'
end

note "the verification of an image makes no process"
start ./odd file
save image
cr_restart --check image
[ -z "$(running odd)" ]
printf short >data
status=0
cr_restart --check image 2>err || status=$?
[ $status != 0 ] || fail "a shorter file was not noticed"
grep -q 'data.*shorter than at the checkpoint' err || fail "$(cat err)"
rm data
must_fail cr_restart --check image 2>err
grep -q 'data.*No such file' err || fail "$(cat err)"
printf content >data
cr_restart --check image
cp odd odd.new
printf x >>odd.new
mv odd.new odd
must_fail cr_restart --check image 2>err
grep -q 'odd' err || fail "$(cat err)"
[ -z "$(running odd)" ]
head -c 10000 image >half
must_fail cr_restart --check half 2>err
[ -s err ]
