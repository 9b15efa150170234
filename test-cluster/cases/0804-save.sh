#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --save-exe, -private, -shared, -all: what is in the image need not be there.
# time limit: 90
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
cat >lib.c <<'END'
static const char text[8192] = "a library";
const char *said(void);
const char *said(void)
{
	return text;
}
END
cc_prog libsaid.so lib.c -shared -fPIC
# two processes; most pages of files were never touched before the checkpoint
cc_prog user - -L. -lsaid "-Wl,-rpath,$T" <<'END'
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

const char *said(void);

static const char far[64 << 10] __attribute__((aligned(4096))) = {
	[40000] = 'f', 'a', 'r'
};

static char *map(const char *name, int prot, int flags)
{
	int fd = open(name, (prot & PROT_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	char *p = mmap(NULL, 3 * 4096, prot, flags, fd, 0);

	close(fd);
	return p;
}

int main(void)
{
	char *own = map("own", PROT_READ, MAP_PRIVATE);
	char *part = map("own", PROT_READ | PROT_WRITE, MAP_PRIVATE);
	char *shared = map("shared", PROT_READ | PROT_WRITE, MAP_SHARED);
	pid_t child;
	int status, rc;

	if (own == MAP_FAILED || part == MAP_FAILED || shared == MAP_FAILED)
		return 1;
	part[5000] = 'P';
	shared[10] = 'S';
	child = fork();
	if (child == 0) {
		while (shared[11] != 'G')
			usleep(1000);
		shared[12] = 'C';
		_exit(3);
	}
	puts("ready");
	fflush(stdout);
	while (access("end", F_OK))
		usleep(5000);
	rc = 7;
	if (memcmp(own + 8000, "own", 3) || memcmp(part + 8000, "own", 3) ||
	    part[5000] != 'P' || own[5000])
		rc = 2;
	if (memcmp(far + 40000, "far", 4) || strcmp(said(), "a library"))
		rc = 3;
	if (memcmp(shared + 8000, "shared", 6) || shared[10] != 'S')
		rc = 4;
	shared[11] = 'G';
	if (waitpid(child, &status, 0) != child || status != 3 << 8 ||
	    shared[12] != 'C')
		rc = 5;
	return rc;
}
END
fresh() { # NAME: 3 pages
	head -c 8000 /dev/zero >"$1"
	printf '%s' "$1" >>"$1"
	truncate -s 12288 "$1"
}
mkdir orig
cp -p user libsaid.so orig
begin() {
	rm -f end own shared
	cp -p orig/* .
	fresh own
	fresh shared
	start ./user
}

note "all: nothing of it is needed any more, here or in a namespace"
begin
cr_checkpoint --save-all --kill -f all "$PID"
wait "$PID" 2>/dev/null || true
touch end out
rm user libsaid.so own shared
cr_restart --check all 2>err || fail "$(cat err)"
restart_is 7 all
! can_make_namespaces || restart_is 7 --no-restore-pid all
# changed ones are no obstacle, either, and stay as they are
echo other | tee user libsaid.so own >shared
restart_is 7 all
[ "$(cat own shared)" = "other
other" ] || fail "$(cat own shared)"

note "each by itself; what is not saved is needed"
for what in exe private shared none; do
	begin
	cr_checkpoint --save-$what --kill -f $what.img "$PID"
	wait "$PID" 2>/dev/null || true
	touch end
	restart_is 7 $what.img
	# writes of the restarted reach the file only if it is not saved
	c=$(od -An -c -j 12 -N 1 shared | tr -d ' ')
	if [ $what = shared ]; then
		[ "$c" = '\0' ] || fail "shared was written: $c"
	else
		[ "$c" = C ] || fail "shared was not written: $c"
	fi
	fresh shared
	for file in user own shared; do
		case $file in
		user)   is=exe ;;
		own)    is=private ;;
		shared) is=shared ;;
		esac
		mv $file off
		if [ $is = $what ]; then
			cr_restart --check $what.img 2>err || fail "$(cat err)"
		else
			must_fail cr_restart --check $what.img 2>err
			grep -q "$T/$file" err || fail "$(cat err)"
		fi
		mv off $file
	done
done

note "an executable that was replaced while it runs is saved with --save-exe"
begin
rm user
must_fail cr_checkpoint -f image "$PID" 2>err
grep -q "executable $T/user was removed.*--save-exe" err || fail "$(cat err)"
cr_checkpoint --kill --save-exe -f image "$PID"
wait "$PID" 2>/dev/null || true
touch end
restart_is 7 image

note "by copying while it stands still, as by fork; the last option counts"
begin
cr_checkpoint --save-all --snapshot=copy --kill -f image "$PID"
wait "$PID" 2>/dev/null || true
rm user libsaid.so own shared
touch end
restart_is 7 image
begin
cr_checkpoint --save-all --save-none --kill -f image "$PID"
wait "$PID" 2>/dev/null || true
rm own
must_fail cr_restart --check image 2>err
