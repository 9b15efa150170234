#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cr_restart --check names all that has changed, and creates nothing.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
cat >lib.c <<'END'
int answer(void)
{
	return 7;
}
END
cc_prog libanswer.so lib.c -shared -fPIC -Wl,--build-id
cc_prog user - -L. -lanswer "-Wl,-rpath,$T" <<'END'
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int answer(void);

int main(void)
{
	int fd = open("table", O_RDONLY | O_CLOEXEC);
	char *table = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	FILE *f = fopen("data", "re");
	char line[64];

	if (!f || table == MAP_FAILED || !fgets(line, sizeof(line), f))
		return 1;
	close(fd);
	puts("ready");
	fflush(stdout);
	while (access("end", F_OK))
		usleep(5000);
	return strcmp(table, "table") ? 2 : answer();
}
END
printf 'table' >table
printf 'one\ntwo\n' >data
start ./user
save image
touch end

# check STATUS: what --check says, in err; and it leaves no trace
check() {
	local status=0 before after
	before=$(ls -A . /dev/shm; running user)
	cr_restart --check "${@:2}" image >said 2>err || status=$?
	after=$(ls -A . /dev/shm; running user)
	[ $status = "$1" ] || fail "status $status: $(cat err)"
	[ ! -s said ] || fail "on standard output: $(cat said)"
	[ "$before" = "$after" ] || fail "it left something: $after"
}
says() { grep -q -- "$1" err || fail "no \"$1\": $(cat err)"; }
refused() { # PATTERN: by --check and by a restart, which runs nothing
	check 125
	says "$1"
	must_fail cr_restart image 2>err
	says "$1"
}
touch said err
for i in 1 2 3; do # as often as one likes
	check 0
	says '1 processes, 1 threads: verified'
done
restart_is 7 image
mkdir orig
cp -p table data libanswer.so user orig

note "another time but the same content is the same file"
touch -d '2001-01-01' table
check 0
cp libanswer.so copy && mv copy libanswer.so
check 0
restart_is 7 image

note "one thing after the other"
printf 'TABLE' >table
refused "mapped file $T/table is another one.*digest"
printf 'a longer table' >table
refused "mapped file $T/table is another one.*size was 5 bytes and is 14"
rm table
refused "file $T/table, which the program has in its memory: No such file"
cp -p orig/table .
sed -i 's/7/8/' lib.c
rm libanswer.so
cc_prog libanswer.so lib.c -shared -fPIC -Wl,--build-id
refused "library $T/libanswer.so is another one.*build id.*recompiled"
cp -p orig/libanswer.so .
printf 'x' >>user
refused "executable or library $T/user is another one.*size"
rm user
cp -p orig/user .
rm data
refused "$T/data"
cp -p orig/data .
restart_is 7 image

note "all at once: each is named, and their number"
rm data table
printf 'x' >>libanswer.so
check 125
says "$T/data"
says "$T/table"
says "library $T/libanswer.so"
says '3 things stand in the way (see above); nothing was created'
[ "$(wc -l <err)" = 4 ] || fail "$(cat err)"
cp -p orig/* .

note "a damaged image, and ids that are taken"
cp image good
printf 'X' | dd of=image bs=1 seek=5000 conv=notrunc status=none
check 125
says 'damaged\|digest\|corrupt'
cp good image
if [ "$(id -u)" = 0 ]; then
	rm end
	start ./user
	cr_checkpoint -f image "$PID"
	check 125 --restore-pid
	says "$PID.*user"
	check 0
	touch end
	wait "$PID" || true
fi
