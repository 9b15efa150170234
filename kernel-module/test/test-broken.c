// SPDX-License-Identifier: GPL-2.0
/* test-broken.c - what cannot be read or written is told and never left out */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"

#define PAGE 4096UL
#define PAGES 256UL
#define BAD 2UL /* this one is broken */
#define ANY UINT64_MAX
#define NULLB "/sys/kernel/config/nullb/crbad"

static char *area; /* of the same content in the target */
static pid_t target;

static void fill(void)
{
	for (size_t i = 0; i < PAGES * PAGE / sizeof(long); i++)
		((volatile long *)area)[i] = i + 1;
}

static void new_area(void)
{
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(area, PAGES * PAGE, MADV_NOHUGEPAGE);
	fill();
}

static void sleeper(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

struct want {
	int ret;
	uint64_t len; /* of the one run before it, or ANY */
	const char *what;
};

static void ask(void *arg)
{
	static char copy[PAGES * PAGE];
	const struct want *w = arg;
	struct cr_range range = { (uintptr_t)area, PAGES * PAGE }, run = { 0 };
	struct cr_ioc_pages p = { .pid = target, .ranges = (uintptr_t)&range,
				  .runs = (uintptr_t)&run, .n_ranges = 1,
				  .max_runs = 1 };
	int dev = dev_open(), ret = attach(dev, target);

	expect(!ret, "attach: %d", ret);
	p.fd = memfd_create("pages", 0);
	ret = call(dev, CR_IOC_PAGES, &p);
	/* a kernel may have kept what it has swapped out in memory, too */
	if (w->len == ANY && !ret && run.len == range.len &&
	    pread(p.fd, copy, sizeof(copy), 0) == sizeof(copy) &&
	    !memcmp(copy, area, sizeof(copy)))
		printf("%s: it was not read: not tested\n", w->what);
	else
		expect(ret == w->ret && (run.len == w->len || w->len == ANY),
		       "%s: %d, not %d, after %lu bytes", w->what, ret, w->ret,
		       (unsigned long)run.len);
	expect(!ret || p.next_addr == range.addr + run.len,
	       "%s: next is +0x%lx", w->what,
	       (unsigned long)(p.next_addr - range.addr));
	close(p.fd);
	close(dev);
}

static void on_signal(int sig)
{
	(void)sig;
}

/* A fork has the broken page, too.  Since 6.11 we are told by SIGBUS. */
static void test_poison(void)
{
	struct want w = { -EHWPOISON, BAD * PAGE, "a broken page" };

	new_area();
	signal(SIGBUS, on_signal);
	if (madvise(area + BAD * PAGE, PAGE, MADV_HWPOISON)) {
		printf("pages cannot be broken here: not tested\n");
		return;
	}
	target = start_as(USER, sleeper, NULL);
	run_as(USER, ask, &w);
	finish(target);
}

/* Something to swap to, which can have bad blocks; kernels name it variously. */
static bool swap_on(void)
{
	return !system("set -e; modprobe -q configfs; "
		       "modprobe -q null_blk nr_devices=0; "
		       "mountpoint -q /sys/kernel/config || "
		       "mount -t configfs none /sys/kernel/config; "
		       "mkdir " NULLB "; cd " NULLB "; echo 1 >memory_backed; "
		       "echo 0 >queue_mode; echo 0 >irqmode; echo 64 >size; "
		       "echo 1 >power; cd /dev; [ -b crbad ] || ln -s nullb0 crbad; "
		       "mkswap -q crbad") &&
	       !swapon("/dev/crbad", SWAP_FLAG_PREFER | 9);
}

static void swapper(void *arg)
{
	fill();
	madvise(area, PAGES * PAGE, MADV_PAGEOUT);
	sleeper(arg);
}

static void test_swap(void)
{
	struct want w = { -ENODATA, ANY, "a page on a bad block" };
	char text[32];

	if (!swap_on()) {
		printf("no disk with bad blocks: not tested\n");
		return;
	}
	new_area();
	target = start_as(USER, swapper, NULL);
	wait_swapped(target, PAGES * PAGE);
	/* not in one go: kernels lose the order of long ranges */
	for (int i = 0; i < 131072; i += 512) {
		snprintf(text, sizeof(text), "+%d-%d", i, i + 511);
		expect(write_text(NULLB "/badblocks", text), "bad blocks: %s",
		       strerror(errno));
	}
	run_as(USER, ask, &w);
	finish(target);
}

static int fds[2];
static size_t room;

static bool is_full(void *arg)
{
	int n = 0;

	(void)arg;
	ioctl(fds[0], FIONREAD, &n);
	return (size_t)n == room;
}

/* Takes what is in the pipe, which must be what lies at p. */
static void drain(const char *p, size_t len)
{
	static char buf[PAGES * PAGE];
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fds[0], buf + got, len - got);

		if (n <= 0)
			break;
		got += n;
	}
	expect(got == len && !memcmp(buf, p, len), "%zu bytes of %zu", got,
	       len);
}

