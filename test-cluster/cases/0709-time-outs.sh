#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who waits for a limited time waits for what was left of it, on continue and on restart.
# time limit: 240
. "$(dirname "$0")/lib.sh"
enter_ipcns # semaphores of who is killed stay
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
[ -r /proc/self/sched ] || skip "this kernel does not tell of sleeps"
cc_prog waits - <<'C'
#include <errno.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long changed; /* a register that a call must leave alone */

static long raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long rax asm("rax") = nr, rdi asm("rdi") = a;
	register long rsi asm("rsi") = b, rdx asm("rdx") = c;
	register long r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
	long carry = 0, is[7];

	asm volatile("stc\n\tsyscall\n\tsetc %b[carry]"
		     : "+r"(rax), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r8),
		       "+r"(r9), "+r"(r10), [carry] "+r"(carry)
		     :
		     : "rcx", "r11", "memory", "cc");
	is[0] = rax, is[1] = rdi, is[2] = rsi, is[3] = rdx, is[4] = r10;
	is[5] = r8, is[6] = r9;
	changed = is[1] != a || is[2] != b || is[3] != c || is[4] != d ||
		  is[5] != e || is[6] != f || !carry;
	return is[0];
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int is(const char *a, const char *b)
{
	return !strcmp(a, b);
}

/* Time-outs in memory that cannot be written to. */
static const struct timespec *fixed(long s)
{
	struct timespec *t = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	t->tv_sec = s;
	mprotect(t, 4096, PROT_READ);
	return t;
}

static int word, fds[2];
static struct timespec rem;
static char buf[8];
static struct epoll_event event;
static struct sockaddr_in any = { .sin_family = AF_INET };
static socklen_t len = sizeof(any);

int main(int argc, char **argv)
{
	const char *how = argv[1];
	const long s = atol(argv[2]), ms = s * 1000;
	const long t = (long)fixed(s);
	struct timespec spec = { s };
	struct timeval val = { s, 0 };
	struct pollfd p = { .events = POLLIN };
	struct sembuf op = { 0, -1, 0 };
	long r = -1, want = 0, set = 1 << (SIGUSR2 - 1);
	fd_set in;
	int id, ep = epoll_create1(0), l = socket(AF_INET, SOCK_STREAM, 0);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return 1;
	setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &val, sizeof(val));
	setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &val, sizeof(val));
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(l, (struct sockaddr *)&any, sizeof(any));
	listen(l, 1);
	p.fd = fds[0];
	FD_ZERO(&in);
	FD_SET(fds[0], &in);
	sigprocmask(SIG_BLOCK, (sigset_t *)&set, NULL);
	id = semget(IPC_PRIVATE, 1, 0600);
	semctl(id, 0, SETVAL, 0);
	printf("%lld ready\n", now());
	fflush(stdout);
	if (is(how, "poll"))
		r = raw(SYS_poll, (long)&p, 1, ms, 4, 5, 6);
	if (is(how, "ppoll"))
		r = raw(SYS_ppoll, (long)&p, 1, (long)&spec, 0, 8, 6);
	if (is(how, "ppoll_fixed"))
		r = raw(SYS_ppoll, (long)&p, 1, t, 0, 8, 6);
	if (is(how, "select"))
		r = raw(SYS_select, 8, 0, 0, 0, (long)&val, 6);
	if (is(how, "pselect_fixed"))
		r = raw(SYS_pselect6, fds[0] + 1, (long)&in, 0, 0, t, 0);
	if (is(how, "epoll_wait"))
		r = raw(SYS_epoll_wait, ep, (long)&event, 1, ms, 5, 6);
	if (is(how, "epoll_pwait"))
		r = raw(SYS_epoll_pwait, ep, (long)&event, 1, ms, (long)&set,
			8);
#ifdef SYS_epoll_pwait2
	if (is(how, "epoll_pwait2"))
		r = raw(SYS_epoll_pwait2, ep, (long)&event, 1, t, (long)&set,
			8);
#endif
	if (is(how, "futex")) {
		r = raw(SYS_futex, (long)&word, FUTEX_WAIT_PRIVATE, 0, t, 5, 6);
		want = -ETIMEDOUT;
	}
	if (is(how, "nanosleep"))
		r = raw(SYS_nanosleep, t, 0, 3, 4, 5, 6);
	if (is(how, "nanosleep_rem"))
		r = raw(SYS_nanosleep, t, (long)&rem, 3, 4, 5, 6);
	if (is(how, "clock_nanosleep"))
		r = raw(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, t, 0, 5, 6);
	if (is(how, "sigtimedwait")) {
		r = raw(SYS_rt_sigtimedwait, (long)&set, 0, t, 8, 5, 6);
		want = -EAGAIN;
	}
	if (is(how, "semtimedop")) {
		r = raw(SYS_semtimedop, id, (long)&op, 1, t, 5, 6);
		want = -EAGAIN;
		semctl(id, 0, IPC_RMID);
	}
	if (is(how, "recv")) {
		r = raw(SYS_recvfrom, fds[0], (long)buf, 8, 0, 0, 0);
		want = -EAGAIN;
	}
	if (is(how, "accept")) {
		r = raw(SYS_accept, l, (long)&any, (long)&len, 4, 5, 6);
		want = -EAGAIN;
	}
	/* data comes, after all */
	if (is(how, "read")) {
		if (!fork()) {
			while (access("data", F_OK))
				usleep(1000);
			return write(fds[1], "abc", 3) == 3 ? 0 : 1;
		}
		r = raw(SYS_read, fds[0], (long)buf, 8, 4, 5, 6);
		want = 3;
	}
	printf("%lld end\n", now());
	fflush(stdout);
	fprintf(stderr, "%s: %ld, not %ld; changed %ld\n", how, r, want,
		changed);
	return r == want && !changed ? 7 : 8;
}
C

