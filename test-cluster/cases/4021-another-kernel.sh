#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A tree goes from one kernel to another, newer or older, and on from there.
# time limit: 400
#
# Each guest is a host of its own, with another name, kernel, vdso and uptime.
# The program runs on 6.1, 6.12 and 5.10.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm.sh"
tmpdir
vm_need 6.1 6.12 5.10

# traveller: threads and a child that look at clocks all the time, through the
# vdso and not; adds where it is to the file "places" when there is "tell"
cc_prog traveller - <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int end;

static long long now(clockid_t clock, int directly)
{
	struct timespec t;

	if (directly)
		syscall(SYS_clock_gettime, clock, &t);
	else
		clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Time only goes on, by whatever way one asks for it. */
static void *watch(void *arg)
{
	long long last = 0, t;
	struct timeval tv;

	for (int i = 0; !end; i++) {
		t = now(CLOCK_MONOTONIC, !(i % 8));
		if (t < last || gettimeofday(&tv, NULL) || !time(NULL) ||
		    sched_getcpu() < 0)
			abort();
		last = t;
	}
	return arg;
}

static void *sleeps(void *arg)
{
	struct timespec t = { 0, 3000000 };

	while (!end)
		if (nanosleep(&t, NULL))
			abort();
	return arg;
}

int main(void)
{
	pthread_t th[3];
	struct utsname u;
	int p[2], status;
	pid_t child;
	FILE *f;
	char c;

	if (pipe(p))
		return 1;
	child = fork();
	if (!child) {
		close(p[1]);
		if (read(p[0], &c, 1) != 0)
			_exit(1);
		uname(&u);
		_exit(7);
	}
	pthread_create(&th[0], NULL, watch, NULL);
	pthread_create(&th[1], NULL, watch, NULL);
	pthread_create(&th[2], NULL, sleeps, NULL);
	puts("ready");
	fflush(stdout);
	while (!end) {
		end = !access("end", F_OK);
		if (!end && access("tell", F_OK)) {
			usleep(5000);
			continue;
		}
		uname(&u);
		f = fopen("places", "a");
		fprintf(f, "%s %.4s\n", u.nodename, u.release);
		fclose(f);
		unlink("tell");
	}
	for (int i = 0; i < 3; i++)
		pthread_join(th[i], NULL);
	close(p[1]);
	if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7)
		return 2;
	return 7;
}
END

vm_source src
mkdir w
cat >visit <<'END'
#!/bin/bash
# visit NAME [IMAGE]: in a guest of this name, from an image if there is one
set -eu
hostname "$1"
PATH=$CR_PREFIX/bin:$PATH
. "$CR_SRC/test-cluster/cases/lib.sh"
. "$CR_SRC/test-cluster/cases/restart.sh"
if [ $# = 1 ]; then
	export GLIBC_TUNABLES=glibc.pthread.rseq=0 # Linux 5.10 does not tell of it
	start ../traveller
else
	# the clocks may have to be kept from going back
	cr_restart "$2" &
	PID=$!
	wait_for '[ -n "$(running traveller)" ] || gone $PID' 60
fi
if [ -e last ]; then
	touch end
	status=0
	wait "$PID" || status=$?
	exit $status
fi
touch tell
wait_for '[ ! -e tell ] || gone $PID' 60
pid=$(running traveller | sort -n | head -n 1)
cr_checkpoint --kill -f "image.$1" "$pid"
wait "$PID" || true
END
chmod +x visit

# on KVER NAME [IMAGE]
on() {
	local kver=$1 status=0
	shift
	cd w
	vm run -k "$kver" -c 1 -t 200 -d "$T/w" -- env CR_PREFIX="$CR_PREFIX" \
		CR_SRC="$T/src" T="$T" bash "$T/visit" "$@" >../said 2>&1 || status=$?
	cd ..
	cat said
	return $status
}

note "6.1"
on 6.1 first
note "6.12"
on 6.12 second image.first
note "5.10"
touch w/last
status=0
on 5.10 third image.second || status=$?
[ $status = 7 ] || fail "status $status"
cat w/places
[ "$(cat w/places)" = "first 6.1.
second 6.12
third 5.10" ]
