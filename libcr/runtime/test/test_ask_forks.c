/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_ask_forks.c - children that another thread forks while one asks
 *
 * They live on, and must not keep a pipe of the request open: its end tells
 * that the command has ended.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "program.h"

#define REQUESTS 40
#define CHILDREN 256

static char dir[] = "/tmp/test_ask_forks.XXXXXX";
static char script[sizeof(dir) + 32];
static _Atomic bool over;

/* All live longer than anybody waits. */
static void lives(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent)
		sleep(1);
	_exit(0);
}

static void *forks(void *arg)
{
	pid_t parent = getpid();
	pid_t pid[CHILDREN];
	size_t n = 0;

	while (!over && n < CHILDREN) {
		pid[n] = fork();
		CHECK(pid[n] >= 0);
		if (!pid[n])
			lives(parent);
		n++;
		usleep(500);
	}
	while (!over)
		usleep(1000);
	while (n-- > 0) {
		kill(pid[n], SIGKILL);
		waitpid(pid[n], NULL, 0);
	}
	return arg;
}

static void asks(void)
{
	struct timeval limit = { 20, 0 };
	cr_checkpoint_args_t args;
	cr_checkpoint_handle_t h;
	pthread_t t;

	CHECK(!setenv("CR_BINDIR", dir, 1));
	CHECK(!cr_initialize_checkpoint_args_t(&args));
	args.cr_scope = CR_SCOPE_PROC;
	CHECK(!pthread_create(&t, NULL, forks, NULL));
	for (int i = 0; i < REQUESTS; i++) {
		CHECK(!cr_request_checkpoint(&args, &h));
		/* killed before it said anything: only the end tells */
		CHECK(cr_wait_checkpoint(&h, &limit) == 1);
		CHECK(cr_reap_checkpoint(&h) == -1 && errno == EIO);
	}
	over = true;
	CHECK(!pthread_join(t, NULL));
}

static void test_forks(void **state)
{
	FILE *f = fopen(script, "we");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\nkill -9 $$\n");
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(script, 0755), 0);
	program_end(program_start(asks));
}

static int group_setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(script, sizeof(script), "%s/cr_checkpoint", dir);
	return 0;
}

static int group_teardown(void **state)
{
	unlink(script);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_forks, program_setup,
						program_teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
