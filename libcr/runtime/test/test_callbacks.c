/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_callbacks.c - order, contexts and outcomes of callbacks */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "program.h"

static int outcome; /* that the next callback is to see */

/* Lower case before, upper case after cr_checkpoint(). */
static int letter(void *arg)
{
	const char *c = arg;

	note(c[0]);
	CHECK(cr_checkpoint(CR_CHECKPOINT_READY) == outcome);
	note(c[0] - 'a' + 'A');
	return 0;
}

static void run_until_end(int cycles)
{
	stage(1);
	wait_go(cycles);
}

static void go(int n)
{
	atomic_store(&shared->go, n);
}

static void three_in_thread_context(void)
{
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(letter, "a", CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_register_callback(letter, "b", CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_register_callback(letter, "c", CR_THREAD_CONTEXT) >= 0);
	run_until_end(1);
}

static void test_thread_context(void **state)
{
	pid_t pid = program_start(three_in_thread_context);

	wait_stage(1);
	checkpoint(pid);
	wait_log("abcCBA");
	checkpoint(pid);
	wait_log("abcCBAabcCBA");
	go(1);
	program_end(pid);
}

static void both_contexts(void)
{
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(letter, "x", CR_SIGNAL_CONTEXT) >= 0);
	CHECK(cr_register_callback(letter, "a", CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_register_callback(letter, "y", CR_SIGNAL_CONTEXT) >= 0);
	CHECK(cr_register_callback(letter, "b", CR_THREAD_CONTEXT) >= 0);
	run_until_end(1);
}

/* Signal context comes second, in reverse order of registration. */
static void test_both_contexts(void **state)
{
	pid_t pid = program_start(both_contexts);

	wait_stage(1);
	checkpoint(pid);
	wait_log("abyxXYBA");
	go(1);
	program_end(pid);
}

static void restarted_program(void)
{
	outcome = 1;
	both_contexts();
	CHECK(cr_restarts() == 2);
}

static void test_restart(void **state)
{
	pid_t pid = program_start(restarted_program);

	wait_stage(1);
	restart(pid);
	wait_log("abyxXYBA");
	restart(pid);
	wait_log("abyxXYBAabyxXYBA");
	go(1);
	program_end(pid);
}

static int silent(void *arg)
{
	note('s');
	return 0;
}

static void silent_program(void)
{
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(silent, NULL, CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_register_callback(letter, "a", CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_register_callback(silent, NULL, CR_SIGNAL_CONTEXT) >= 0);
	run_until_end(1);
}

/* A callback that does not call cr_checkpoint() has it called for it. */
static void test_silent(void **state)
{
	pid_t pid = program_start(silent_program);

	wait_stage(1);
	checkpoint(pid);
	wait_log("sasA");
	go(1);
	program_end(pid);
}

static pthread_t main_thread;

static int where(void *arg)
{
	bool signal_context = arg;

	if (signal_context)
		CHECK(pthread_equal(pthread_self(), main_thread));
	else
		CHECK(syscall(SYS_gettid) == cr_helper_tid());
	CHECK(cr_status() == CR_STATE_ACTIVE);
	CHECK(cr_register_callback(where, NULL, CR_THREAD_CONTEXT) == -1);
	CHECK(errno == EBUSY);
	CHECK(cr_enter_cs(CR_ID_CALLBACK) == 0);
	CHECK(cr_leave_cs(CR_ID_CALLBACK) == 0);
	CHECK(cr_leave_cs(CR_ID_CALLBACK) == -1 && errno == EPERM);
	CHECK(cr_checkpoint(0x77) == -EINVAL);
	CHECK(cr_get_restart_info() == NULL);
	CHECK(cr_get_checkpoint_info()->signal == 15);
	CHECK(cr_get_checkpoint_info()->scope == CR_SCOPE_PROC);
	CHECK(cr_get_checkpoint_info()->target == getpid());
	CHECK(cr_get_checkpoint_info()->requester == getppid());
	CHECK(!strcmp(cr_get_checkpoint_info()->dest, "/where/it/goes"));
	CHECK(cr_checkpoint(CR_CHECKPOINT_READY) == outcome);
	CHECK(cr_checkpoint(CR_CHECKPOINT_READY) == -CR_ENOTCB);
	CHECK(cr_get_checkpoint_info() == NULL);
	if (outcome)
		CHECK(!strcmp(cr_get_restart_info()->src, "/where/it/was"));
	else
		CHECK(cr_get_restart_info() == NULL);
	note('.');
	return 0;
}

static void rules_program(void)
{
	int flags = CR_THREAD_CONTEXT | CR_SIGNAL_CONTEXT;
	cr_client_id_t id;

	main_thread = pthread_self();
	CHECK(cr_register_callback(where, NULL, CR_THREAD_CONTEXT) == -1);
	CHECK(errno == CR_ENOINIT);
	CHECK(cr_enter_cs(1) == -1 && errno == CR_ENOINIT);
	CHECK(cr_status() == CR_STATE_IDLE);
	id = cr_init();
	CHECK(id >= 0 && cr_init() == id);
	CHECK(cr_register_callback(where, NULL, flags) == -1);
	CHECK(errno == EINVAL);
	CHECK(cr_register_callback(where, NULL, 0) == -1);
	CHECK(cr_checkpoint(CR_CHECKPOINT_READY) == -CR_ENOTCB);
	CHECK(cr_get_checkpoint_info() == NULL);
	CHECK(cr_replace_self(where, NULL, CR_THREAD_CONTEXT) == -1);
	CHECK(errno == CR_ENOTCB);
	CHECK(cr_register_callback(where, NULL, CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_register_callback(where, "", CR_SIGNAL_CONTEXT) >= 0);
	stage(1);
	wait_go(1);
	outcome = 1;
	stage(2);
	wait_go(2);
	CHECK(cr_status() == CR_STATE_IDLE);
}

static void test_rules(void **state)
{
	pid_t pid = program_start(rules_program);

	wait_stage(1);
	checkpoint(pid);
	wait_log("..");
	go(1);
	wait_stage(2);
	restart(pid);
	wait_log("....");
	go(2);
	program_end(pid);
}

static int replacing(void *arg)
{
	note('r');
	CHECK(!cr_replace_self(letter, "n", CR_THREAD_CONTEXT));
	CHECK(cr_replace_self(letter, "n", CR_SIGNAL_CONTEXT) == -1);
	return 0;
}

static void replace_program(void)
{
	cr_callback_id_t a, b;

	CHECK(cr_init() >= 0);
	a = cr_register_callback(letter, "a", CR_THREAD_CONTEXT);
	b = cr_register_callback(replacing, NULL, CR_THREAD_CONTEXT);
	CHECK(a >= 0 && b >= 0 && a != b);
	CHECK(cr_replace_callback(a, letter, "b", CR_SIGNAL_CONTEXT) == -1);
	CHECK(errno == EINVAL);
	CHECK(cr_replace_callback(a, letter, "b", CR_THREAD_CONTEXT) == 0);
	stage(1);
	wait_go(1);
	CHECK(cr_replace_callback(a, NULL, NULL, CR_THREAD_CONTEXT) == 0);
	stage(2);
	wait_go(2);
}

static void test_replace(void **state)
{
	pid_t pid = program_start(replace_program);

	wait_stage(1);
	checkpoint(pid);
	wait_log("brB");
	go(1);
	wait_stage(2);
	checkpoint(pid);
	wait_log("brBnN");
	go(2);
	program_end(pid);
}

static int quiet(void *arg)
{
	atomic_fetch_add(&shared->value[0], 1);
	cr_checkpoint(CR_CHECKPOINT_READY);
	atomic_fetch_add(&shared->value[1], 1);
	return 0;
}

static void too_many_program(void)
{
	int i;

	CHECK(cr_init() >= 0);
	for (i = 0; i < CR_MAX_CALLBACKS; i++)
		CHECK(cr_register_callback(quiet, NULL, CR_THREAD_CONTEXT) >=
		      0);
	CHECK(cr_register_callback(quiet, NULL, CR_THREAD_CONTEXT) == -1);
	CHECK(errno == ENOSPC);
	stage(1);
	wait_go(1);
}

/* As many as there may be fit on the stack of libcr's thread. */
static void test_too_many(void **state)
{
	pid_t pid = program_start(too_many_program);

	wait_stage(1);
	checkpoint(pid);
	wait_value(0, CR_MAX_CALLBACKS);
	wait_value(1, CR_MAX_CALLBACKS);
	go(1);
	program_end(pid);
}

static _Atomic int threads_done;

static void *short_lived(void *arg)
{
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(silent, NULL, CR_SIGNAL_CONTEXT) >= 0);
	CHECK(cr_enter_cs(cr_init()) == 0);
	/* ends in the section: that ends it */
	atomic_fetch_add(&threads_done, 1);
	return NULL;
}

static void *quiet_thread(void *arg)
{
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(quiet, NULL, CR_SIGNAL_CONTEXT) >= 0);
	sched_yield();
	return NULL;
}

static void threads_program(void)
{
	pthread_t t[8];
	int i;

	pthread_create(&t[0], NULL, short_lived, NULL);
	pthread_join(t[0], NULL);
	CHECK(cr_init() >= 0);
	stage(1);
	while (atomic_load(&shared->go) < 1) {
		for (i = 0; i < 8; i++)
			CHECK(!pthread_create(&t[i], NULL, quiet_thread, NULL));
		for (i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
	}
	CHECK(shared->value[0] == shared->value[1]);
}

/* Threads with callbacks come and go while checkpoints are made. */
static void test_threads(void **state)
{
	pid_t pid = program_start(threads_program);
	int i;

	wait_stage(1);
	for (i = 0; i < 200; i++)
		checkpoint(pid);
	go(1);
	program_end(pid);
	assert_string_equal(shared->log, "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, program_setup, program_teardown)
	const struct CMUnitTest tests[] = {
		T(test_thread_context), T(test_both_contexts), T(test_restart),
		T(test_silent),		T(test_rules),	       T(test_replace),
		T(test_too_many),	T(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
