#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A context file that is written to between its verification and its use is
# refused, and no instruction of the program runs.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
need_root # so not in guests (case 4004): nothing here is up to the kernel
enter_pidns
tmpdir
cc_prog ticker "$CR_SRC/test-cluster/cases/ticker.c"
# runs a command when cr_restart, which has verified all, makes a process
cc_prog meanwhile.so - -shared -fPIC <<'C'
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long nr, ...)
{
	register long r10 __asm__("r10"), r8 __asm__("r8"), r9 __asm__("r9");
	const char *command = getenv("MEANWHILE");
	long a[6], ret;
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (nr == SYS_clone3 && command) {
		unsetenv("LD_PRELOAD");
		if (system(command))
			abort();
		unsetenv("MEANWHILE");
	}
	r10 = a[3];
	r8 = a[4];
	r9 = a[5];
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10),
			   "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret < 0 && ret > -4096 ? -1 : ret;
}
C
start ./ticker log
save image
touch go
n=$(stat -c %s log)

# meanwhile COMMAND STATUS OPTION...: a restart during which it is run
meanwhile() {
	local status=0
	cp image file
	rm -f log.after*
	MEANWHILE="$1; echo >>ran" LD_PRELOAD=$T/meanwhile.so \
		timeout 60 cr_restart "${@:3}" file </dev/null >said 2>err ||
		status=$?
	[ -s ran ] || fail "it came too late"
	rm ran
	[ $status = "$2" ] || fail "$1: status $status: $(cat err)"
	wait_for '[ -z "$(running ticker)$(running cr_restart)" ]' 20
}
for opt in $(pid_options); do
	meanwhile 'printf XYZ | dd of=file bs=1 seek=100000 conv=notrunc status=none' \
		125 $opt
	grep -q 'file: the context file was written to while it was read; r' err ||
		fail "$(cat err)"
	meanwhile ': >file' 125 $opt
	[ "$(stat -c %s log)" = "$n" ] || fail "the program ran"

	note "its time alone, its name and its place are not its content"
	meanwhile 'touch file' 5 $opt
	meanwhile 'cp image new; mv new file' 5 $opt
	meanwhile 'rm file' 5 $opt
done
