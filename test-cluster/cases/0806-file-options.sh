#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where cr_checkpoint writes, what becomes of the file that is there, time out.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
cc_prog waiter - -lcr "-Wl,-rpath,$CR_PREFIX/lib" <<'END'
#include <stdio.h>
#include <unistd.h>
#include <libcr.h>

static int callback(void *arg)
{
	const struct cr_checkpoint_info *info = cr_get_checkpoint_info();
	FILE *f = fopen("said", "w");
	int i, rc;

	fprintf(f, "%d %s\n", info->signal, info->dest ? info->dest : "-");
	fclose(f);
	for (i = 0; !access("slow", F_OK) && i < 6000; i++)
		usleep(10000);
	rc = cr_checkpoint(access("refuse", F_OK) ?
				   CR_CHECKPOINT_READY :
				   CR_CHECKPOINT_TEMP_FAILURE);
	(void)rc;
	return 0;
}

int main(void)
{
	cr_init();
	cr_register_callback(callback, NULL, CR_THREAD_CONTEXT);
	puts("ready");
	fflush(stdout);
	while (access("end", F_OK))
		usleep(5000);
	return 7;
}
END
start ./waiter
ino() { stat -c %i "$1"; }
said() { [ "$(cat said)" = "$1" ] || fail "said: $(cat said)"; }
nothing_left() { [ -z "$(ls -A | grep -- incomplete)" ] || fail "$(ls -A)"; }

note "where it goes, as the callbacks are told"
mkdir sub
cr_checkpoint "$PID"
[ -s "context.$PID" ] && said "0 $T/context.$PID"
cr_checkpoint -c "$PID"
cr_checkpoint -d sub "$PID"
[ -s "sub/context.$PID" ] && said "0 $T/sub/context.$PID"
cr_checkpoint --file sub/image --cont "$PID"
[ -s sub/image ] && said "18 $T/sub/image"
cr_checkpoint -F 5 "$PID" 5>sub/fd
said "0 -"
cr_checkpoint -F 1 "$PID" | cat >sub/pipe
cr_checkpoint -F 5 --nosync -q "$PID" 5>sub/fd
for image in "context.$PID" sub/image sub/fd sub/pipe; do
	cr_info "$image" >sub/info || fail "$image"
done

note "atomic: another file, once it is complete; what was open stays"
echo old >image
ln image link
cr_checkpoint --atomic -f image "$PID"
[ "$(ino image)" != "$(ino link)" ] && [ "$(cat link)" = old ] ||
	fail "not atomic"
touch refuse
i=$(ino image)
must_fail cr_checkpoint -f image "$PID" 2>err
[ "$(ino image)" = "$i" ] && cr_info image >sub/info || fail "it is lost"
nothing_left

note "clobber: the same file, as it was until there is something to write"
rm -f image link refuse
echo old >image
chmod 640 image
ln image link
touch refuse
must_fail cr_checkpoint --clobber -f image "$PID" 2>err
[ "$(cat image)" = old ] || fail "it is lost"
must_fail cr_checkpoint --clobber -f new "$PID" 2>err
[ ! -e new ] || fail "a file was left"
rm refuse
cr_checkpoint --clobber -f image "$PID"
[ "$(ino image)" = "$(ino link)" ] || fail "not the same file"
[ "$(stat -c %a image)" = 640 ] || fail "another mode"
cr_info image >sub/info
cr_checkpoint --clobber -f new "$PID"
cr_info new >sub/info
must_fail cr_checkpoint --clobber -f sub "$PID" 2>err

note "backup: the old one has another name, only if there is a new one"
rm -f image* link
cr_checkpoint --backup -f image "$PID"
[ ! -e image~ ] || fail "a backup of nothing"
i=$(ino image)
cr_checkpoint --backup -f image "$PID"
[ "$(ino image~)" = "$i" ] || fail "no backup"
i=$(ino image)
cr_checkpoint --backup=sub/kept -f image "$PID"
[ "$(ino sub/kept)" = "$i" ] || fail "no backup"
i=$(ino image)
touch refuse
must_fail cr_checkpoint --backup=sub/other -f image "$PID" 2>err
[ ! -e sub/other ] && [ "$(ino image)" = "$i" ] || fail "$(ls -i . sub)"
rm refuse

note "noclobber: refused, and nothing is lost"
must_fail cr_checkpoint --noclobber -f image "$PID" 2>err
grep -q 'image exists' err || fail "$(cat err)"
[ "$(ino image)" = "$i" ] || fail "another file"
rm image
cr_checkpoint --noclobber -f image "$PID"
nothing_left

note "a limit of time; wrong options"
touch slow
must_fail cr_checkpoint -t 1 -f image2 "$PID" 2>err
grep -q 'time' err || fail "$(cat err)"
[ ! -e image2 ] || fail "a file was left"
rm slow
wait_for 'cr_checkpoint -q -f image2 $PID' 20
nothing_left
for args in "" "0" "x" "1 2" "-S 0 1" "-S 65 1" "-t 0 1" "--nothing 1" "-F x 1" \
	"--snapshot=x 1"; do
	status=0
	# shellcheck disable=SC2086 # several arguments
	cr_checkpoint $args 2>err || status=$?
	[ $status = 2 ] || fail "\"$args\": status $status"
	[ -s err ] || fail "\"$args\": no message"
done
must_fail cr_checkpoint 4000000 2>err
grep -q '4000000.*no such process' err || fail "$(cat err)"
cr_checkpoint --kmsg-none --kmsg-error --kmsg-warning --save-none \
	--ptraced-error --ptracer-error --run --sync --stop -f image "$PID"
wait_for 'grep -q "^State:.T" /proc/$PID/status' 20
kill -CONT "$PID"
cr_checkpoint --abort -f image "$PID"
status=0
wait "$PID" || status=$?
[ $status = 134 ] || fail "status $status"
touch end
restart_is 7 image
restart_is 7 -d "$T"
restart_is 7 -F 0 <image
