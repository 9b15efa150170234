// SPDX-License-Identifier: GPL-2.0
/* lib.c - for the tests of the module */
#include "lib.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned int failures, checks;

void expect_at(bool ok, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	checks++;
	if (ok)
		return;
	failures++;
	printf("%s:%d: not as expected: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

int test_end(void)
{
	printf("%s: %u checks, %u failed\n", program_invocation_short_name,
	       checks, failures);
	return failures ? 1 : 0;
}

int call(int dev, unsigned long cmd, void *arg)
{
	return ioctl(dev, cmd, arg) < 0 ? -errno : 0;
}

int attach(int dev, pid_t pid)
{
	struct cr_ioc_target t = { .pid = pid };

	return call(dev, CR_IOC_ATTACH, &t);
}

int dev_open(void)
{
	int dev = open(CR_DEVICE, O_RDWR | O_CLOEXEC);

	if (dev < 0) {
		perror(CR_DEVICE);
		_exit(99);
	}
	return dev;
}

bool can_stop_threads(void)
{
	struct cr_ioc_info info;
	int dev = dev_open();
	bool can;

	call(dev, CR_IOC_INFO, &info);
	close(dev);
	can = info.features & CR_FEATURE_STOP;
	if (!can)
		printf("this kernel does not let a module stop threads\n");
	return can;
}

int dev_stop(int dev, pid_t pid, uint32_t ms, struct cr_ioc_stop *arg)
{
	*arg = (struct cr_ioc_stop){ .pid = pid, .timeout_ms = ms };
	return call(dev, CR_IOC_STOP, arg);
}

void become(uid_t uid)
{
	if (uid && (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
		    setresuid(uid, uid, uid))) {
		perror("setresuid");
		_exit(99);
	}
	prctl(PR_SET_DUMPABLE, 1);
}

pid_t start_as(uid_t uid, void (*fn)(void *), void *arg)
{
	int fds[2];
	pid_t pid;
	char c;

	fflush(stdout);
	if (pipe(fds))
		_exit(99);
	pid = fork();
	if (pid) {
		close(fds[1]);
		if (read(fds[0], &c, 1) != 1)
			expect(false, "process %d does not start", pid);
		close(fds[0]);
		return pid;
	}
	close(fds[0]);
	become(uid);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(fds[1], "", 1) != 1)
		_exit(98);
	close(fds[1]);
	fn(arg);
	_exit(0);
}

void run_as(uid_t uid, void (*fn)(void *), void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		become(uid);
		failures = 0;
		fn(arg);
		fflush(stdout);
		_exit(failures ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	checks++;
	if (status) {
		printf("a child ended with status 0x%x\n", status);
		failures++;
	}
}

void finish(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

bool wait_until(bool (*fn)(void *), void *arg)
{
	time_t end = time(NULL) + 60;

	while (!fn(arg)) {
		if (time(NULL) > end)
			return fn(arg);
		usleep(1000);
	}
	return true;
}

char state_of(pid_t pid)
{
	char path[64], line[512], *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return p ? p[2] : 0;
}

struct wanted {
	pid_t pid;
	const char *letters;
};

static bool has_state(void *arg)
{
	struct wanted *w = arg;
	char c = state_of(w->pid);

	return c && strchr(w->letters, c);
}

void wait_state(pid_t pid, const char *letters)
{
	struct wanted w = { pid, letters };

	expect(wait_until(has_state, &w), "process %d has state %c, not %s",
	       pid, state_of(pid), letters);
}

struct swapped {
	pid_t pid;
	size_t bytes;
};

static bool is_swapped(void *arg)
{
	const struct swapped *s = arg;
	char path[64], line[256];
	unsigned long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", s->pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmSwap: %lu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb >= s->bytes / 1024;
}

void wait_swapped(pid_t pid, size_t bytes)
{
	struct swapped s = { pid, bytes };

	expect(wait_until(is_swapped, &s), "nothing was swapped out");
}

bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}
