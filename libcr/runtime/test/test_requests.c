/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_requests.c - requests that are refused, given up, doubled, forked */
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "program.h"

static void go(int n)
{
	atomic_store(&shared->go, n);
}

static int first(void *arg)
{
	int rc;

	note('f');
	rc = cr_checkpoint(CR_CHECKPOINT_READY);
	CHECK(rc == shared->value[1]);
	note('F');
	return 0;
}

/* Says what the test put in value[0], wants to get what is in value[1]. */
static int second(void *arg)
{
	int rc;

	note('s');
	rc = cr_checkpoint(shared->value[0]);
	CHECK(rc == shared->value[1]);
	note('S');
	return 0;
}

static int never(void *arg)
{
	note('!');
	return 0;
}

static void refusing_program(void)
{
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(first, NULL, CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_register_callback(second, NULL, CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_register_callback(never, NULL, CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_register_callback(never, NULL, CR_SIGNAL_CONTEXT) >= 0);
	stage(1);
	wait_go(1);
}

static void refusing_signal_program(void)
{
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(first, NULL, CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_register_callback(never, NULL, CR_SIGNAL_CONTEXT) >= 0);
	CHECK(cr_register_callback(second, NULL, CR_SIGNAL_CONTEXT) >= 0);
	stage(1);
	wait_go(1);
}

static void refused(void (*program)(void), int flags, int result,
		    const char *text, unsigned int code)
{
	struct cr_rendezvous *r;
	pid_t pid;

	shared->value[0] = flags;
	shared->value[1] = result;
	pid = program_start(program);
	wait_stage(1);
	r = request(pid);
	if (text) {
		expect_failure(r, result, text);
		assert_int_equal(cr_rendezvous_user_code(r), code);
	} else {
		expect(r, CR_RENDEZVOUS_OMITTED);
		assert_int_equal(cr_rendezvous_quiesce(r, NULL), 0);
		assert_int_equal(cr_rendezvous_resume(r, NULL), 0);
	}
	if (result == -CR_EPERMFAIL) { /* held until it is killed or this: */
		sleep_ms(50);
		assert_string_equal(shared->log, "fs");
	}
	cr_rendezvous_destroy(r);
	wait_log("fsSF");
	go(1);
	program_end(pid);
}

static void test_temp_failure(void **state)
{
	refused(refusing_program, CR_CHECKPOINT_TEMP_FAILURE, -CR_ETEMPFAIL,
		"refused the checkpoint for now", 0);
}

static void test_perm_failure(void **state)
{
	refused(refusing_program, CR_CHECKPOINT_PERM_FAILURE_CODE(4711),
		-CR_EPERMFAIL, "(code 4711)", 4711);
}

static void test_omit(void **state)
{
	refused(refusing_program, CR_CHECKPOINT_OMIT, -CR_EOMITTED, NULL, 0);
}

static void test_signal_failure(void **state)
{
	refused(refusing_signal_program,
		CR_CHECKPOINT_TEMP_FAILURE_CODE(0xffff), -CR_ETEMPFAIL,
		"(code 65535)", 0xffff);
}

static void plain_program(void)
{
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(first, NULL, CR_THREAD_CONTEXT) >= 0);
	stage(1);
	wait_go(1);
}

/* A requester that dies at each point; the program runs on. */
static void test_dead_requester(void **state)
{
	enum cr_rendezvous_state at[] = { CR_RENDEZVOUS_CONNECTING,
					  CR_RENDEZVOUS_PREPARED,
					  CR_RENDEZVOUS_READY };
	struct cr_rendezvous *r;
	unsigned int i;
	pid_t pid, dying;
	int status;

	shared->value[1] = -CR_ETEMPFAIL;
	pid = program_start(plain_program);
	wait_stage(1);
	for (i = 0; i < sizeof(at) / sizeof(*at); i++) {
		dying = fork();
		if (!dying) {
			r = request(pid);
			if (at[i] >= CR_RENDEZVOUS_PREPARED)
				expect(r, CR_RENDEZVOUS_PREPARED);
			if (at[i] >= CR_RENDEZVOUS_READY) {
				cr_rendezvous_quiesce(r, NULL);
				expect(r, CR_RENDEZVOUS_READY);
			}
			raise(SIGKILL);
		}
		waitpid(dying, &status, 0);
		assert_int_equal(status, SIGKILL);
	}
	wait_log("fFfF"); /* nothing ran for the first */
	shared->value[1] = 0;
	checkpoint(pid);
	go(1);
	program_end(pid);
}

/* The second request at a time is refused at once, the next is not. */
static void test_two_at_once(void **state)
{
	pid_t pid = program_start(plain_program);
	struct cr_rendezvous *r, *other;

	wait_stage(1);
	r = request(pid);
	expect(r, CR_RENDEZVOUS_PREPARED);
	other = request(pid);
	expect_failure(other, -EBUSY, "another checkpoint of it is going on");
	cr_rendezvous_destroy(other);
	assert_int_equal(cr_rendezvous_quiesce(r, NULL), 0);
	expect(r, CR_RENDEZVOUS_READY);
	assert_int_equal(cr_rendezvous_resume(r, NULL), 0);
	cr_rendezvous_destroy(r);
	checkpoint(pid);
	wait_log("fFfF");
	go(1);
	program_end(pid);
}

/* Several processes in one request. */
static void test_many(void **state)
{
	struct cr_rendezvous *r[5];
	struct cr_error err = { 0 };
	pid_t pid[5];
	int i;

	for (i = 0; i < 5; i++) {
		pid[i] = program_start(plain_program);
		wait_stage(1);
		stage(0);
	}
	for (i = 0; i < 5; i++)
		r[i] = request(pid[i]);
	assert_int_equal(cr_rendezvous_wait(r, 5, CR_RENDEZVOUS_PREPARED, 20,
					    NULL, NULL, &err),
			 0);
	wait_log("fffff");
	for (i = 0; i < 5; i++)
		assert_int_equal(cr_rendezvous_quiesce(r[i], &err), 0);
	assert_int_equal(cr_rendezvous_wait(r, 5, CR_RENDEZVOUS_READY, 20, NULL,
					    NULL, &err),
			 0);
	for (i = 0; i < 5; i++) {
		assert_int_equal(cr_rendezvous_resume(r[i], &err), 0);
		cr_rendezvous_destroy(r[i]);
	}
	wait_log("fffffFFFFF");
	go(1);
	for (i = 0; i < 5; i++)
		program_end(pid[i]);
}

/* It dies, or executes another program, in the middle of a request. */
static void test_dead_program(void **state)
{
	pid_t pid = program_start(plain_program);
	struct cr_rendezvous *r;

	wait_stage(1);
	r = request(pid);
	expect(r, CR_RENDEZVOUS_PREPARED);
	kill(pid, SIGKILL);
	cr_rendezvous_quiesce(r, NULL);
	expect_failure(r, -ESRCH, "ended");
	cr_rendezvous_destroy(r);
	waitpid(pid, NULL, 0);
}

/* A stopped process cannot answer: the request ends by itself. */
static void test_stopped(void **state)
{
	const struct cr_rendezvous_request q = { .connect_timeout = 0.3 };
	pid_t pid = program_start(plain_program);
	struct cr_control *control = malloc(sizeof(*control));
	struct cr_rendezvous *r;
	int status;

	wait_stage(1);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	assert_int_equal(cr_control_read(pid, NULL, control, NULL), 0);
	assert_int_equal(cr_rendezvous_create(&r, pid, control, &q, NULL), 0);
	expect_failure(r, -ETIMEDOUT, "does not answer");
	cr_rendezvous_destroy(r);
	free(control);
	kill(pid, SIGCONT);
	checkpoint(pid);
	wait_log("fF");
	go(1);
	program_end(pid);
}

static void forking_program(void)
{
	struct cr_control *control = malloc(sizeof(*control));
	int status;
	pid_t pid;

	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(first, NULL, CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_control_read(getpid(), NULL, control, NULL) == 0);
	CHECK(control->helper_tid == cr_helper_tid());
	stage(1);
	wait_go(1); /* in the middle of a request */
	pid = syscall(SYS_fork);
	if (!pid) /* no handlers were run: what is there is the parent's */
		_exit(cr_control_read(syscall(SYS_getpid), NULL, control,
				      NULL) != -ECHILD);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	pid = fork();
	if (!pid) {
		shared->value[2] = getpid();
		CHECK(cr_status() == CR_STATE_IDLE);
		CHECK(cr_helper_tid() && cr_helper_tid() != getpid());
		stage(2);
		wait_go(3);
		_exit(0);
	}
	wait_go(2);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
}

/*
 * fork() in the middle of a request: the child has the callbacks, a thread of
 * its own, and no part in the request.
 */
static void test_fork(void **state)
{
	pid_t pid = program_start(forking_program);
	struct cr_rendezvous *r;

	wait_stage(1);
	r = request(pid);
	expect(r, CR_RENDEZVOUS_PREPARED);
	go(1);
	wait_stage(2);
	checkpoint(shared->value[2]);
	wait_log("ffF");
	assert_int_equal(cr_rendezvous_quiesce(r, NULL), 0);
	expect(r, CR_RENDEZVOUS_READY);
	assert_int_equal(cr_rendezvous_resume(r, NULL), 0);
	cr_rendezvous_destroy(r);
	wait_log("ffFF");
	go(3);
	program_end(pid);
}

static int quiesce(void *arg, char *reason, size_t size)
{
	note('q');
	if (shared->value[0] == 1) {
		snprintf(reason, size, "the peer does not answer");
		return -1;
	}
	while (shared->value[0] == 2 && !cr_request_cancelled())
		sleep_ms(1);
	return shared->value[0] == 2;
}

static void resume(void *arg, int outcome)
{
	note('0' + outcome);
}

static void coordinated_program(void)
{
	static const struct cr_coordinator ops = { quiesce, resume };

	CHECK(cr_register_coordinator(&ops, NULL) == 0);
	CHECK(cr_register_coordinator(&ops, NULL) == -EBUSY);
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(first, NULL, CR_THREAD_CONTEXT) >= 0);
	stage(1);
	wait_go(1);
	CHECK(cr_register_coordinator(NULL, NULL) == 0);
}

