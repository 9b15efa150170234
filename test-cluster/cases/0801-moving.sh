#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An image goes on elsewhere: other paths, other ids, several copies at once.
# time limit: 90
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
# counter: adds to the file "count" of its directory while there is no "end";
# says what it thinks that it is called, where it is, and what it mapped
cc_prog counter - <<'END'
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	FILE *f = fopen("count", "w+");
	int fd = open("table", O_RDWR), page = open("page", O_RDONLY), n = 0;
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			    fd, 0);
	char *own = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, page, 0);
	char cwd[4096];
	pid_t pid = getpid();

	if (!f || shared == MAP_FAILED || own == MAP_FAILED)
		return 1;
	printf("ready\n");
	fflush(stdout);
	while (access("end", F_OK)) {
		fprintf(f, "%d\n", n++);
		fflush(f);
		shared[0] = (char)('a' + n % 26);
		usleep(2000);
	}
	if (getpid() != pid || strcmp(own, "a page"))
		return 2;
	if (!getcwd(cwd, sizeof(cwd)))
		return 3;
	printf("%d in %s, %c\n", n, cwd, shared[0]);
	fclose(f);
	return 7;
}
END
lines() { cat "$1/count" 2>/dev/null | wc -l; }
whole() { # DIR: every number once, in order
	local n
	n=$(lines "$1")
	seq 0 $((n - 1)) | cmp -s - "$1/count" || fail "$1: $(tail "$1/count")"
}

note "everything below one directory moves to another, '=' and all"
page() { printf 'a page'; head -c 4090 /dev/zero; }
mkdir here
head -c 4096 /dev/zero >here/table
page >here/page
cp -p counter here/counter
cd here
start ./counter
cd ..
wait_for '[ "$(lines here)" -ge 20 ]' 20
save "image=1"
must_fail cr_info --tree nowhere
mv here 'the=re'
must_fail cr_restart 'image=1' 2>err
grep -q "$T/here.*No such file" err || fail "$(cat err)"
must_fail cr_restart --relocate "$T/here" 'image=1' 2>err
grep -q -- '--relocate wants OLD=NEW' err || fail "$(cat err)"
n=$(lines 'the=re')
cr_restart --relocate "$T/here=$T/the=re" 'image=1' &
restart=$!
wait_for '[ "$(lines "the=re")" -gt $((n + 20)) ]' 20
touch 'the=re/end'
status=0
wait $restart || status=$?
[ $status = 7 ] || fail "status $status: $(cat 'the=re/out')"
grep -q "in $T/the=re, " 'the=re/out' || fail "$(cat 'the=re/out')"
whole 'the=re'

note "and back, with a backslash before the '=' of OLD; the image moves, too"
mkdir elsewhere
rm 'the=re/end'
cd 'the=re'
start ./counter
cd ..
wait_for '[ "$(lines "the=re")" -ge 20 ]' 20
save elsewhere/image
mv 'the=re' here
# the same content, made anew
rm here/page
page >here/page
touch here/end out
restart_is 7 --relocate "$T/the\\=re=$T/here" "$T/elsewhere/image"
whole here

note "sixteen times, not more; the first that fits counts"
args=()
for i in {1..15}; do
	args+=(--relocate "/nothing/$i=/nowhere/$i")
done
restart_is 7 "${args[@]}" --relocate "$T/the\\=re/=$T/here/" elsewhere/image
must_fail cr_restart "${args[@]}" --relocate /a=/b --relocate /c=/d image 2>err
grep -q 'more than 16' err || fail "$(cat err)"

note "three copies of one image at once, each in a directory of its own"
rm here/end
cd here
start ./counter
cd ..
wait_for '[ "$(lines here)" -ge 20 ]' 20
save image
copies() {
	local restarts=() i n status
	for i in 1 2 3; do
		cp -rp here "here.$i"
		cr_restart --no-restore-pid --relocate "$T/here=$T/here.$i" image &
		restarts+=($!)
	done
	n=$(lines here)
	for i in 1 2 3; do
		wait_for '[ "$(lines here.$i)" -gt $((n + 20)) ]' 20
	done
	# all three are there with the same id of their own
	[ "$(running counter | wc -l)" = 3 ] || fail "$(running counter)"
	for i in 3 1 2; do
		touch "here.$i/end"
		status=0
		wait "${restarts[i - 1]}" || status=$?
		[ $status = 7 ] || fail "copy $i: status $status: $(cat "here.$i/out")"
		grep -q "in $T/here.$i, " "here.$i/out" || fail "$(cat "here.$i/out")"
		whole "here.$i"
	done
	[ "$(lines here)" = "$n" ] || fail "the original changed"
}
! can_make_namespaces || copies

note "the ids are taken: said by name, or in a namespace of their own"
[ -d here.1 ] || cp -rp here here.1
cd here.1
rm -f end
start ./counter
cd ..
wait_for '[ "$(lines here.1)" -ge 20 ]' 20
cr_checkpoint -f image2 "$PID"
if [ "$(id -u)" = 0 ]; then
	must_fail cr_restart --restore-pid image2 2>err
	grep -q "$PID.*counter" err || fail "$(cat err)"
fi
cp -rp here.1 here.4
touch here.4/end
! can_make_namespaces ||
	restart_is 7 --relocate "$T/here.1=$T/here.4" image2
touch here.1/end
wait "$PID" || true
