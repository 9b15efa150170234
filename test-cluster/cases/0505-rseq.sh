#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Restartable sequences are registered again, or refused by name where the kernel hides them.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
cc_prog user - <<'END'
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A second one is refused where there is one. */
static int registered(void)
{
	static char other[32] __attribute__((aligned(32)));

	if (syscall(SYS_rseq, other, 32, 0, 0x53053053)) /* RSEQ_SIG */
		return 1;
	syscall(SYS_rseq, other, 32, 1, 0x53053053);
	return 0;
}

int main(int argc, char **argv)
{
	int want = argc > 1, i;

	if (registered() != want)
		return 2;
	puts("ready");
	fflush(stdout);
	while (access("end", F_OK))
		usleep(5000);
	for (i = 0; i < 2; i++)
		if (registered() != want)
			return 3;
	return 7;
}
END
unset GLIBC_TUNABLES
start ./user with
note "Linux $(uname -r)"
if printf '5.13\n%s\n' "$(uname -r)" | sort -VC; then
	save image
	touch end
	restart_is 7 image
	rm end
else
	must_fail cr_checkpoint -f image "$PID" 2>err
	grep -q 'rseq.*GLIBC_TUNABLES=glibc.pthread.rseq=0' err ||
		fail "$(cat err)"
	touch end
	status=0
	wait "$PID" || status=$?
	[ $status = 7 ] || fail "status $status after the refusal"
	rm end
fi
start env GLIBC_TUNABLES=glibc.pthread.rseq=0 ./user
save image
touch end
restart_is 7 image
