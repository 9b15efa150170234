#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 100,000 memory areas in one process, and reservations of 64 GiB and 1 TiB.
# time limit: 240
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"

cc_prog extremes - <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L

static char *map(long pages, int flags)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_ANONYMOUS | flags, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return p;
}

/* N areas: pages side by side, every other one read-only; some are written. */
static char *many(long n)
{
	char *p = map(n, MAP_PRIVATE);

	for (long i = 0; i < n; i += 7)
		p[i * PAGE] = (char)(i % 100 + 1);
	for (long i = 0; i < n; i += 2)
		if (mprotect(p + i * PAGE, PAGE, PROT_READ)) {
			perror("mprotect");
			exit(2);
		}
	return p;
}

static long count(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	long n = 0;
	int c;

	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

/* extremes areas N | shared N | sparse */
int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[2]) : 0, before, i, g = 1L << 18;
	int flags = MAP_PRIVATE | MAP_NORESERVE;
	char *p = NULL, *huge = NULL, *empty = NULL, **s = NULL;

	switch (argv[1][0]) {
	case 'a':
		p = many(n);
		break;
	case 's':
		if (argv[1][1] == 'p') {
			p = map(64 * g, flags);
			huge = map(1024 * g, flags);
			/* an area of its own: something lies between */
			mprotect(map(1, MAP_PRIVATE), PAGE, PROT_NONE);
			empty = map(1024 * g, flags);
			p[0] = 1;
			p[32 * g * PAGE + 5] = 2;
			p[64 * g * PAGE - 1] = 3;
			huge[512 * g * PAGE] = 4;
			break;
		}
		s = calloc(n, sizeof(*s));
		for (i = 0; i < n; i++) {
			s[i] = map(1, MAP_SHARED);
			*s[i] = (char)(i % 100 + 1);
			if (i % 2)
				mprotect(s[i], PAGE, PROT_READ);
		}
	}
	before = count();
	puts("ready");
	fflush(stdout);
	while (access("go", F_OK))
		usleep(2000);
	if (labs(count() - before) > 4)
		return printf("%ld areas, were %ld\n", count(), before), 3;
	for (i = 0; p && i < n; i++)
		if (p[i * PAGE] != (i % 7 ? 0 : (char)(i % 100 + 1)))
			return 4;
	for (i = 1; p && i < n; i += 2)
		p[i * PAGE]++;
	for (i = 0; s && i < n; i++)
		if (*s[i] != (char)(i % 100 + 1))
			return 5;
	if (huge && (p[0] != 1 || p[32 * g * PAGE + 5] != 2 || p[PAGE] ||
		     p[64 * g * PAGE - 1] != 3 || huge[512 * g * PAGE] != 4 ||
		     huge[512 * g * PAGE + PAGE] || empty[777 * PAGE]))
		return 6;
	if (empty)
		empty[1023 * g * PAGE] = 1;
	return 0;
}
C

# both OPTION... -- ARG...: saved, it runs on; and it runs on from the image
both() {
	local opt=() t0
	while [ "$1" != -- ]; do opt+=("$1"); shift; done
	shift
	rm -f go img
	start ./extremes "$@"
	t0=$(date +%s%N)
	cr_checkpoint ${opt[@]+"${opt[@]}"} -f img "$PID"
	note "$*: saved in $((($(date +%s%N) - t0) / 1000000)) ms"
	touch go
	wait "$PID" || fail "$*: status $? after the checkpoint: $(cat out)"
	t0=$(date +%s%N)
	cr_restart img || fail "$*: status $? after the restart: $(cat out)"
	note "$*: restarted in $((($(date +%s%N) - t0) / 1000000)) ms"
}

both -- sparse
both --snapshot=copy -- sparse

# the limit is raised where that is allowed, and put back
n=100000 limit=/proc/sys/vm/max_map_count
had=$(cat $limit)
if [ "$had" -lt $((n + 1000)) ]; then
	at_exit "echo $had 2>/dev/null >$limit"
	if ! echo $((n + 1000)) 2>/dev/null >$limit; then
		n=$((had - 1000))
		note "vm.max_map_count is fixed: $n areas instead of 100000"
	fi
fi
both -- areas $n
if [ "$(cat $limit)" != "$had" ]; then
	note "where that many are not allowed, the restart says so"
	echo "$had" >$limit
	must_fail cr_restart img 2>err
	grep -q "has 1000.. memory areas, more than .* ($had); raise vm.max_map_count" err ||
		fail "$(cat err)"
fi
both --snapshot=copy -- areas 20000
both -- shared 10000
