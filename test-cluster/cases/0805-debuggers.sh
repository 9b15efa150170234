#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Traced and tracing processes: refused by name, or left out as asked.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
# a tree: root -> tracer -> traced; and root -> plain
cc_prog tree - -lcr "-Wl,-rpath,$CR_PREFIX/lib" <<'END'
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <libcr.h>

static void name(const char *s)
{
	prctl(PR_SET_NAME, s);
}

static void traced(void)
{
	name("traced");
	for (;;)
		pause();
}

static void tracer(void)
{
	pid_t child = fork();

	if (!child)
		traced();
	name("tracer");
	if (ptrace(PTRACE_SEIZE, child, 0, 0))
		_exit(4);
	close(open("seized", 0101, 0600));
	while (access("let-go", F_OK))
		usleep(5000);
	ptrace(PTRACE_INTERRUPT, child, 0, 0);
	waitpid(child, NULL, __WALL);
	ptrace(PTRACE_DETACH, child, 0, 0);
	close(open("gone", 0101, 0600));
	for (;;)
		pause();
}

/* As the library says it. */
static int asked(int flags)
{
	cr_checkpoint_args_t args;
	cr_checkpoint_handle_t h;

	cr_initialize_checkpoint_args_t(&args);
	args.cr_flags = flags | CR_CHKPT_ASYNC_ERR;
	if (cr_request_checkpoint(&args, &h))
		return -1;
	return cr_poll_checkpoint(&h, NULL) == 1 ? 0 : errno;
}

int main(void)
{
	pid_t t, p;

	cr_init();
	t = fork();
	if (!t)
		tracer();
	p = fork();
	if (!p) {
		name("plain");
		for (;;)
			pause();
	}
	while (access("seized", F_OK))
		usleep(1000);
	puts("ready");
	fflush(stdout);
	while (access("ask", F_OK))
		usleep(5000);
	printf("asked %d %d %d\n", asked(0) == CR_EPTRACER,
	       asked(CR_CHKPT_PTRACED_ALLOW |
		     CR_CHKPT_PTRACER_SKIP) == CR_EPTRACED,
	       asked(CR_CHKPT_PTRACER_SKIP) == CR_EPTRACED);
	fflush(stdout);
	while (access("end", F_OK))
		usleep(5000);
	/* left out processes are no children any more */
	printf("%d %d\n", waitpid(t, NULL, WNOHANG), waitpid(p, NULL, WNOHANG));
	return 7;
}
END
start ./tree
tracer=$(running tracer)
traced=$(running traced)

note "both are named; nothing was stopped"
must_fail cr_checkpoint -f image "$PID" 2>err
grep -q "process $tracer: is tracing process $traced (traced).*--ptracer-skip" \
	err || fail "$(cat err)"
grep -q "process $traced: is traced by process $tracer (tracer).*--ptraced-sk" \
	err || fail "$(cat err)"
must_fail cr_checkpoint --check "$PID" 2>err2
cmp -s <(grep process err) <(grep process err2) || fail "$(cat err2)"
must_fail cr_checkpoint --ptraced-skip -f image "$PID" 2>err
grep -q 'is tracing' err || fail "$(cat err)"
must_fail grep 'is traced' err
must_fail cr_checkpoint --ptracer-skip -f image "$PID" 2>err
grep -q 'is traced' err || fail "$(cat err)"
must_fail grep 'is tracing' err
must_fail cr_checkpoint --ptraced-allow --ptracer-skip -f image "$PID" 2>err
grep -q "is traced by process $tracer (tracer), which --ptraced-allow cannot" \
	err || fail "$(cat err)"
must_fail cr_checkpoint --ptraced-skip --ptraced-error --ptracer-skip \
	-f image "$PID" 2>err
touch ask
wait_for 'grep -q asked out' 20
grep -qx 'asked 1 1 1' out || fail "$(cat out)"
[ -z "$(ls -A | grep -e image -e context)" ] || fail "$(ls -A)"

note "a thread that traces, and one that is traced, are known by their processes"
cc_prog threads - -pthread <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int up[2];
static pid_t tid;

static void *traced(void *arg)
{
	tid = gettid();
	if (write(up[1], &tid, sizeof(tid)) != sizeof(tid))
		exit(1);
	for (;;)
		pause();
	return arg;
}

static void *traces(void *arg)
{
	if (ptrace(PTRACE_SEIZE, tid, 0, 0))
		exit(2);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
	return arg;
}

int main(void)
{
	pthread_t t;

	if (pipe(up))
		return 3;
	if (!fork()) {
		pthread_create(&t, NULL, traced, NULL);
		for (;;)
			pause();
	}
	if (read(up[0], &tid, sizeof(tid)) != sizeof(tid))
		return 4;
	close(up[0]);
	close(up[1]);
	pthread_create(&t, NULL, traces, NULL);
	for (;;)
		pause();
}
END
./threads >threads.out 2>&1 </dev/null &
pid=$!
wait_for 'grep -q ready threads.out' 20
must_fail cr_checkpoint -f image $pid 2>err
child=$(running threads | grep -vx $pid)
grep -q "process $child: is traced by process $pid (threads); detach" err ||
	fail "$(cat err)"
grep -q "process $pid: is tracing process $child (threads)" err ||
	fail "$(cat err)"
[ "$(grep -c 'is traced' err)" = 1 ] || fail "$(cat err)"
for pid in $(running threads); do kill -9 "$pid"; done
wait_for '[ -z "$(running threads)" ]' 20

note "--ptraced-allow without such a process is no obstacle"
sleep 1000 </dev/null >out2 2>&1 &
cr_checkpoint --ptraced-allow -f image2 $!
kill $!
rm -f image2

note "both are left out, and go on; the rest is restarted without them"
cr_checkpoint --ptraced-skip --ptracer-skip -f image "$PID"
cr_info --tree image >said
[ "$(grep -c . <(cr_info --json image | grep '"ppid"'))" = 2 ] ||
	fail "$(cat said)"
touch let-go
wait_for '[ -e gone ]' 20
grep -q '^TracerPid:[[:space:]]*0$' "/proc/$traced/status"
touch end
status=0
wait "$PID" || status=$?
[ $status = 7 ] || fail "status $status"
grep -qx '0 0' out || fail "$(cat out)"
kill "$tracer" "$traced" "$(running plain)"
wait_for '[ -z "$(running tracer)$(running traced)$(running plain)" ]' 20
restart_is 7 image
for pid in $(running plain); do kill "$pid"; done
wait_for '[ -z "$(running plain)" ]' 20
grep -qax -- '-1 0' out || fail "$(cat out)"
