// SPDX-License-Identifier: GPL-2.0
/*
 * test-death.c - the owner of a session is killed at each step: the target
 * runs on, the owner's grants are gone, the module can be used as before
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"

#define AREA (8UL << 20)
#define ROUNDS 10 /* at moments of chance, per step */

enum { ATTACHED, STOPPING, STOPPED, PAGES, GRANTED, N_STEPS };
static const char *const names[] = { "attached", "stopping", "stopped", "pages",
				     "granted" };

static volatile unsigned long *beat;
static volatile pid_t *heir; /* a child of the owner, with its descriptor */
static char *area;
static pid_t target;
static bool can_stop;

static void beating(void *arg)
{
	(void)arg;
	for (;;)
		++*beat;
}

static bool has_beaten(void *arg)
{
	return *beat != *(unsigned long *)arg;
}

static void stop_for_ever(int dev, bool again)
{
	struct cr_ioc_stop s;
	struct cr_ioc_target t = { .pid = target };

	do {
		dev_stop(dev, target, ENOUGH_MS, &s);
		if (again)
			call(dev, CR_IOC_RESUME, &t);
	} while (again);
}

static void write_for_ever(int dev)
{
	struct cr_range range = { (uintptr_t)area, AREA }, run;
	struct cr_ioc_pages p = { .ranges = (uintptr_t)&range, .n_ranges = 1,
				  .runs = (uintptr_t)&run, .max_runs = 1 };
	int fd = memfd_create("pages", 0);

	for (;;) {
		p.pid = target;
		p.fd = fd;
		p.offset = p.next_addr = p.next_range = 0;
		call(dev, CR_IOC_PAGES, &p);
	}
}

struct step {
	int step, told;
};

static void owner(void *arg)
{
	struct step *s = arg;
	int dev = dev_open();

	attach(dev, target);
	if (s->step == STOPPED)
		stop_for_ever(dev, false);
	if (s->step == GRANTED)
		call(dev, CR_IOC_PIDS_OPEN, NULL);
	/* a child that inherits the descriptor does not keep the session */
	if (s->step == STOPPED) {
		pid_t child = fork();

		if (!child) {
			close(s->told);
			sleep(60);
			_exit(0);
		}
		*heir = child;
	}
	if (write(s->told, "", 1) != 1)
		_exit(98);
	if (s->step == STOPPING)
		stop_for_ever(dev, true);
	if (s->step == PAGES)
		write_for_ever(dev);
	for (;;)
		pause();
}

static bool heir_has_ended(void *arg)
{
	char c = state_of(*heir);

	(void)arg;
	return !c || c == 'Z' || c == 'X';
}

static void kill_at(int step)
{
	struct step s = { .step = step };
	unsigned long before;
	int fds[2], status;
	pid_t pid;
	char c;

	if (pipe(fds))
		exit(99);
	s.told = fds[1];
	pid = start_as(USER, owner, &s);
	close(fds[1]);
	expect(read(fds[0], &c, 1) == 1, "%s: the owner died", names[step]);
	close(fds[0]);
	usleep(rand() % 20000);
	if (step == STOPPED)
		expect(state_of(target) == 'D', "it is stopped");
	kill(pid, SIGKILL);
	expect(waitpid(pid, &status, 0) == pid, "%s: wait", names[step]);
	before = *beat;
	expect(wait_until(has_beaten, &before), "%s: the target is stuck",
	       names[step]);
	if (step == STOPPED) {
		kill(*heir, SIGKILL);
		expect(wait_until(heir_has_ended, NULL), "the heir lives on");
	}
}

static void again(void *arg)
{
	struct cr_ioc_stop s;
	int dev = dev_open(), ret = attach(dev, target);

	(void)arg;
	expect(!ret, "attach: %d", ret);
	ret = can_stop ? dev_stop(dev, target, ENOUGH_MS, &s) : 0;
	expect(!ret, "stop: %d", ret);
	close(dev);
}

int main(void)
{
	can_stop = can_stop_threads();
	beat = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	heir = (pid_t *)(beat + 1);
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < AREA; i += 4096)
		area[i] = 1;
	target = start_as(USER, beating, NULL);
	for (int step = 0; step < N_STEPS; step++) {
		if (!can_stop && (step == STOPPING || step == STOPPED))
			continue;
		for (int i = 0; i < ROUNDS; i++)
			kill_at(step);
		run_as(USER, again, NULL);
	}
	finish(target);
	return test_end();
}
