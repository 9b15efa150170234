#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A program checkpoints itself, is killed, and finds itself restarted.
# time limit: 90
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
cc_prog self - -lcr "-Wl,-rpath,$CR_PREFIX/lib" <<'END'
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <libcr.h>

static void need(int ok, const char *what)
{
	if (ok)
		return;
	printf("not so: %s: %s\n", what, cr_strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	cr_checkpoint_args_t args;
	cr_checkpoint_handle_t h;
	int fd, rc, round;
	char *msg;

	setvbuf(stdout, NULL, _IONBF, 0);
	need(cr_init() >= 0, "cr_init");
	for (round = 0; round < 3; round++) {
		fd = open("ctx", O_RDWR | O_CREAT | O_TRUNC, 0600);
		cr_initialize_checkpoint_args_t(&args);
		args.cr_fd = fd;
		need(!cr_request_checkpoint(&args, &h), "request");
		rc = cr_poll_checkpoint_msg(&h, NULL, &msg);
		if (rc == CR_POLL_CHKPT_ERR_POST && errno == CR_ERESTARTED) {
			printf("restarted in round %d\n", round);
			break;
		}
		if (msg)
			printf("said: %s", msg);
		need(rc == 1, "checkpoint");
		need(waitpid(-1, NULL, __WALL) < 0 && errno == ECHILD, "alone");
		close(fd);
		printf("round %d done\n", round);
	}
	if (round == 3)
		raise(SIGKILL);
	rc = cr_request_file("ctx2");
	printf("deprecated: %d\n", rc);
	if (!rc)
		raise(SIGKILL);
	return 7;
}
END
status=0
./self >out || status=$?
[ $status = 137 ] || fail "status $status: $(cat out)"
status=0
cr_restart ctx || status=$?
[ $status = 137 ] || fail "restarted: status $status: $(cat out)"
status=0
cr_restart ctx2 || status=$?
[ $status = 7 ] || fail "restarted again: status $status: $(cat out)"
# what was written after a checkpoint was taken back at its restart
[ "$(cat out)" = "round 0 done
round 1 done
restarted in round 2
deprecated: 1" ] || fail "$(cat out)"
