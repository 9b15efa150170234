// SPDX-License-Identifier: GPL-2.0
/* test-states.c - who can be stopped, whatever he does, and who cannot */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"

static void pausing(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void vforking(void *arg)
{
	(void)arg;
	if (!vfork()) {
		sleep(60);
		_exit(0);
	}
	for (;;)
		pause();
}

static void forking(void *arg)
{
	(void)arg;
	for (;;) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

struct one {
	pid_t pid;
	int want;
	uint32_t why;
};

static void stop_one(void *arg)
{
	struct one *o = arg;
	struct cr_ioc_stop s;
	int dev = dev_open(), ret = attach(dev, o->pid);

	expect(!ret, "attach: %d", ret);
	/* only a parent in vfork() is waited for in vain */
	ret = dev_stop(dev, o->pid, o->why == CR_WHY_VFORK ? 200 : ENOUGH_MS,
		       &s);
	expect(ret == o->want && s.why == o->why, "stop: %d, not %d, why %u",
	       ret, o->want, s.why);
	expect(o->why == CR_WHY_NONE || s.tid == o->pid, "thread %d", s.tid);
	close(dev);
}

static void try_stop(pid_t pid, int want, uint32_t why)
{
	struct one o = { pid, want, why };

	run_as(USER, stop_one, &o);
}

static void stop_self(void *arg)
{
	struct cr_ioc_stop s;
	int dev = dev_open(), ret;

	(void)arg;
	attach(dev, getpid());
	ret = dev_stop(dev, getpid(), 500, &s);
	expect(ret == -EDEADLK, "itself: %d", ret);
	ret = dev_stop(dev, getppid(), 500, &s);
	expect(ret == -ESRCH, "not attached: %d", ret);
	ret = dev_stop(dev, getpid(), ENOUGH_MS + 1, &s);
	expect(ret == -EINVAL, "too long a time: %d", ret);
	close(dev);
}

static void test_states(void)
{
	pid_t pid = start_as(USER, pausing, NULL);
	int status;

	wait_state(pid, "S");
	try_stop(pid, 0, CR_WHY_NONE);
	kill(pid, SIGSTOP);
	wait_state(pid, "T");
	try_stop(pid, -EBUSY, CR_WHY_STOPPED);
	expect(state_of(pid) == 'T', "still stopped");
	kill(pid, SIGCONT);
	wait_state(pid, "S");
	try_stop(pid, 0, CR_WHY_NONE);
	expect(!ptrace(PTRACE_SEIZE, pid, 0, 0), "seize");
	try_stop(pid, -EBUSY, CR_WHY_TRACED);
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	waitpid(pid, &status, 0);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	try_stop(pid, 0, CR_WHY_NONE);
	wait_state(pid, "S");
	finish(pid);
	pid = start_as(USER, vforking, NULL);
	wait_state(pid, "D");
	try_stop(pid, -EBUSY, CR_WHY_VFORK);
	finish(pid);
	pid = start_as(USER, forking, NULL);
	for (int i = 0; i < 20; i++)
		try_stop(pid, 0, CR_WHY_NONE);
	finish(pid);
	run_as(USER, stop_self, NULL);
}

/* Killed while it is held: it must go at once. */
static void test_killed(void)
{
	pid_t pid = start_as(USER, pausing, NULL);
	int dev = dev_open(), ret = attach(dev, pid);
	struct cr_ioc_stop s;

	ret = dev_stop(dev, pid, ENOUGH_MS, &s);
	expect(!ret, "stop: %d", ret);
	kill(pid, SIGKILL);
	expect(waitpid(pid, NULL, 0) == pid, "it dies");
	ret = dev_stop(dev, pid, ENOUGH_MS, &s);
	expect(ret == -EALREADY || ret == -ESRCH, "stop: %d", ret);
	close(dev);
}

int main(void)
{
	if (!can_stop_threads())
		return 77;
	test_states();
	test_killed();
	return test_end();
}