CALLS="poll ppoll_fixed pselect_fixed epoll_wait epoll_pwait epoll_pwait2
	futex nanosleep nanosleep_rem clock_nanosleep sigtimedwait semtimedop
	recv accept"
LONG=1000000 # ms
SHORT=8000

# now_ms: milliseconds since the boot, to the last hundredth of a second.
now_ms() {
	local up
	read -r up _ </proc/uptime
	up=${up/./}
	NOW=$((10#${up}0))
}

# sleeps: it waits by now.
sleeps() { [[ $(<"/proc/$PID/stat") == *") S "* ]]; }

# released: it is there, and nobody's to trace
released() {
	grep -q '^TracerPid:[^0-9]*0$' "/proc/$PID/status" 2>/dev/null
}

# wait_begins CALL: it runs, and waits; BEGAN and ASLEEP say since when.
wait_begins() {
	rm -f out
	start ./waits "$1" $((LONG / 1000))
	BEGAN=$(sed -n 's/ ready//p' out)
	wait_for sleeps 20
	now_ms
	ASLEEP=$((NOW + 10))
	sleep 0.2
}

# left IMAGE: what is left of the wait, in LEFT.
left() {
	LEFT=$(cr_info --json "$1" |
		sed -n 's/.*"timeout_ns": *\([0-9]\{4,\}\).*/\1/p' | head -n 1)
	[ -n "$LEFT" ] || fail "$call: the image does not say what is left"
	LEFT=$((LEFT / 1000000))
}

# within LOW HIGH WHAT: LEFT is no shorter than right, nor, or it returns 1,
# longer than known.
within() {
	[ "$LEFT" -ge $(($1 - 11)) ] || fail "$call: $3: $LEFT, not $1 to $2"
	echo "$call: $3: $LEFT of $1 to $2"
	[ "$LEFT" -le $(($2 + 11)) ]
}

# checkpoint WHAT [OPTION]: and what is left, from where it began.
checkpoint() {
	local before
	now_ms
	before=$NOW
	cr_checkpoint ${2:-} -f img "$PID" || fail "$call: cr_checkpoint: $?"
	now_ms
	left img
	# a thousandth, for clocks that are adjusted
	within $((LONG - (NOW - BEGAN))) \
		$((LONG - (before - ASLEEP) * 999 / 1000)) "$1"
}

for call in $CALLS; do
	# it may have woken up for nothing, or the host have taken time: then
	# more is left than need be, as far as the first checkpoint knows
	for try in 1 2 3 4 5; do
		wait_begins "$call"
		! checkpoint "first" || break
		kill -9 "$PID"
		wait "$PID" 2>/dev/null || true
		[ $try != 5 ] || fail "$call: $LEFT: again and again too long"
	done
	sleep 0.2
	checkpoint "continued" --kill || fail "$call: $LEFT: too long"
	wait "$PID" 2>/dev/null || true
	was=$LEFT
	now_ms
	begin=$NOW
	cr_restart --restore-pid img 2>err &
	restart=$!
	wait_for 'released || gone $restart' 20
	! gone $restart || fail "$call: cr_restart: $(cat err)"
	wait_for sleeps 20
	sleep 0.1
	cr_checkpoint -f img "$PID" || fail "$call: cr_checkpoint: $?"
	now_ms
	left img
	within $((was - (NOW - begin))) "$was" "restarted" ||
		fail "$call: $LEFT, not below $was"
	sleep 0.2
	cr_checkpoint --kill -f img "$PID" || fail "$call: cr_checkpoint: $?"
	was=$LEFT
	left img
	within $((was - 60000)) $((was - 150)) "restarted and continued" ||
		fail "$call: $LEFT, not below $was"
	wait $restart || true
	wait_for '[ -z "$(running waits)" ]' 20
done

note "each comes back when its time is over, and not earlier"
all="$CALLS ppoll select read"
cat >tree.sh <<'SH'
for c in $2; do
	(status=0; ./waits $c $1 >$c.out 2>$c.err || status=$?
	 echo $status >$c.status) &
done
echo ready
wait
SH
start bash tree.sh $((SHORT / 1000)) "$all"
for call in $all; do wait_for "grep -q ready $call.out" 20; done
sleep 0.5
rm -f ./*.status # of one that has ended on a slow machine
save img
now_ms
saved=$NOW
touch data
now_ms
begin=$NOW
restart_is 0 --restore-pid img
for call in $all; do
	! grep -q end "$call.out" || [ -e "$call.status" ] || continue
	[ "$(<"$call.status")" = 7 ] || fail "$call: $(<"$call.err")"
	[ "$call" != read ] || continue
	began=$(sed -n 's/ ready//p' "$call.out")
	ended=$(sed -n 's/ end//p' "$call.out")
	[ $((ended - begin)) -ge $((SHORT - (saved - began) - 11)) ] ||
		fail "$call: over after $((ended - begin)) ms, began" \
			"$((saved - began)) ms before the checkpoint ended"
	echo "$call: $((ended - begin)) ms of $((SHORT - (saved - began)))"
done
