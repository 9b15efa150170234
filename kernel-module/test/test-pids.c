// SPDX-License-Identifier: GPL-2.0
/* test-pids.c - the window in which a thread may choose process ids */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"

#define WANTED 23456
#define FORKS 300 /* at moments of chance */

static pid_t clone_at(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = (uintptr_t)&pid,
				   .set_tid_size = 1 };
	long ret = syscall(SYS_clone3, &args, sizeof(args));

	return ret < 0 ? -errno : (pid_t)ret;
}

/* Bit 40 of the effective set, as the kernel tells it. */
static bool capable(void)
{
	char path[64], line[256];
	unsigned long long cap = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/status",
		 syscall(SYS_gettid));
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &cap) == 1)
			break;
	if (f)
		fclose(f);
	return cap >> 40 & 1;
}

static int pids_open(int dev)
{
	return call(dev, CR_IOC_PIDS_OPEN, NULL);
}

static int pids_close(int dev)
{
	return call(dev, CR_IOC_PIDS_CLOSE, NULL);
}

static int status_of(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status)
		       ? WEXITSTATUS(status)
		       : -1;
}

/* What the child has: nothing. */
static void __attribute__((noreturn)) child(void)
{
	pid_t more;

	if (capable())
		_exit(11);
	more = clone_at(WANTED + 7);
	if (!more)
		_exit(0);
	_exit(more == -EPERM ? 10 : 12);
}

static void test_window(void *arg)
{
	int dev = dev_open(), ret;
	pid_t pid;

	(void)arg;
	pid = clone_at(WANTED);
	if (!pid)
		_exit(0);
	expect(pid == -EPERM, "without a window: %d", pid);
	ret = pids_close(dev);
	expect(ret == -ENOENT, "closing without opening: %d", ret);
	ret = pids_open(dev);
	expect(!ret && capable(), "opening: %d", ret);
	ret = pids_open(dev);
	expect(ret == -EALREADY, "opening twice: %d", ret);
	expect(prctl(PR_GET_DUMPABLE) == 1, "still dumpable");
	pid = clone_at(WANTED);
	if (!pid)
		child();
	expect(pid == WANTED, "with a window: %d", pid);
	ret = status_of(pid);
	expect(ret == 10, "the child: %d", ret);
	expect(!capable(), "the window is used up");
	pid = clone_at(WANTED + 1);
	if (!pid)
		_exit(0);
	expect(pid == -EPERM, "a second time: %d", pid);
	ret = pids_open(dev);
	expect(!ret, "opening again: %d", ret);
	ret = pids_close(dev);
	expect(!ret && !capable(), "closing: %d", ret);
	close(dev);
}

/* An id that is taken uses nothing up. */
static void test_taken(void *arg)
{
	int dev = dev_open(), ret = pids_open(dev);
	pid_t pid;

	(void)arg;
	expect(!ret, "opening: %d", ret);
	pid = clone_at(getpid());
	expect(pid == -EEXIST, "our own id: %d", pid);
	expect(capable(), "the window is still there");
	pid = clone_at(WANTED);
	if (!pid)
		_exit(0);
	expect(pid == WANTED, "then another: %d", pid);
	waitpid(pid, NULL, 0);
	close(dev);
}

static void test_fork(void *arg)
{
	int dev = dev_open(), ret = pids_open(dev);
	pid_t pid;

	(void)arg;
	expect(!ret, "opening: %d", ret);
	pid = fork();
	if (!pid)
		child();
	ret = status_of(pid);
	expect(ret == 10, "a child by fork: %d", ret);
	expect(!capable(), "the window is used up");
	close(dev);
}

static void test_exec(void *arg)
{
	int dev = dev_open(), ret = pids_open(dev);

	(void)arg;
	expect(!ret, "opening: %d", ret);
	execl("/bin/sh", "sh", "-c",
	      "case $(grep CapEff /proc/self/status) in "
	      "*0000000000000000) exit 0;; esac; exit 1",
	      NULL);
	_exit(98);
}

