// SPDX-License-Identifier: GPL-2.0
/*
 * test-bad.c - calls of all kinds that make no sense: test-bad [CALLS [SEED]]
 *
 * Some are wholly random, most are right ones with something changed, so that
 * they get far.  Nothing may break: the target runs on, the kernel log stays
 * clean (run looks at it), and nobody else's process is ever touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"

#define WORKERS 2
#define AREA (1UL << 20)

static const unsigned long calls[] = {
	CR_IOC_INFO,	CR_IOC_ATTACH,	  CR_IOC_DETACH,     CR_IOC_PAGES,
	CR_IOC_STOP,	CR_IOC_RESUME,	  CR_IOC_THREADS,    CR_IOC_READ,
	CR_IOC_DONE,	CR_IOC_PIDS_OPEN, CR_IOC_PIDS_CLOSE,
};
#define N_CALLS (sizeof(calls) / sizeof(*calls))

union argument {
	struct cr_ioc_target target;
	struct cr_ioc_pages pages;
	struct cr_ioc_stop stop;
	struct cr_ioc_threads threads;
	struct cr_ioc_read read;
	struct cr_ioc_done done;
	uint64_t words[32];
	uint8_t bytes[256];
};

static uint64_t state;
static volatile unsigned long *beat, *strange_beat;
static pid_t target, stranger;
static char *area, *edge;
static struct cr_range ranges[4];
/* A module clears as much of an argument as its size says. */
static char room[1 << _IOC_SIZEBITS];

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t odd_value(void)
{
	static const uint64_t values[] = {
		0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 4096, 4095,
		0x7ffffffff000, 0x7fffffffffff, 0x800000000000,
		0xffff888000000000, 0xffffffff81000000, 0xffffffffffffffff,
		0xfffffffffffff000, 0x8000000000000000, 1UL << 40,
	};

	switch (rnd() % 4) {
	case 0:
		return rnd();
	case 1:
		return rnd() % 65;
	case 2:
		return (uintptr_t)(area + rnd() % AREA);
	default:
		return values[rnd() % (sizeof(values) / sizeof(*values))];
	}
}

/* A right one, or nearly. */
static void good(unsigned long cmd, union argument *a, int fd)
{
	memset(a, 0, sizeof(*a));
	a->target.pid = rnd() % 8 ? target : stranger;
	switch (cmd) {
	case CR_IOC_PAGES:
		ranges[0] = (struct cr_range){ (uintptr_t)area,
					       4096 * (rnd() % 16) };
		ranges[1] = (struct cr_range){ 4096 * (rnd() % 100), 1UL << 30 };
		a->pages.fd = fd;
		a->pages.ranges = (uintptr_t)ranges;
		a->pages.n_ranges = rnd() % 3;
		a->pages.runs = (uintptr_t)(area + AREA / 2);
		a->pages.max_runs = 1 + rnd() % 8;
		a->pages.offset = 4096 * (rnd() % 64);
		a->pages.flags = rnd() % 2;
		a->pages.max_len = 4096 * (rnd() % 3);
		if (rnd() % 2)
			a->pages.digests = (uintptr_t)(area + AREA / 4);
		break;
	case CR_IOC_STOP:
		a->stop.timeout_ms = rnd() % 50;
		break;
	case CR_IOC_THREADS:
		a->threads.tids = (uintptr_t)area;
		a->threads.max = rnd() % 4;
		break;
	case CR_IOC_READ:
		a->read.tid = target;
		a->read.what = rnd() % 7;
		a->read.size = rnd() % 4096;
		a->read.buf = (uintptr_t)area;
		break;
	case CR_IOC_DONE:
		memset(a, 0, sizeof(*a));
		break;
	}
}

static unsigned long mutate(unsigned long cmd, union argument *a)
{
	switch (rnd() % 8) {
	case 0:
		a->words[rnd() % 9] = odd_value();
		break;
	case 1:
		((uint32_t *)a->words)[rnd() % 18] = (uint32_t)odd_value();
		break;
	case 2:
		a->bytes[rnd() % 72] ^= 1 << rnd() % 8;
		break;
	case 3: /* another size, as of another version */
		return _IOC(_IOC_DIR(cmd), CR_IOC_MAGIC, _IOC_NR(cmd),
			    rnd() % 256);
	case 4:
		return cmd ^ (1UL << rnd() % 32);
	case 5:
		return rnd();
	}
	return cmd;
}

static void *where(union argument *a)
{
	switch (rnd() % 32) {
	case 0:
		return NULL;
	case 1:
		return (void *)odd_value();
	case 2: /* ends in the middle */
		memcpy(edge - 12, a, 12);
		return edge - 12;
	default:
		memcpy(room, a, sizeof(*a));
		return room;
	}
}

/* Memory that may be written to is only our own. */
static void one_call(int dev, int fd)
{
	unsigned long cmd = calls[rnd() % N_CALLS];
	union argument a;

	if (rnd() % 8 == 0)
		for (int i = 0; i < 32; i++)
			a.words[i] = odd_value();
	else
		good(cmd, &a, fd);
	if (rnd() % 4)
		cmd = mutate(cmd, &a);
	/* never for long, and never a signal's target by accident */
	if (_IOC_NR(cmd) == _IOC_NR(CR_IOC_STOP) && a.stop.timeout_ms > 50)
		a.stop.timeout_ms = rnd() % 2 ? 50 : 60001;
	ioctl(dev, cmd, where(&a));
}

static void flood(void *arg)
{
	unsigned long n = *(unsigned long *)arg;
	struct rlimit small = { 64 << 20, 64 << 20 };
	int dev = dev_open(), fd = memfd_create("pages", 0);

	setrlimit(RLIMIT_FSIZE, &small);
	signal(SIGXFSZ, SIG_IGN);
	for (unsigned long i = 0; i < n; i++) {
		if (i % 512 == 0) {
			close(dev);
			dev = dev_open();
			attach(dev, target);
		}
		one_call(dev, fd);
	}
	close(dev);
}

static void beating(void *arg)
{
	volatile unsigned long *n = arg;

	for (;;) {
		++*n;
		usleep(1000);
	}
}

static bool has_beaten(void *arg)
{
	unsigned long *b = arg;

	return *beat != b[0] && *strange_beat != b[1];
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 0) : 100000;
	unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	unsigned long before[2], each = n / WORKERS + 1;
	pid_t workers[WORKERS];
	int status;

	printf("%lu calls, seed %lu\n", n, seed);
	beat = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strange_beat = beat + 8;
	area = mmap(NULL, AREA + 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(area, 1, AREA);
	edge = area + AREA;
	mprotect(edge, 4096, PROT_NONE);
	target = start_as(USER, beating, (void *)beat);
	stranger = start_as(STRANGER, beating, (void *)strange_beat);
	for (int i = 0; i < WORKERS; i++) {
		state = (seed + 1) * 0x9e3779b97f4a7c15UL + i * 77777;
		workers[i] = start_as(USER, flood, &each);
	}
	for (int i = 0; i < WORKERS; i++) {
		waitpid(workers[i], &status, 0);
		expect(!status, "a caller ended with status 0x%x", status);
	}
	before[0] = *beat;
	before[1] = *strange_beat;
	expect(wait_until(has_beaten, before), "a process does not run on");
	finish(target);
	finish(stranger);
	return test_end();
}
