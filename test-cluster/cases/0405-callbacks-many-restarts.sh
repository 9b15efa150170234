#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Threads with callbacks and busy sections, restarted again and again at random.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
cc_prog busy - -lcr "-Wl,-rpath,$CR_PREFIX/lib" <<'END'
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <libcr.h>
#include <libcr_ext.h>

#define THREADS 4
static _Atomic int inside, before, after, restarts;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "not so: %s\n", what);
	_exit(1);
}

static int callback(void *arg)
{
	int rc;

	need(!inside, "nobody is inside");
	before++;
	rc = cr_checkpoint(CR_CHECKPOINT_READY);
	need(rc >= 0 && !inside, "outcome, and nobody inside");
	if (rc > 0)
		restarts++;
	after++;
	return 0;
}

static void *run(void *arg)
{
	cr_client_id_t id = cr_init();
	unsigned long i, sum = 0;

	need(cr_register_callback(callback, NULL, CR_SIGNAL_CONTEXT) >= 0,
	     "register");
	while (access("end", F_OK)) {
		cr_enter_cs(id);
		inside++;
		for (i = 0; i < 10000; i++)
			sum = sum * 31 + i;
		inside--;
		cr_leave_cs(id);
	}
	return (void *)sum;
}

int main(int argc, char **argv)
{
	pthread_t t[THREADS];
	int i, want;

	need(cr_init() >= 0, "init");
	need(cr_register_callback(callback, NULL, CR_THREAD_CONTEXT) >= 0,
	     "register");
	for (i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, run, NULL);
	close(creat("ready", 0600));
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	want = cr_restarts() * (THREADS + 1);
	fprintf(stderr, "%d restarts, %d callbacks\n", (int)cr_restarts(),
		before);
	need(before == after, "each callback went on");
	need(restarts == want, "each callback saw each restart");
	return 7;
}
END
chmod 777 .
{ as_user bash -c 'exec ./busy >log 2>&1 </dev/null' || exit $?; } &
shell=$!
wait_for '[ -e ready ]' 20
# as an ordinary user it is restarted in a pid namespace: another id from here
busy() { pid=$(pgrep -o -x busy) && [ -d "/proc/$pid" ]; }
busy
generations=${CR_TEST_RUNS:-15}
for ((g = 1; g <= generations; g++)); do
	sleep 0.0$((RANDOM % 10))
	as_user cr_checkpoint --kill -f "ctx" "$pid" || fail "$g: $(cat log)"
	wait $shell 2>/dev/null || true
	{ as_user cr_restart ctx || exit $?; } &
	shell=$!
	wait_for busy 20
	# it runs when it answers a request, which it survives
	wait_for 'as_user cr_checkpoint -q -f ctx.tmp $pid' 20
done
touch end
status=0
wait $shell || status=$?
[ $status = 7 ] || fail "status $status: $(cat log)"
grep -q "^$generations restarts" log || fail "$(cat log)"
