#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# On a machine that started later the clocks of a program do not go back.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
need_root
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
cc_prog clock - <<'C'
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SPAN 600 /* seconds that nothing here takes */

static int fds;
static struct timespec was[3];
static const clockid_t clocks[3] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME,
				     CLOCK_MONOTONIC_COARSE };

/* Both ways to ask: the vdso and the kernel. */
static int wrong(void)
{
	struct timespec t;
	int i, how;

	for (i = 0; i < 3; i++)
		for (how = 0; how < 2; how++) {
			if (how)
				clock_gettime(clocks[i], &t);
			else
				syscall(SYS_clock_gettime, clocks[i], &t);
			if (t.tv_sec < was[i].tv_sec ||
			    t.tv_sec > was[i].tv_sec + SPAN)
				return 10 + i * 2 + how;
		}
	return 0;
}

int main(void)
{
	struct itimerspec at = { { 0, 0 }, { 0, 0 } }, left;
	struct timespec past;
	int i;

	for (i = 0; i < 3; i++)
		clock_gettime(clocks[i], &was[i]);
	fds = timerfd_create(CLOCK_MONOTONIC, 0);
	at.it_value.tv_sec = was[0].tv_sec + 2 * SPAN;
	timerfd_settime(fds, TFD_TIMER_ABSTIME, &at, NULL);
	puts("ready");
	fflush(stdout);
	while (access("go", F_OK)) {
		struct timespec nap = was[0];

		/* a moment that has passed: no clock goes back behind it */
		nap.tv_nsec = 0;
		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &nap, NULL))
			return 2;
		usleep(1000);
	}
	if (wrong())
		return wrong();
	if (timerfd_gettime(fds, &left) || left.it_value.tv_sec < SPAN ||
	    left.it_value.tv_sec > 2 * SPAN)
		return 3;
	past = was[0];
	past.tv_sec -= 5;
	if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL))
		return 4;
	return 7;
}
C

unshare --time --monotonic 5000000 --boottime 5000000 true 2>/dev/null ||
	skip "no time namespaces here"

# begin CMD...: the program, by CMD, on a machine that has run for long.
begin() {
	rm -f go out img again
	touch out
	chmod 666 out
	setsid unshare --time --monotonic 5000000 --boottime 5000000 --fork \
		"$@" ./clock >out 2>&1 </dev/null &
	wait_for 'grep -q ready out' 20
}

# is_free: it runs, and nobody holds it.
is_free() {
	local pid
	pid=$(running clock)
	[ -n "$pid" ] && grep -q '^TracerPid:.*[^0-9]0$' "/proc/$pid/status"
}

# goes_on CMD...: by CMD its image is made, restarted, saved and restarted.
goes_on() {
	local opt status options
	options=$(pid_options)
	[ $# = 0 ] || options=--no-restore-pid
	"$@" cr_checkpoint -f img "$(running clock)"
	for opt in $options ""; do
		rm -f go again
		for pid in $(running clock); do kill -9 "$pid"; done
		wait_for '[ -z "$(running clock)" ]' 10
		note "$* $opt: the machine has run for 58 days less"
		# shellcheck disable=SC2086 # none or one
		"$@" timeout 60 cr_restart $opt img 2>err &
		wait_for 'is_free || gone $!' 20
		! gone $! || fail "$opt: $(cat err)"
		note "and once more, from there"
		"$@" cr_checkpoint -f again "$(running clock)"
		touch go
		status=0
		wait $! || status=$?
		[ $status = 7 ] || fail "$opt: status $status: $(cat err)"
		status=0
		# shellcheck disable=SC2086
		"$@" timeout 60 cr_restart $opt again 2>err || status=$?
		[ $status = 7 ] || fail "$opt, again: status $status: $(cat err)"
	done
}

begin env
goes_on
begin setpriv --reuid=$CR_TEST_UID --regid=$CR_TEST_UID --clear-groups \
	--inh-caps=-all
goes_on as_user

note "on the host itself only who may set clocks can do that"
for pid in $(running clock); do kill -9 "$pid"; done
wait_for '[ -z "$(running clock)" ]' 10
must_fail as_user cr_restart --restore-pid img 2>err
grep -q 'machine started later .*; restart it with --no-restore-pid' err ||
	fail "$(cat err)"