/* A signal finds the call half done, and the pipe full. */
static void test_pipe(void *arg)
{
	struct cr_range range = { (uintptr_t)area, 0 }, run = { 0 };
	struct cr_ioc_pages p = { .pid = target, .ranges = (uintptr_t)&range,
				  .runs = (uintptr_t)&run, .n_ranges = 1,
				  .max_runs = 1 };
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = SA_RESTART };
	int dev = dev_open(), ret = attach(dev, target);
	pid_t helper;

	(void)arg;
	expect(!ret, "attach: %d", ret);
	sigaction(SIGUSR1, &sa, NULL);
	if (pipe(fds))
		exit(99);
	room = fcntl(fds[1], F_GETPIPE_SZ);
	range.len = room + 4 * PAGE;
	p.fd = fds[1];
	fflush(stdout);
	helper = fork();
	if (!helper) {
		wait_until(is_full, NULL);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(!ret && !p.next_range && p.n_runs == 1 && run.len == room &&
		       p.next_addr == range.addr + room && !p.offset,
	       "a signal: %d, %u runs, %lu bytes", ret, p.n_runs,
	       (unsigned long)run.len);
	waitpid(helper, NULL, 0);
	drain(area, room);
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(!ret && p.next_range == 1 && run.len == 4 * PAGE,
	       "the rest: %d, %lu bytes", ret, (unsigned long)run.len);
	drain(area + room, 4 * PAGE);
	close(dev);
}

/* A file that takes a part only. */
static void test_limit(void *arg)
{
	struct cr_range range = { (uintptr_t)area, PAGES * PAGE }, run = { 0 };
	struct cr_ioc_pages p = { .pid = target, .ranges = (uintptr_t)&range,
				  .runs = (uintptr_t)&run, .n_ranges = 1,
				  .max_runs = 1 };
	int dev = dev_open(), ret = attach(dev, target);

	(void)arg;
	expect(!ret, "attach: %d", ret);
	if (chdir("/tmp/cr-small"))
		exit(99);
	p.fd = open("pages", O_RDWR | O_CREAT, 0600);
	ret = call(dev, CR_IOC_PAGES, &p);
	expect(ret == -ENOSPC && p.n_runs == 1 && run.len == p.offset &&
		       run.len && run.len < range.len &&
		       p.next_addr == range.addr + run.len,
	       "a full disk: %d, %lu bytes, offset %lu", ret,
	       (unsigned long)run.len, (unsigned long)p.offset);
	unlink("pages");
	close(p.fd);
	close(dev);
}

int main(void)
{
	new_area();
	target = start_as(USER, sleeper, NULL);
	run_as(USER, test_pipe, NULL);
	if (system("mkdir -p /tmp/cr-small && "
		   "mount -t tmpfs -o size=100k,mode=1777 t /tmp/cr-small"))
		return 99;
	run_as(USER, test_limit, NULL);
	finish(target);
	test_poison();
	test_swap();
	return test_end();
}
