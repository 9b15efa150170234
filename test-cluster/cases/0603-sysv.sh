#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# System V IPC that outlives its program: taken over, or in the way by name.
# time limit: 90
. "$(dirname "$0")/lib.sh"
# ids of System V IPC that nobody else takes meanwhile
enter_ipcns
enter_pidns
need_root
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"

cc_prog user - <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

/* Does what the file "do" says, once each, and answers in "done". */
int main(void)
{
	int shm = shmget(IPC_PRIVATE, 8192, 0600);
	int sem = semget(IPC_PRIVATE, 1, 0600);
	int msg = msgget(IPC_PRIVATE, 0600);
	struct { long type; char c; } m = { 1, 'm' };
	struct sembuf up = { 0, 1, 0 };
	struct msqid_ds ds;
	int *p = shmat(shm, NULL, 0);
	char what;
	FILE *f;

	semop(sem, &up, 1);
	msgsnd(msg, &m, 1, 0);
	p[0] = 1;
	f = fopen("ids", "w");
	fprintf(f, "%d %d %d\n", shm, sem, msg);
	fclose(f);
	puts("ready");
	fflush(stdout);
	for (;; usleep(2000)) {
		f = fopen("do", "r");
		if (!f)
			continue;
		what = fgetc(f);
		fclose(f);
		unlink("do");
		if (what == 'c') {	/* change all of it */
			p[0] += 1;
			p[1500] = 7;
			semop(sem, &up, 1);
			msgsnd(msg, &m, 1, 0);
		}
		msgctl(msg, IPC_STAT, &ds);
		f = fopen("answer", "w");
		fprintf(f, "%d %d %d %d\n", p[0], p[1500],
			semctl(sem, 0, GETVAL), (int)ds.msg_qnum);
		fclose(f);
		rename("answer", "done");
		if (what == 'e') {
			shmctl(shm, IPC_RMID, NULL);
			semctl(sem, 0, IPC_RMID);
			msgctl(msg, IPC_RMID, NULL);
			return 0;
		}
	}
}
C

# tell LETTER ANSWER
tell() {
	rm -f done
	echo "$1" >do.new
	mv do.new do
	wait_for '[ -e done ]' 20
	[ "$(cat done)" = "$2" ] || fail "$1: $(cat done), not $2"
}
remove() {
	ipcrm -m "$shm" 2>/dev/null || true
	ipcrm -s "$sem" 2>/dev/null || true
	ipcrm -q "$msg" 2>/dev/null || true
}

start ./user
read -r shm sem msg <ids
at_exit remove
cr_checkpoint -f img "$PID"
tell c '2 7 2 2'

note "while it runs, a restart has what it needs in a namespace of its own"
must_fail cr_restart --restore-pid img 2>err
first=$PID
kill -STOP "$first"
cr_restart img &
second=$!
tell e '1 0 1 1'
wait $second
kill -CONT "$first"
tell r '2 7 2 2'

note "what the killed program has left is taken over, as it was"
kill -9 "$first"
wait_for '[ ! -e /proc/$first ]' 20 # a zombie has its id
ipcs -m >there
grep -qw "$shm" there
cr_restart --restore-pid img &
second=$!
tell r '1 0 1 1'
tell c '2 7 2 2'
[ "$(ipcs -m | awk -v id="$shm" '$2 == id { print $6 }')" = 1 ]

note "and a second generation of it"
cr_checkpoint -f img2 "$first"
kill -9 $second
wait $second || true
wait_for '[ ! -e /proc/$first ]' 20 # a zombie has its id
cr_restart --restore-pid img2 &
second=$!
tell r '2 7 2 2'
kill -9 "$first"
wait $second || true

note "somebody else uses it"
cat >use.c <<'C'
#include <stdlib.h>
#include <sys/shm.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	if (shmat(atoi(argv[1]), NULL, 0) == (void *)-1)
		return 1;
	write(1, "ready\n", 6);
	for (;;)
		pause();
}
C
"${CC:-gcc}" -o use use.c
./use "$shm" >used &
use=$!
wait_for 'grep -qs ready used' 20
must_fail cr_restart --restore-pid img 2>err
grep -q "shared memory segment $shm is in use by process .*; end that" err ||
	fail "$(cat err)"
kill -9 $use
wait $use || true

note "another one has its id"
ipcrm -s "$sem"
echo $((sem)) >/proc/sys/kernel/sem_next_id
[ "$(ipcmk -S 3 | sed 's/.*: //')" = "$sem" ]
must_fail cr_restart --restore-pid img 2>err
grep -q "semaphore set $sem is another one now; remove" err ||
	fail "$(cat err)"
ipcrm -s "$sem"
cr_restart --restore-pid img &
second=$!
tell e '1 0 1 1'
wait $second
ipcs -m >left
must_fail grep -qw "$shm" left
