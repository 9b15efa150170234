#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a restart may not do or cannot have here is refused with the reason.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
need_root
enter_ipcns # ids of System V IPC that nobody else takes meanwhile
enter_pidns
tmpdir
chmod 755 .

cc_prog has - <<'C'
/* has.c UID GID ROOT WHAT - becomes this and has that */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sembuf up = { 0, 1, 0 };
	uid_t uid = (uid_t)atoi(argv[1]);
	gid_t gid = (gid_t)atoi(argv[2]);
	int fd, id;

	if (!strcmp(argv[4], "set")) {
		id = semget(0x5711, 1, IPC_CREAT | 0600);
		if (id < 0 || semop(id, &up, 1))
			return 1;
	} else if (!strcmp(argv[4], "pidfd")) {
		fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
		if (fd < 0 || dup2(fd, 100) < 0)
			return 1;
	}
	if (chroot(argv[3]) || chdir("/") || setgroups(0, NULL) ||
	    setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
C
# saved ARG...: an image of it, which is killed
saved() {
	start ./has "$@"
	rm -f image
	save image
	chmod 644 image out
}
# refused PATTERN CMD...: it fails, says so, and leaves nothing.
refused() {
	local pattern=$1 status=0
	shift
	"$@" </dev/null >said 2>err || status=$?
	[ $status = 125 ] || fail "status $status: $(cat err)"
	grep -Eq "$pattern" err || fail "$pattern: not in: $(cat err)"
	[ -z "$(running has)" ] || fail "left: $(running has)"
}

note "another user's, and another group's"
saved 0 0 / nothing
refused "process $PID ran as user 0: only this user or root can restart it" \
	as_user cr_restart image
saved "$CR_TEST_UID" "$((CR_TEST_UID + 1))" / nothing
refused "process $PID ran as group $((CR_TEST_UID + 1)), which you may not" \
	as_user cr_restart image

note "a group that one is not in (any more); to be in more is no harm"
start setpriv --reuid="$CR_TEST_UID" --regid="$CR_TEST_UID" --groups=5,7 \
	bash -c 'echo ready; until [ -e end ]; do sleep 0.01; done; id -G; exit 7'
rm -f image
save image
chmod 644 image out
chown "$CR_TEST_UID" out
refused "process $PID was in the supplementary group 5, and you are not; have" \
	as_user cr_restart image
touch end
chmod 1777 . # what was added to ./out is moved aside
for groups in 5,7 3,5,6,7; do
	status=0
	setpriv --reuid="$CR_TEST_UID" --regid="$CR_TEST_UID" --groups=$groups \
		--inh-caps=-all cr_restart image </dev/null 2>err || status=$?
	[ $status = 7 ] || fail "status $status: $(cat err)"
done
restart_is 7 image
[ "$(tail -n 1 out)" = "$CR_TEST_UID 5 7" ] || fail "$(cat out)"
rm -f end out*
chmod 755 .

note "another root directory"
mkdir inside
saved "$CR_TEST_UID" "$CR_TEST_UID" inside nothing
refused "process $PID has the root directory $T/inside, which only root can" \
	as_user cr_restart image

note "a higher descriptor than one may have"
saved 0 0 / pidfd
refused "process $PID has a descriptor 100, and a process may have 60 here; raise" \
	bash -c 'ulimit -n 60; exec cr_restart image'

note "a key that another one has now"
saved 0 0 / set
id=$(ipcs -s | awk '$1 == "0x00005711" { print $2 }')
ipcrm -s "$id"
ipcmk -S 1 >/dev/null # takes its place
gcc -xc -o other - <<'C'
#include <sys/sem.h>
int main(void)
{
	return semget(0x5711, 2, IPC_CREAT | IPC_EXCL | 0600) < 0;
}
C
./other
other=$(ipcs -s | awk '$1 == "0x00005711" { print $2 }')
refused "set $id had the key 0x5711, which another one \($other\) has now; rem" \
	cr_restart --restore-pid image
ipcrm -s "$other"
cr_restart --restore-pid image </dev/null >said 2>err &
front=$!
wait_for '[ -n "$(running has)" ] || gone $front' 10
[ "$(ipcs -s | awk '$1 == "0x00005711" { print $2 }')" = "$id" ] ||
	fail "$(cat err; ipcs -s)"
kill -9 $front
wait $front || true
wait_for '[ -z "$(running has)" ]' 10
