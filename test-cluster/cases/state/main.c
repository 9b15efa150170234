/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - runs one case of the table, see state.h */
#include <linux/kcmp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "state.h"

#define LIMIT_S 120 /* for the driver to do its part */

static struct state_case *cases;
static char ready[64], go[64], errors[64], skipped[64];

void state_add(struct state_case *c)
{
	c->next = cases;
	cases = c;
}

void fail_at(const char *file, int line, const char *what)
{
	int e = errno, fd;

	fd = open(errors, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	dprintf(fd, "%s:%d: %s: not so (errno %d, %s)\n", file, line, what, e,
		strerror(e));
	_exit(1);
}

void await_checkpoint(void)
{
	struct timespec nap = { 0, 2000000 };
	int i;

	for (i = 0; i < LIMIT_S * 500; i++) {
		if (!access(go, F_OK))
			return;
		nanosleep(&nap, NULL);
	}
	fail_at(__FILE__, __LINE__, "nobody says go");
}

void checkpoint(void)
{
	int fd = open(ready, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0)
		fail_at(__FILE__, __LINE__, ready);
	close(fd);
	await_checkpoint();
}

int new_file(const char *name, int flags)
{
	int fd;

	unlink(name);
	fd = open(name, O_CREAT | flags, 0644);
	CHECK(fd >= 0);
	return fd;
}

pid_t child(void (*fn)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	fn();
	_exit(0);
}

void outsider(void (*fn)(void))
{
	int up[2];
	char c;

	CHECK(!pipe(up));
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			close(up[0]);
			if (fn)
				fn();
			close(up[1]);
			await_checkpoint();
		}
		_exit(0);
	}
	close(up[1]);
	wait(NULL);
	/* until it is ready */
	CHECK(read(up[0], &c, 1) == 0);
	close(up[0]);
}

void somebody_else(void (*fn)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		setsid();
		prctl(PR_SET_NAME, "other");
		fn();
		close(open("other.ready", O_CREAT | O_WRONLY, 0666));
		for (int i = 0; i < LIMIT_S * 500; i++) {
			if (access("other.ready", F_OK))
				break;
			usleep(2000);
		}
		_exit(0);
	}
	while (access("other.ready", F_OK)) {
		CHECK(waitpid(pid, NULL, WNOHANG) == 0);
		usleep(2000);
	}
}

void skip(const char *why)
{
	int e = errno, fd = open(skipped, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	dprintf(fd, "%s%s%s\n", why, e ? ": " : "", e ? strerror(e) : "");
	_exit(77);
}

int make_eventfd(unsigned int value, int flags)
{
	int fd = eventfd(value, flags);
	char path[64], text[512] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	CHECK(fd >= 0 && f && fread(text, 1, sizeof(text) - 1, f));
	fclose(f);
	if (!strstr(text, "eventfd-semaphore"))
		skip("needs Linux 6.5, which tells what an eventfd is");
	return fd;
}

void join(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

bool same_description(int a, int b)
{
	return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b) == 0;
}

int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* usage: state NAME   run this case; files NAME.* in the current directory */
int main(int argc, char **argv)
{
	struct state_case *c;

	for (c = cases; argc == 2 && c; c = c->next) {
		if (strcmp(c->name, argv[1]) != 0)
			continue;
		snprintf(ready, sizeof(ready), "%s.ready", c->name);
		snprintf(go, sizeof(go), "%s.go", c->name);
		snprintf(errors, sizeof(errors), "%s.errors", c->name);
		snprintf(skipped, sizeof(skipped), "%s.skipped", c->name);
		c->run();
		return 0;
	}
	return 2;
}