static void test_coordinator(void **state)
{
	pid_t pid = program_start(coordinated_program);
	struct cr_rendezvous *r;

	wait_stage(1);
	checkpoint(pid);
	wait_log("fq0F");
	shared->value[1] = 1;
	restart(pid);
	wait_log("fq0Ffq1F");
	shared->value[0] = 1;
	shared->value[1] = -CR_ETEMPFAIL;
	r = request(pid);
	expect(r, CR_RENDEZVOUS_PREPARED);
	assert_int_equal(cr_rendezvous_quiesce(r, NULL), 0);
	expect_failure(r, -CR_ETEMPFAIL, "the peer does not answer");
	cr_rendezvous_destroy(r);
	wait_log("fq0Ffq1FfqF");
	shared->value[0] = 2; /* cancelled while it waits */
	r = request(pid);
	expect(r, CR_RENDEZVOUS_PREPARED);
	assert_int_equal(cr_rendezvous_quiesce(r, NULL), 0);
	wait_log("fq0Ffq1FfqFfq");
	cr_rendezvous_destroy(r);
	wait_log("fq0Ffq1FfqFfqF");
	go(1);
	program_end(pid);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, program_setup, program_teardown)
	const struct CMUnitTest tests[] = {
		T(test_temp_failure),	T(test_perm_failure),
		T(test_omit),		T(test_signal_failure),
		T(test_dead_requester), T(test_two_at_once),
		T(test_many),		T(test_dead_program),
		T(test_stopped),	T(test_fork),
		T(test_coordinator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
