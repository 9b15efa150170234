// SPDX-License-Identifier: GPL-2.0
/* test-access.c - who may look into whom */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"

#define STRICT "/sys/module/cr/parameters/strict"
#define YAMA "/proc/sys/kernel/yama/ptrace_scope"

static int ready[2];

static void tell_ready(void)
{
	if (write(ready[1], "", 1) != 1)
		_exit(98);
}

static pid_t start_ready(uid_t uid, void (*fn)(void *), void *arg)
{
	pid_t pid = start_as(uid, fn, arg);
	char c;

	if (read(ready[0], &c, 1) != 1)
		expect(false, "a target did not start");
	return pid;
}

static void plain(void *arg)
{
	(void)arg;
	tell_ready();
	for (;;)
		pause();
}

static void hidden(void *arg)
{
	prctl(PR_SET_DUMPABLE, 0);
	plain(arg);
}

static void in_own_namespace(void *arg)
{
	if (unshare(CLONE_NEWUSER))
		perror("unshare");
	prctl(PR_SET_DUMPABLE, 1);
	plain(arg);
}

static void setuid_program(void *arg)
{
	tell_ready();
	execl(arg, arg, "sleeper", NULL);
	_exit(97);
}

struct attempt {
	pid_t pid;
	int want;
	const char *what;
};

static void try_attach(void *arg)
{
	struct attempt *a = arg;
	int dev = dev_open(), ret = attach(dev, a->pid);

	expect(ret == a->want, "%s: %d, not %d", a->what, ret, a->want);
	close(dev);
}

static void attempt(uid_t uid, pid_t pid, int want, const char *what)
{
	struct attempt a = { pid, want, what };

	run_as(uid, try_attach, &a);
}

/* In a user namespace of its own it is root, which is worth nothing here. */
static void try_from_namespace(void *arg)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS)) {
		expect(false, "unshare: %s", strerror(errno));
		return;
	}
	try_attach(arg);
}

/*
 * A /proc of the caller's own making must not fool the module: "its" maps
 * could be opened by anybody.
 */
static void try_with_false_proc(void *arg)
{
	struct attempt *a = arg;
	char path[64];
	int fd;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
	    !write_text("/proc/self/uid_map", "0 1000 1") ||
	    !write_text("/proc/self/setgroups", "deny") ||
	    !write_text("/proc/self/gid_map", "0 1000 1") ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/proc", "tmpfs", 0, NULL)) {
		expect(false, "a false /proc: %s", strerror(errno));
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d", a->pid);
	mkdir(path, 0777);
	strcat(path, "/maps");
	fd = open(path, O_RDWR | O_CREAT, 0666);
	expect(fd >= 0, "%s: %s", path, strerror(errno));
	try_attach(arg);
}

/* A session is of no use to another user who gets its descriptor. */
static void try_inherited(void *arg)
{
	int dev = *(int *)arg, ret = attach(dev, getppid());
	struct cr_ioc_info info;

	expect(ret == -EPERM, "another user's session: %d", ret);
	ret = call(dev, CR_IOC_INFO, &info);
	expect(!ret, "info: %d", ret);
}

static void test_users(void)
{
	pid_t mine = start_ready(USER, plain, NULL);
	pid_t other = start_ready(STRANGER, plain, NULL);
	pid_t root = start_ready(0, plain, NULL);
	pid_t shy = start_ready(USER, hidden, NULL);
	pid_t ended;
	int dev;

	attempt(USER, mine, 0, "a process of the same user");
	attempt(USER, other, -EPERM, "a process of another user");
	attempt(USER, root, -EPERM, "a process of root");
	attempt(USER, 1, -EPERM, "init");
	attempt(USER, 2, -ESRCH, "a kernel thread");
	attempt(USER, shy, -EPERM, "a process that is not dumpable");
	attempt(USER, -1, -ESRCH, "process -1");
	attempt(USER, 0, -ESRCH, "process 0");
	attempt(USER, 4000000, -ESRCH, "a process that is not there");
	attempt(0, other, 0, "root, of a user's process");
	attempt(0, shy, 0, "root, of a process that is not dumpable");
	dev = dev_open();
	run_as(USER, try_inherited, &dev);
	close(dev);
	ended = fork();
	if (!ended)
		_exit(0);
	wait_state(ended, "Z");
	attempt(0, ended, -ESRCH, "a zombie");
	waitpid(ended, NULL, 0);
	finish(mine);
	finish(other);
	finish(root);
	finish(shy);
}

