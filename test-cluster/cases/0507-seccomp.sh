#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Seccomp filters: saved and restored in their order by root; calls of ours never meet them; refused by name for everybody else.
# time limit: 90
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
chmod 755 .
cc_prog boxed - <<'END'
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF(nr, ret)                               \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, ret)
#define RET(ret) BPF_STMT(BPF_RET | BPF_K, ret)

static int install(struct sock_filter *code, size_t bytes, unsigned int flags)
{
	struct sock_fprog prog = { bytes / sizeof(*code), code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static atomic_int started;

/* getpgrp() fails with this error. */
static int no_getpgrp(int error, unsigned int flags)
{
	struct sock_filter code[] = { LOAD(nr),
				      IF(SYS_getpgrp, SECCOMP_RET_ERRNO | error),
				      RET(SECCOMP_RET_ALLOW) };

	return install(code, sizeof(code), flags);
}

/*
 * Death for everything that the program does not do by itself: no
 * rt_sigprocmask, no mmap, no clone, no restart_syscall.
 */
static int whitelist(unsigned int flags)
{
	struct sock_filter code[] = {
		LOAD(nr),
		IF(SYS_access, SECCOMP_RET_ALLOW),
		IF(SYS_clock_nanosleep, SECCOMP_RET_ALLOW),
		IF(SYS_nanosleep, SECCOMP_RET_ALLOW),
		IF(SYS_poll, SECCOMP_RET_ALLOW),
		IF(SYS_futex, SECCOMP_RET_ALLOW),
		IF(SYS_getpgrp, SECCOMP_RET_ALLOW),
		IF(SYS_write, SECCOMP_RET_ALLOW),
		IF(SYS_seccomp, SECCOMP_RET_ALLOW),
		IF(SYS_prctl, SECCOMP_RET_ALLOW),
		IF(SYS_setresuid, SECCOMP_RET_ALLOW),
		IF(SYS_exit_group, SECCOMP_RET_ALLOW),
		RET(SECCOMP_RET_KILL_PROCESS),
	};

	return install(code, sizeof(code), flags);
}

static void must(int ok)
{
	if (!ok)
		abort();
}

static void *sleeper(void *arg)
{
	struct timespec t = { 0, 50000000 };
	int how = (int)(long)arg, seen = 0;

	started++;
	/* the last of several decides on the error */
	for (;;) {
		if (how == 0)
			must(!nanosleep(&t, NULL));
		else
			must(!poll(NULL, 0, 50));
		if (syscall(SYS_getpgrp) == -1 && errno == 6)
			seen = 1;
		else
			must(!seen);
	}
	return NULL;
}

/* Has one more than the others. */
static void *odd(void *arg)
{
	volatile int *ready = arg;

	must(!no_getpgrp(7, 0));
	*ready = 1;
	for (;;) {
		struct timespec t = { 0, 1000000 };

		must(syscall(SYS_getpgrp) == -1 && errno == 7);
		must(!nanosleep(&t, NULL));
	}
	return NULL;
}

static void strict(int in, int out)
{
	char c;

	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	while (read(in, &c, 1) == 1)
		if (write(out, &c, 1) != 1)
			break;
	syscall(SYS_exit, 5);
}

static int with_strict_child(void)
{
	int to[2], from[2], status;
	pid_t child;
	char c;

	must(!pipe(to) && !pipe(from));
	child = fork();
	if (!child) {
		close(to[1]);
		strict(to[0], from[1]);
	}
	close(to[0]);
	must(write(to[1], "x", 1) == 1 && read(from[0], &c, 1) == 1);
	puts("ready");
	fflush(stdout);
	while (access("end", F_OK)) {
		must(write(to[1], "x", 1) == 1 && read(from[0], &c, 1) == 1);
		usleep(1000);
	}
	close(to[1]);
	must(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 5 ? 7 : 8;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	struct sock_filter notify[] = {
		LOAD(nr), IF(SYS_getpgrp, SECCOMP_RET_USER_NOTIF),
		RET(SECCOMP_RET_ALLOW)
	};
	volatile int ready = 0;
	pthread_t th;

	if (!strcmp(how, "strict"))
		return with_strict_child();
	for (long i = 0; i < 2 && !strcmp(how, "tsync"); i++)
		pthread_create(&th, NULL, sleeper, (void *)i);
	while (started < 2 && !strcmp(how, "tsync"))
		usleep(1000);
	if (strcmp(how, "privileged"))
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!strcmp(how, "odd")) {
		pthread_create(&th, NULL, odd, (void *)&ready);
		while (!ready)
			usleep(1000);
		must(!no_getpgrp(6, 0));
	} else {
		must(!no_getpgrp(5, SECCOMP_FILTER_FLAG_TSYNC));
		must(!no_getpgrp(6, SECCOMP_FILTER_FLAG_TSYNC |
					    SECCOMP_FILTER_FLAG_LOG));
	}
	if (!strcmp(how, "notify"))
		must(!install(notify, sizeof(notify), 0));
	else if (strcmp(how, "odd"))
		must(!whitelist(SECCOMP_FILTER_FLAG_TSYNC));
	if (!strcmp(how, "privileged"))
		must(!setresuid(12345, 12345, 12345));
	must(write(1, "ready\n", 6) == 6);
	while (access("end", F_OK)) {
		struct timespec t = { 0, 5000000 };

		must(syscall(SYS_getpgrp) == -1 && errno == 6);
		must(!clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
	}
	must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) ==
	     !!strcmp(how, "privileged"));
	if (!access("die", F_OK))
		syscall(SYS_getppid);
	/* its threads have the same ones, not only equal ones */
	if (!strcmp(how, "tsync"))
		must(!no_getpgrp(8, SECCOMP_FILTER_FLAG_TSYNC) &&
		     syscall(SYS_getpgrp) == -1 && errno == 8);
	syscall(SYS_exit_group, 7);
}
END

own=$(sed -n 's/^Seccomp:\s*//p' /proc/self/status)
[ "$(id -u)$own" = 00 ] || skip "needs root, and no filter of its own"

# again IMAGE: restart it, save it once more as image.again
again() {
	cr_restart "$1" 2>err &
	local restarted=$!
	wait_for '[ -n "$(running boxed)" ] || gone $restarted' 20
	PID=$(running boxed | sort -n | head -n 1)
	wait_for 'cr_checkpoint --kill -f image.again "$PID" 2>refused' 20
	wait $restarted || true
}

for how in tsync odd privileged strict; do
	note "$how"
	start ./boxed $how
	for i in $(seq 5); do
		cr_checkpoint -f image.fork "$PID"
	done
	cr_checkpoint --snapshot=copy -f image.copy "$PID"
	save image.$how
	again image.$how
	touch end
	for i in fork copy again; do
		restart_is 7 image.$i
	done
	rm end
done

note "it still kills"
touch end die
restart_is 159 image.tsync
rm end die

note "who has no right to it is refused, before and after"
start ./boxed tsync
for arg in --check "-f image"; do
	# shellcheck disable=SC2086 # two words
	must_fail setpriv --bounding-set=-sys_admin cr_checkpoint $arg "$PID" 2>err
	grep -q "process $PID: has a seccomp filter.*; that needs CAP_SYS_ADMIN" err ||
		fail "$(cat err)"
done
note "where everybody has a seccomp filter, it is the container's"
cc_prog contained - <<'C'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sock_filter allow = { BPF_RET, 0, 0, SECCOMP_RET_ALLOW };
	struct sock_fprog prog = { 1, &allow };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return 9;
	execvp(argv[1], argv + 1);
	return 9;
}
C
must_fail ./contained cr_checkpoint --check "$PID" 2>contained.err
grep -q 'has a seccomp filter.*; this command has one, too: run it outside ' \
	contained.err || fail "$(cat contained.err)"
touch end
wait "$PID" || [ $? = 7 ] || fail "the program: $?"
must_fail setpriv --bounding-set=-sys_admin cr_restart image.tsync 2>err
grep -q 'had a seccomp filter, which only.*CAP_SYS_ADMIN' err ||
	fail "$(cat err)"
rm end

note "who asks others is refused, and runs on"
start ./boxed notify
must_fail cr_checkpoint -f image "$PID" 2>err
grep -q 'has a seccomp filter that asks another process' err ||
	fail "$(cat err)"
! gone "$PID" || fail "it has not survived"
kill -9 "$PID"
