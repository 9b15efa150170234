#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One write, saved again and again while it goes on piece by piece, is one write.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
cc_prog writer - <<'C'
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#define ALL (4 << 20)
#define PIECE 150000

static unsigned char out[ALL], in[ALL];
static int fds[2];
static long result;

static void *body(void *arg)
{
	struct iovec v[3] = { { out, 1000 }, { out + 1000, ALL / 2 },
			      { out + 1000 + ALL / 2, ALL / 2 - 1000 } };

	result = arg ? writev(fds[1], v, 3) : write(fds[1], out, ALL);
	close(fds[1]);
	return NULL;
}

/* A piece for each file step.N; all that is left for the file "rest". */
int main(int argc, char **argv)
{
	size_t n = 0, i, want = 0;
	pthread_t thread;
	char path[32];
	int step = 1;
	ssize_t r;

	for (i = 0; i < ALL; i++)
		out[i] = (unsigned char)(i * 7 + i / 251);
	if (pipe(fds))
		return 1;
	pthread_create(&thread, NULL, body, argc > 1 ? argv[1] : NULL);
	puts("ready");
	fflush(stdout);
	while (access("rest", F_OK)) {
		snprintf(path, sizeof(path), "step.%d", step);
		if (access(path, F_OK)) {
			usleep(1000);
			continue;
		}
		for (want += PIECE; n < want; n += (size_t)r) {
			r = read(fds[0], in + n, want - n);
			if (r <= 0)
				return 2;
		}
		snprintf(path, sizeof(path), "done.%d", step++);
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	while ((r = read(fds[0], in + n, n < ALL ? ALL - n : 1)) > 0)
		n += (size_t)r;
	pthread_join(thread, NULL);
	if (n != ALL || result != ALL)
		return 3;
	for (i = 0; i < ALL; i++)
		if (in[i] != out[i])
			return 4;
	return 7;
}
C

# pieces FROM TO: the reader takes some, and after each there is a checkpoint
pieces() {
	local i
	for ((i = $1; i <= $2; i++)); do
		touch "step.$i"
		wait_for '[ -e "done.$i" ]' 20
		cr_checkpoint -f img "$PID"
	done
}

for how in "" v; do
	rm -f step.* done.* rest
	start ./writer $how
	before=$(wc -l <"/proc/$PID/maps")
	pieces 1 5
	note "what is left in the memory does not grow"
	[ "$(wc -l <"/proc/$PID/maps")" -le $((before + 2)) ]
	save img
	for ((from = 6; from <= 14; from += 4)); do
		timeout 60 cr_restart --restore-pid img 2>err &
		wait_for '[ -n "$(running writer)" ] || gone $!' 20
		pieces $from $((from + 2))
		touch "step.$((from + 3))"
		wait_for '[ -e "done.$((from + 3))" ]' 20
		save img
		wait_for '[ -z "$(running writer)" ]' 20
	done
	timeout 60 cr_restart --restore-pid img 2>err &
	touch rest
	status=0
	wait $! || status=$?
	[ $status = 7 ] || fail "status $status: $(cat err out)"
done