static void test_namespaces(void)
{
	pid_t inside = start_ready(USER, in_own_namespace, NULL);
	pid_t mine = start_ready(USER, plain, NULL);
	pid_t root = start_ready(0, plain, NULL);
	struct attempt out = { mine, -EPERM, "from another user namespace" };
	struct attempt up = { root, -EPERM, "root, from a user namespace" };

	attempt(USER, inside, 0, "into a namespace that we own");
	attempt(STRANGER, inside, -EPERM, "into another user's namespace");
	run_as(USER, try_from_namespace, &out);
	run_as(USER, try_from_namespace, &up);
	run_as(USER, try_with_false_proc, &up);
	finish(inside);
	finish(mine);
	finish(root);
}

/* The same process before and after it has called a setuid program. */
static void attach_across_exec(void *arg)
{
	struct cr_range none, range = { 0x10000, 0x10000 };
	struct cr_ioc_pages pages = { .ranges = (uintptr_t)&range,
				      .runs = (uintptr_t)&none,
				      .n_ranges = 1, .max_runs = 1 };
	struct cr_ioc_stop stop = { .timeout_ms = 60000 };
	int dev = dev_open(), ret, go[2];
	char c = 0;
	pid_t pid;

	if (pipe(go))
		return;
	pid = fork();
	if (!pid) {
		if (read(go[0], &c, 1) == 1)
			setuid_program(arg);
		_exit(96);
	}
	ret = attach(dev, pid);
	expect(!ret, "before exec: %d", ret);
	expect(write(go[1], "", 1) == 1, "pipe");
	wait_state(pid, "S");
	expect(read(ready[0], &c, 1) == 1, "pipe");
	while (attach(dev, pid) == 0)
		usleep(1000);
	ret = attach(dev, pid);
	expect(ret == -EPERM, "after exec: %d", ret);
	pages.pid = stop.pid = pid;
	pages.fd = memfd_create("pages", 0);
	ret = call(dev, CR_IOC_PAGES, &pages);
	expect(ret == -ESRCH, "pages after exec: %d", ret);
	ret = call(dev, CR_IOC_STOP, &stop);
	expect(ret == -ESRCH || ret == -EOPNOTSUPP, "stop after exec: %d", ret);
	kill(pid, SIGKILL);
	close(dev);
}

static void test_setuid(const char *self)
{
	char path[] = "/var/tmp/cr-setuid.XXXXXX", command[512];
	int fd = mkstemp(path);

	close(fd);
	snprintf(command, sizeof(command), "cp %s %s && chmod 4755 %s", self,
		 path, path);
	if (system(command)) {
		expect(false, "%s", command);
		return;
	}
	run_as(USER, attach_across_exec, path);
	unlink(path);
}

static void test_policy(void)
{
	pid_t mine = start_ready(USER, plain, NULL);

	expect(write_text(YAMA, "1"), "Yama: %s", strerror(errno));
	attempt(USER, mine, 0, "Yama 1");
	expect(write_text(STRICT, "Y"), "strict: %s", strerror(errno));
	attempt(USER, mine, -EPERM, "Yama 1, strict");
	attempt(0, mine, 0, "Yama 1, strict, root");
	expect(write_text(YAMA, "2"), "Yama 2");
	attempt(USER, mine, -EPERM, "Yama 2, strict");
	expect(write_text(STRICT, "N"), "strict");
	attempt(USER, mine, 0, "Yama 2");
	expect(write_text(YAMA, "0"), "Yama 0");
	expect(write_text(STRICT, "Y"), "strict");
	attempt(USER, mine, 0, "Yama 0, strict");
	expect(write_text(STRICT, "N"), "strict");
	finish(mine);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "sleeper")) {
		sleep(60);
		return 0;
	}
	if (pipe(ready))
		return 99;
	test_users();
	test_namespaces();
	test_setuid(argv[0]);
	test_policy();
	return test_end();
}
