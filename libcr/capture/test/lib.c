/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib.c - programs to capture, and what came out, for the tests of capture */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/test/lib.h"

struct shared *sh;

int lib_setup(void **state)
{
	char path[] = "/tmp/test-capture-XXXXXX";
	int fd = mkstemp(path);

	/* a shared mapping of a file with a name until all have it */
	if (fd < 0 || ftruncate(fd, sizeof(*sh)))
		return -1;
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unlink(path);
	close(fd);
	return sh == MAP_FAILED ? -1 : 0;
}

void lib_fail(const char *why)
{
	if (!sh->failed)
		snprintf(sh->why, sizeof(sh->why), "%s (errno %d)", why, errno);
	sh->failed = 1;
}

pid_t lib_spawn(void (*f)(void))
{
	pid_t pid;
	int fd;

	memset(sh, 0, sizeof(*sh));
	pid = fork();
	if (pid == 0) {
		setsid();
		close_range(0, ~0U, 0);
		for (fd = 0; fd < 3; fd++)
			if (open("/dev/null", O_RDWR) < 0)
				_exit(1);
		f();
		_exit(0);
	}
	assert_true(pid > 0);
	while (!sh->ready && waitpid(pid, NULL, WNOHANG) == 0)
		sched_yield();
	if (!sh->ready)
		fail_msg("program under test: %s", sh->why);
	return pid;
}

void lib_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void report(const char *line, void *arg)
{
	cr_error_set(arg, -ENOTSUP, "%s", line);
}

struct cr_reader *lib_try(const struct cr_capture_options *opt,
			  struct cr_error *err)
{
	const struct cr_writer_options wopt = { .codec = CR_CODEC_NONE };
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct cr_capture *c = NULL;
	struct cr_reader *r = NULL;
	struct cr_writer *w = NULL;
	int ret;

	assert_true(fd >= 0);
	ret = cr_capture_create(&c, opt, err);
	if (!ret)
		ret = cr_capture_check(c, report, err, err);
	if (!ret)
		ret = cr_writer_create_fd(&w, fd, &wopt, err);
	if (!ret)
		ret = cr_capture_request(c, err);
	if (!ret)
		ret = cr_capture_snapshot(c, err);
	if (!ret)
		ret = cr_capture_resume(c, err);
	if (!ret)
		ret = cr_capture_store(c, w, err);
	cr_writer_destroy(w);
	cr_capture_destroy(c);
	lseek(fd, 0, SEEK_SET);
	if (!ret)
		ret = cr_reader_open_fd(&r, fd, err);
	if (!ret)
		ret = cr_reader_verify(r, err);
	close(fd);
	return ret ? NULL : r;
}

struct cr_reader *lib_capture(pid_t pid, int snapshot)
{
	const struct cr_capture_options opt = { .scope = CR_SCOPE_TREE,
						.target = pid,
						.snapshot = snapshot };
	struct cr_error err = { 0 };
	struct cr_reader *r = lib_try(&opt, &err);

	if (!r)
		fail_msg("%s", err.text);
	return r;
}

void lib_memory(struct cr_reader *r, uint32_t space, uint64_t addr, void *buf,
		size_t len)
{
	const struct cr_image *img = cr_reader_image(r);
	struct cr_error err = { 0 };
	const struct cr_run *run;
	size_t i;

	memset(buf, 0, len);
	for (i = 0; i < img->n_runs; i++) {
		run = &img->runs[i];
		if (run->space != space || addr < run->addr ||
		    addr + len > run->addr + run->len)
			continue;
		if (cr_reader_pages(r, run, addr - run->addr, buf, len, &err))
			fail_msg("%s", err.text);
	}
}

const struct cr_fd *lib_fd(const struct cr_process *p, int fd)
{
	size_t i;

	for (i = 0; i < p->n_fds; i++)
		if (p->fds[i].fd == fd)
			return &p->fds[i];
	fail_msg("descriptor %d is not in the image", fd);
	return NULL;
}
