/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c - for tests: a program with libcr and a requester */
#include "program.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct shared *shared;

void sleep_ms(int ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

void note(char c)
{
	shared->log[atomic_fetch_add(&shared->n, 1)] = c;
}

void stage(int n)
{
	atomic_store(&shared->stage, n);
}

void wait_go(int n)
{
	int i;

	for (i = 0; i < LIMIT_MS && atomic_load(&shared->go) < n; i++)
		sleep_ms(1);
	check(atomic_load(&shared->go) >= n, "the test goes on");
}

void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "program: not so: %s (errno %d, log \"%s\")\n", what,
		errno, shared->log);
	_exit(3);
}

int program_setup(void **state)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED;
}

int program_teardown(void **state)
{
	return munmap(shared, sizeof(*shared));
}

pid_t program_start(void (*run)(void))
{
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run();
	_exit(0);
}

void program_end(pid_t pid)
{
	int status = -1, i;

	for (i = 0; i < LIMIT_MS; i++) {
		if (waitpid(pid, &status, WNOHANG))
			break;
		sleep_ms(1);
	}
	if (i == LIMIT_MS)
		kill(pid, SIGKILL);
	assert_int_equal(status, 0);
}

void wait_stage(int n)
{
	int i;

	for (i = 0; i < LIMIT_MS && atomic_load(&shared->stage) < n; i++)
		sleep_ms(1);
	assert_true(atomic_load(&shared->stage) >= n);
}

void wait_log(const char *text)
{
	int i;

	for (i = 0; i < LIMIT_MS && strcmp(shared->log, text); i++)
		sleep_ms(1);
	assert_string_equal(shared->log, text);
}

void wait_value(int i, int value)
{
	int n;

	for (n = 0; n < LIMIT_MS && shared->value[i] != value; n++)
		sleep_ms(1);
	assert_int_equal(shared->value[i], value);
}

struct cr_rendezvous *request(pid_t pid)
{
	const struct cr_rendezvous_request q = { .scope = CR_SCOPE_PROC,
						 .target = pid,
						 .signal = 15,
						 .dest = "/where/it/goes" };
	struct cr_control *control = malloc(sizeof(*control));
	struct cr_error err = { 0 };
	struct cr_rendezvous *r;
	int rc;

	rc = cr_control_read(pid, NULL, control, &err);
	assert_int_equal(rc, 0);
	rc = cr_rendezvous_create(&r, pid, control, &q, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(rc, 0);
	free(control);
	return r;
}

void expect(struct cr_rendezvous *r, enum cr_rendezvous_state goal)
{
	struct cr_error err = { 0 };

	cr_rendezvous_wait(&r, 1, goal, LIMIT_MS / 1000.0, NULL, NULL, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(cr_rendezvous_state(r), goal);
}

void expect_failure(struct cr_rendezvous *r, int code, const char *text)
{
	struct cr_error err = { 0 };
	int rc;

	rc = cr_rendezvous_wait(&r, 1, CR_RENDEZVOUS_READY, LIMIT_MS / 1000.0,
				NULL, NULL, &err);
	if (!strstr(err.text, text))
		assert_string_equal(err.text, text);
	assert_int_equal(rc, code);
}

static struct cr_rendezvous *until_ready(pid_t pid)
{
	struct cr_rendezvous *r = request(pid);

	expect(r, CR_RENDEZVOUS_PREPARED);
	assert_int_equal(cr_rendezvous_quiesce(r, NULL), 0);
	expect(r, CR_RENDEZVOUS_READY);
	return r;
}

void checkpoint(pid_t pid)
{
	struct cr_rendezvous *r = until_ready(pid);

	assert_int_equal(cr_rendezvous_resume(r, NULL), 0);
	cr_rendezvous_destroy(r);
}

static void poke(pid_t pid, uint64_t addr, const void *data, size_t len)
{
	struct iovec local = { (void *)(uintptr_t)data, len };
	struct iovec remote = { (void *)(uintptr_t)addr, len };

	assert_int_equal(process_vm_writev(pid, &local, 1, &remote, 1, 0), len);
}

void restart(pid_t pid)
{
	struct cr_control *c = malloc(sizeof(*c));
	struct cr_rendezvous *r = until_ready(pid);
	static const char src[] = "/where/it/was";
	uint64_t addr, restarts;

	assert_int_equal(cr_control_read(pid, &addr, c, NULL), 0);
	poke(pid, addr + offsetof(struct cr_control, restart_src), src,
	     sizeof(src));
	restarts = c->restarts + 1;
	poke(pid, addr + offsetof(struct cr_control, restarts), &restarts,
	     sizeof(restarts));
	cr_rendezvous_destroy(r);
	free(c);
}
