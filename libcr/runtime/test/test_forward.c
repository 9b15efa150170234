/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_forward.c - callbacks that add processes to their request */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "program.h"

#define PROGRAM_SAYS 4711 /* an id that only the test knows */

/* What the requester was asked for. */
static struct {
	int n;
	pid_t from, target;
	cr_scope_t scope;
} asked;

static int answer_of(void *arg, pid_t from, cr_scope_t scope, pid_t target)
{
	asked.n++;
	asked.from = from;
	asked.scope = scope;
	asked.target = target;
	return *(int *)arg;
}

static struct cr_rendezvous *ask(pid_t pid, int *answer)
{
	const struct cr_rendezvous_request q = {
		.target = pid,
		.forward = answer ? answer_of : NULL,
		.forward_arg = answer,
	};
	struct cr_control control;
	struct cr_error err = { 0 };
	struct cr_rendezvous *r;

	asked.n = 0;
	assert_int_equal(cr_control_read(pid, NULL, &control, &err), 0);
	assert_int_equal(cr_rendezvous_create(&r, pid, &control, &q, &err), 0);
	return r;
}

static int wait_prepared(struct cr_rendezvous *r)
{
	return cr_rendezvous_wait(&r, 1, CR_RENDEZVOUS_PREPARED,
				  LIMIT_MS / 1000.0, NULL, NULL, NULL);
}

static void finish(struct cr_rendezvous *r)
{
	assert_int_equal(cr_rendezvous_state(r), CR_RENDEZVOUS_PREPARED);
	assert_int_equal(cr_rendezvous_quiesce(r, NULL), 0);
	expect(r, CR_RENDEZVOUS_READY);
	assert_int_equal(cr_rendezvous_resume(r, NULL), 0);
	cr_rendezvous_destroy(r);
}

/* value[0]: the error it must get */
static int forwarding(void *arg)
{
	int want = shared->value[0];
	int rc = cr_forward_checkpoint(CR_SCOPE_TREE, PROGRAM_SAYS);

	CHECK(want ? rc == -1 && errno == want : rc == 0);
	CHECK(cr_forward_checkpoint(77, 1) == -1 && errno == EINVAL);
	CHECK(cr_forward_checkpoint(CR_SCOPE_PROC, -1) == -1);
	CHECK(errno == EINVAL);
	note('f');
	cr_checkpoint(CR_CHECKPOINT_READY);
	CHECK(cr_forward_checkpoint(CR_SCOPE_TREE, PROGRAM_SAYS) == -1);
	CHECK(errno == CR_ENOTCB);
	note('F');
	return 0;
}

static void forwarding_program(void)
{
	CHECK(cr_init() >= 0);
	CHECK(cr_forward_checkpoint(CR_SCOPE_PROC, 1) == -1);
	CHECK(errno == CR_ENOTCB);
	CHECK(cr_register_callback(forwarding, NULL, CR_THREAD_CONTEXT) >= 0);
	stage(1);
	wait_go(1);
}

static void test_answers(void **state)
{
	pid_t pid = program_start(forwarding_program);
	struct cr_rendezvous *r;
	int answer = 0;

	wait_stage(1);
	r = ask(pid, &answer);
	assert_int_equal(wait_prepared(r), 1); /* to ask the others first */
	assert_int_equal(asked.n, 1);
	assert_int_equal(asked.from, pid);
	assert_int_equal(asked.scope, CR_SCOPE_TREE);
	assert_int_equal(asked.target, PROGRAM_SAYS);
	assert_int_equal(wait_prepared(r), 0);
	finish(r);
	wait_log("fF");
	shared->value[0] = EPERM;
	answer = -EPERM;
	r = ask(pid, &answer);
	assert_int_equal(wait_prepared(r), 0);
	assert_int_equal(asked.n, 1);
	finish(r);
	wait_log("fFfF");
	shared->value[0] = CR_ENOSUPPORT;
	r = ask(pid, NULL);
	assert_int_equal(wait_prepared(r), 0);
	finish(r);
	wait_log("fFfFfF");
	atomic_store(&shared->go, 1);
	program_end(pid);
}

static int many(void *arg)
{
	int i;

	for (i = 0; i < 100; i++)
		CHECK(!cr_forward_checkpoint(CR_SCOPE_PROC, 0));
	note('m');
	return 0;
}

static _Atomic int threads;

static void *client(void *arg)
{
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(many, NULL, CR_SIGNAL_CONTEXT) >= 0);
	atomic_fetch_add(&threads, 1);
	wait_go(1);
	return NULL;
}

static void many_program(void)
{
	pthread_t t[4];
	int i;

	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, client, NULL));
	while (atomic_load(&threads) < 4)
		sleep_ms(1);
	stage(1);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* Signal handlers of several threads ask at once; 0 is the process itself. */
static void test_threads(void **state)
{
	pid_t pid = program_start(many_program);
	struct cr_rendezvous *r;
	int answer = 0, rc;

	wait_stage(1);
	r = ask(pid, &answer);
	while ((rc = wait_prepared(r)) == 1)
		;
	assert_int_equal(rc, 0);
	assert_int_equal(asked.n, 400);
	assert_int_equal(asked.target, pid);
	finish(r);
	wait_log("mmmm");
	atomic_store(&shared->go, 1);
	program_end(pid);
}

static int late(void *arg)
{
	stage(2);
	wait_go(1);
	CHECK(cr_forward_checkpoint(CR_SCOPE_PROC, 1) == -1);
	CHECK(errno == CR_ETEMPFAIL);
	CHECK(cr_checkpoint(CR_CHECKPOINT_READY) == -CR_ETEMPFAIL);
	note('l');
	return 0;
}

static void late_program(void)
{
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(late, NULL, CR_THREAD_CONTEXT) >= 0);
	stage(1);
	wait_go(2);
}

/* The request is given up before the callback forwards. */
static void test_aborted(void **state)
{
	pid_t pid = program_start(late_program);
	struct cr_rendezvous *r;
	int answer = 0;

	wait_stage(1);
	r = ask(pid, &answer);
	expect(r, CR_RENDEZVOUS_PREPARING);
	wait_stage(2);
	cr_rendezvous_abort(r);
	atomic_store(&shared->go, 1);
	wait_log("l");
	assert_int_equal(asked.n, 0);
	cr_rendezvous_destroy(r);
	atomic_store(&shared->go, 2);
	program_end(pid);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, program_setup, program_teardown)
	const struct CMUnitTest tests[] = {
		T(test_answers),
		T(test_threads),
		T(test_aborted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
