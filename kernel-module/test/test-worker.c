// SPDX-License-Identifier: GPL-2.0
/* test-worker.c - a thread of io_uring cannot be stopped, and is named */
#include <dirent.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib.h"

static bool *made; /* shared with the target: it has a ring */
static pid_t target, worker;

/* A ring whose queue a thread of the kernel's watches, in our process. */
static void with_worker(void *arg)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SQPOLL,
				     .sq_thread_idle = 60000 };

	(void)arg;
	*made = syscall(SYS_io_uring_setup, 4, &p) >= 0;
	for (;;)
		pause();
}

/* By its name; 0: this kernel has it in a process of its own. */
static pid_t find_worker(void)
{
	char path[300], comm[32];
	struct dirent *d;
	pid_t found = 0;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", target);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", target,
			 d->d_name);
		f = fopen(path, "r");
		if (f && fgets(comm, sizeof(comm), f) &&
		    !strncmp(comm, "iou-", 4))
			found = atoi(d->d_name);
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void test_stop(void *arg)
{
	struct cr_ioc_stop s;
	int dev = dev_open(), ret = attach(dev, target);

	(void)arg;
	expect(!ret, "attach: %d", ret);
	ret = dev_stop(dev, target, ENOUGH_MS, &s);
	if (worker)
		expect(ret == -EBUSY && s.why == CR_WHY_WORKER &&
			       s.tid == worker,
		       "stop: %d, why %u, thread %d", ret, s.why, s.tid);
	else
		expect(!ret, "stop: %d, why %u", ret, s.why);
	close(dev);
}

int main(void)
{
	if (!can_stop_threads())
		return 77;
	made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	target = start_as(USER, with_worker, NULL);
	wait_state(target, "S");
	worker = find_worker();
	printf("io_uring: %s\n", !*made	   ? "not on this kernel"
				 : worker ? "a thread of the process"
					   : "a thread of the kernel");
	run_as(USER, test_stop, NULL);
	wait_state(target, "S"); /* it runs on, in its own time */
	finish(target);
	return test_end();
}