static void *thread_capable(void *arg)
{
	*(bool *)arg = capable();
	return NULL;
}

static void test_thread(void *arg)
{
	int dev = dev_open(), ret = pids_open(dev);
	bool theirs = true;
	pthread_t t;

	(void)arg;
	expect(!ret, "opening: %d", ret);
	pthread_create(&t, NULL, thread_capable, &theirs);
	pthread_join(t, NULL);
	expect(!theirs, "a thread has it");
	expect(!capable(), "the window is used up");
	close(dev);
}

struct other {
	int dev, ret;
	pthread_barrier_t open, closed;
	bool after;
};

static void *other_thread(void *arg)
{
	struct other *o = arg;

	o->ret = pids_open(o->dev);
	/* credentials made out of those with the right */
	setresuid(USER, USER, USER);
	pthread_barrier_wait(&o->open);
	pthread_barrier_wait(&o->closed);
	o->after = capable();
	return NULL;
}

/* The session ends by another thread: nothing must be left. */
static void test_session_end(void *arg)
{
	struct other o = { .dev = dev_open(), .after = true };
	pthread_t t;

	(void)arg;
	pthread_barrier_init(&o.open, NULL, 2);
	pthread_barrier_init(&o.closed, NULL, 2);
	pthread_create(&t, NULL, other_thread, &o);
	pthread_barrier_wait(&o.open);
	expect(!o.ret, "opening: %d", o.ret);
	close(o.dev);
	pthread_barrier_wait(&o.closed);
	pthread_join(t, NULL);
	expect(!o.after, "it has it after the end of the session");
}

/* Shared with the children. */
static volatile int *leaked;

static void *forks(void *arg)
{
	struct other *o = arg;
	pid_t pid;

	o->ret = pids_open(o->dev);
	pthread_barrier_wait(&o->open);
	pid = fork();
	if (!pid) {
		*leaked += capable();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	*leaked += capable();
	return NULL;
}

/* The session ends while the thread is in the middle of a fork. */
static void test_end_in_fork(void *arg)
{
	struct other o;
	pthread_t t;

	(void)arg;
	for (int i = 0; i < FORKS && !*leaked; i++) {
		o = (struct other){ .dev = dev_open() };
		pthread_barrier_init(&o.open, NULL, 2);
		pthread_create(&t, NULL, forks, &o);
		pthread_barrier_wait(&o.open);
		for (volatile int n = rand() % 20000; n; n--)
			;
		close(o.dev);
		pthread_join(t, NULL);
		expect(!o.ret, "opening: %d", o.ret);
	}
	expect(!*leaked, "a child made while the session ended has it");
}

static void test_refused(void *arg)
{
	int dev = dev_open(), ret;

	(void)arg;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ret = pids_open(dev);
	expect(ret == -EPERM && !capable(), "no new privileges: %d", ret);
	close(dev);
	if (unshare(CLONE_NEWUSER)) {
		expect(false, "unshare: %s", strerror(errno));
		return;
	}
	dev = dev_open();
	ret = pids_open(dev);
	expect(ret == -EPERM, "from another user namespace: %d", ret);
	close(dev);
}

static void try_switched_off(void *arg)
{
	int dev = dev_open(), ret = pids_open(dev);

	(void)arg;
	expect(ret == -EPERM && !capable(), "switched off: %d", ret);
	close(dev);
}

#define SWITCH "/sys/module/cr/parameters/pids"

int main(void)
{
	leaked = mmap(NULL, sizeof(*leaked), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	run_as(USER, test_window, NULL);
	run_as(USER, test_taken, NULL);
	run_as(USER, test_fork, NULL);
	run_as(USER, test_exec, NULL);
	run_as(USER, test_thread, NULL);
	run_as(USER, test_session_end, NULL);
	run_as(USER, test_end_in_fork, NULL);
	run_as(USER, test_refused, NULL);
	expect(write_text(SWITCH, "N"), "%s", SWITCH);
	run_as(USER, try_switched_off, NULL);
	expect(write_text(SWITCH, "Y"), "%s", SWITCH);
	return test_end();
}
