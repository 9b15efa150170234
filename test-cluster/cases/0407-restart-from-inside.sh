#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A program restarts others by the library: children, messages, failures.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
cc_prog again "$CR_SRC/examples/again.c" -lcr "-Wl,-rpath,$CR_PREFIX/lib"
# a static program, too: its callback, hooks and the thread that is held
cat >job.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <libcr.h>

static void say(const char *what)
{
	FILE *f = fopen("dir/log", "a");

	fprintf(f, "%s\n", what);
	fclose(f);
}

static void hook(cr_hook_event_t event)
{
	say(event == CR_HOOK_CONT_THREAD_CONTEXT ? "hook continued" :
	    event == CR_HOOK_RSTRT_THREAD_CONTEXT ? "hook restarted" :
						    "wrong hook");
}

static volatile int in_callback;

static int callback(void *arg)
{
	const struct cr_restart_info *info;
	int rc;

	in_callback = 1;
	rc = cr_checkpoint(CR_CHECKPOINT_READY);
	info = cr_get_restart_info();
	say(rc > 0 ? "restarted" : rc ? "failed" : "continued");
	say(info && info->src ? info->src : "no source");
	usleep(20000); /* the held thread would be seen to move */
	in_callback = 0;
	return 0;
}

static void *held(void *arg)
{
	cr_init();
	while (access("end", F_OK))
		if (in_callback == 1 && arg)
			usleep(1000);
	return NULL;
}

int main(void)
{
	pthread_t t;
	int i;

	cr_init();
	for (i = 0; i < CR_NUM_HOOKS; i++)
		cr_register_hook((cr_hook_event_t)i, hook);
	cr_hold_ctrl(CR_HOLD_SCOPE_INIT, CR_HOLD_BOTH);
	cr_register_callback(callback, NULL, CR_THREAD_CONTEXT);
	pthread_create(&t, NULL, held, NULL);
	puts("ready");
	fflush(stdout);
	while (access("end", F_OK))
		usleep(5000);
	pthread_join(t, NULL);
	puts("done");
	return 7;
}
END
cc_prog job job.c -lcr "-Wl,-rpath,$CR_PREFIX/lib"
cc_prog job-static job.c -static -lcr

for job in job job-static; do
	note "$job: goes on, and is restarted by a program, as its child"
	rm -rf end dir
	mkdir dir
	start ./$job
	cr_checkpoint -f image "$PID"
	wait_for "[ -e dir/log ] && [ \"\$(wc -l <dir/log)\" = 3 ]" 20
	[ "$(cat dir/log)" = "hook continued
continued
no source" ] || fail "$(cat dir/log)"
	save image
	rm dir/log
	./again image >said 2>err &
	again=$!
	wait_for "[ -e dir/log ] && [ \"\$(wc -l <dir/log)\" = 3 ]" 20
	[ "$(cat dir/log)" = "hook restarted
restarted
$T/image" ] || fail "$(cat dir/log)"
	child=$(sed -n 's/again: runs as child //p' said)
	grep -q "^PPid:[[:space:]]*$again\$" "/proc/$child/status" ||
		fail "$child is no child of $again"
	touch end
	status=0
	wait $again || status=$?
	[ $status = 7 ] || fail "status $status: $(cat err)"
	grep -qx 'again: status 7' said || fail "$(cat said)"
	grep -q done out || fail "$(cat out)"
done

note "a signal to the child reaches them; they end with it"
rm end said
./again image >said 2>err &
again=$!
wait_for 'grep -q "runs as" said' 20
kill -TERM "$(sed -n 's/again: runs as child //p' said)"
status=0
wait $again || status=$?
grep -qx 'again: signal 15' said || fail "$(cat said)"

note "why not: the code and the messages; no child is left"
head -c 6000 image >cut
status=0
./again cut 2>err || status=$?
[ $status = 2 ] || fail "status $status"
grep -q 'cr_restart: .*incomplete\|not a context' err || fail "$(cat err)"
mv job-static job.off
status=0
./again image 2>err || status=$?
[ $status = 2 ] || fail "status $status"
head -n 1 err | grep -qx 'again: No such file or directory' || fail "$(cat err)"
grep -q "$T/job-static" err || fail "$(cat err)"
mkdir moved
mv job.off moved/job-static
touch end
# below another directory by cr_relocate
status=0
./again image "$T/job-static" "$T/moved/job-static" >said 2>err || status=$?
[ $status = 7 ] || fail "status $status: $(cat err)"
cp image other
printf '\xb7' | dd of=other bs=1 seek=12 conv=notrunc status=none
status=0
./again other 2>err || status=$?
head -n 1 err | grep -qx 'again: The context file is of another architecture' ||
	fail "$(cat err)"
