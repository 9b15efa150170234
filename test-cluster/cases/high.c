/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * high.c - a program beyond the 47 bits of an address that all machines have:
 * data, shared memory, a stack and code
 *
 * "ready" when set up.  Each SIGUSR1 has it check all it has: "good N"; after
 * SIGTERM its status is 7.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define TOP 0xfffffffffff000UL /* the end of a process with five levels */
#define RW (PROT_READ | PROT_WRITE)

static void bad(const char *what, int line)
{
	dprintf(1, "%d: line %d: %s (%s)\n", getpid(), line, what,
		strerror(errno));
	_exit(1);
}
#define CHECK(c) do { if (!(c)) bad(#c, __LINE__); } while (0)

static char *map(uintptr_t at, size_t len, int prot, int flags)
{
	char *p = mmap((void *)at, len, prot,
		       flags | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED || (uintptr_t)p != at) {
		dprintf(1, "no memory at %lx\n", at);
		_exit(77);
	}
	return p;
}

static char *low, *middle, *top, *none, *sparse;
static volatile int *shared;
static int (*code)(volatile int *);
static int round_no;
static pthread_t thread;
static volatile int running = 1, turns;

/* On a stack up there, mostly in code up there. */
static void *turn(void *arg)
{
	int local[64];

	memset(local, 3, sizeof(local));
	CHECK((uintptr_t)local >> 47);
	while (running)
		turns += code(&running);
	CHECK(local[0] == 0x03030303 && local[63] == 0x03030303);
	return arg;
}

static void serve(void)
{
	for (;; usleep(1000)) {
		if (getppid() == 1 || *shared < 0)
			_exit(0);
		shared[1] = *shared;
	}
}

static void set_up(void)
{
	/* how often it was 1, until 100000 times: mov $100000,%ecx; xor %eax,
	 * %eax; again: add (%rdi),%eax; loop again; ret */
	static const uint8_t loop[] = { 0xb9, 0xa0, 0x86, 1, 0, 0x31, 0xc0,
					3, 7, 0xe2, 0xfc, 0xc3 };
	pthread_attr_t attr;
	char *p;

	low = map(1UL << 47, 4 * PAGE, RW, MAP_PRIVATE);
	middle = map(1UL << 55, 4 * PAGE, RW, MAP_PRIVATE);
	top = map(TOP - 2 * PAGE, 2 * PAGE, RW, MAP_PRIVATE);
	none = map(3UL << 52, PAGE, RW, MAP_PRIVATE);
	sparse = map(5UL << 52, 1UL << 31, RW, MAP_PRIVATE | MAP_NORESERVE);
	strcpy(low, "low");
	strcpy(middle + PAGE, "middle");
	strcpy(top + PAGE, "top");
	strcpy(none, "none");
	strcpy(sparse + (1UL << 30), "sparse");
	CHECK(!mprotect(none, PAGE, PROT_NONE));
	p = map(7UL << 52, PAGE, RW, MAP_PRIVATE);
	memcpy(p, loop, sizeof(loop));
	CHECK(!mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	code = (int (*)(volatile int *))(uintptr_t)p;
	shared = (int *)map(9UL << 52, PAGE, RW, MAP_SHARED);
	if (!fork())
		serve();
	p = map(11UL << 52, 16 * PAGE, RW, MAP_PRIVATE);
	pthread_attr_init(&attr);
	CHECK(!pthread_attr_setstack(&attr, p, 16 * PAGE));
	CHECK(!pthread_create(&thread, &attr, turn, NULL));
}

static void check(void)
{
	int was = turns;

	CHECK(!strcmp(low, "low") && low[PAGE] == round_no);
	CHECK(!strcmp(middle + PAGE, "middle") && !middle[0]);
	CHECK(!strcmp(top + PAGE, "top") && !top[0]);
	CHECK(write(-1, none, 1) == -1 && !mprotect(none, PAGE, RW));
	CHECK(!strcmp(none, "none") && !mprotect(none, PAGE, PROT_NONE));
	CHECK(!strcmp(sparse + (1UL << 30), "sparse") && !sparse[1UL << 29]);
	low[PAGE]++;
	*shared = ++round_no;
	while (shared[1] != round_no || turns == was)
		usleep(1000);
}

int main(void)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	set_up();
	dprintf(1, "ready\n");
	for (;;) {
		CHECK(!sigwait(&set, &sig));
		if (sig == SIGTERM)
			break;
		check();
		dprintf(1, "good %d\n", round_no);
	}
	*shared = -1;
	running = 0;
	CHECK(!pthread_join(thread, NULL));
	return wait(NULL) > 0 ? 7 : 1;
}
