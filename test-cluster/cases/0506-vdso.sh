#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No thread of an image is inside the vdso, which another kernel does not have, however often it asks for the time.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
cc_prog clocks - <<'END'
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int end;
static volatile struct timespec *shared;

static int earlier(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Time goes on; what lies around the result stays as it is. */
static void *monotonic(void *arg)
{
	struct timespec t[3] = { { 1, 2 }, { 0 }, { 3, 4 } }, last = { 0 };

	while (!end) {
		if (clock_gettime(CLOCK_MONOTONIC, &t[1]) ||
		    earlier(&t[1], &last) || t[0].tv_nsec != 2 ||
		    t[2].tv_sec != 3)
			abort();
		last = t[1];
	}
	return arg;
}

static void *of_day(void *arg)
{
	struct timeval tv;

	while (!end)
		if (gettimeofday(&tv, NULL) || tv.tv_usec >= 1000000)
			abort();
	return arg;
}

/* The vdso makes a system call for this one. */
static void *cpu_time(void *arg)
{
	struct timespec t;

	while (!end)
		if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t))
			abort();
	return arg;
}

static void *processor(void *arg)
{
	while (!end)
		if (sched_getcpu() < 0 || time(NULL) <= 0)
			abort();
	return arg;
}

/* Into shared memory, where only this thread writes. */
static void *into_shared(void *arg)
{
	struct timespec last;
	int i;

	while (!end) {
		if (clock_gettime(CLOCK_MONOTONIC, (struct timespec *)shared))
			abort();
		last.tv_nsec = shared->tv_nsec;
		for (i = 0; i < 20; i++)
			if (shared->tv_nsec != last.tv_nsec)
				abort();
	}
	return arg;
}

int main(int argc, char **argv)
{
	static void *(*const all[])(void *) = { monotonic, of_day, cpu_time,
						processor };
	int i, n = argc > 1 ? 1 : 4;
	pthread_t th[4];

	(void)argv;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < n; i++)
		if (pthread_create(&th[i], NULL,
				   argc > 1 ? into_shared : all[i], NULL))
			return 1;
	puts("ready");
	fflush(stdout);
	while (access("end", F_OK))
		usleep(5000);
	end = 1;
	for (i = 0; i < n; i++)
		pthread_join(th[i], NULL);
	return 7;
}
END

# How many threads of image $1 have their instruction pointer in the vdso
inside() {
	local line from= to rip rips=() n=0
	while read -r line; do
		case $line in
		*rip*) rips+=("${line#*: }") ;;
		*start*) from=${line#*: } ;;
		*end*) to=${line#*: } ;;
		*kind*) break ;;
		esac
	done < <(cr_info --json "$1" | tr -d '",' |
		 grep -E ' rip:| start:| end:| kind: vdso$' |
		 grep -B 2 -e rip -e kind)
	[ -n "$from" ] && [ ${#rips[@]} -ge 5 ] || fail "nothing to see in $1"
	for rip in "${rips[@]}"; do
		n=$((n + (rip >= from && rip < to)))
	done
	echo $n
}

runs=${CR_TEST_RUNS:-16}
start ./clocks
for how in fork copy; do
	for i in $(seq "$runs"); do
		cr_checkpoint --snapshot=$how -f "image.$how" "$PID"
		n=$(inside "image.$how")
		[ "$n" = 0 ] || fail "$how $i: $n threads are inside the vdso"
	done
	runs=$(((runs + 3) / 4))
done
save image.last
touch end
for i in fork copy last; do
	restart_is 7 "image.$i"
done
rm end

note "a result that others see: the program runs on as it was"
start ./clocks shared
for i in $(seq "$runs"); do
	cr_checkpoint -f image "$PID"
done
save image
touch end
restart_is 7 image
