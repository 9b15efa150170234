/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_hold.c - threads that are held, hooks, persistence, threads that go */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "program.h"

static void go(int n)
{
	atomic_store(&shared->go, n);
}

/* Hooks */

static void hook(cr_hook_event_t event)
{
	note('0' + event);
}

static int letter(void *arg)
{
	const char *c = arg;
	int rc;

	note(c[0]);
	rc = cr_checkpoint(CR_CHECKPOINT_READY);
	note(rc < 0 ? '-' : c[0] - 'a' + 'A');
	return 0;
}

static void all_hooks(void)
{
	int i;

	CHECK(cr_register_hook(CR_HOOK_CONT_THREAD_CONTEXT, hook) ==
	      CR_HOOK_FN_ERROR);
	CHECK(errno == CR_ENOINIT);
	CHECK(cr_init() >= 0);
	CHECK(cr_register_hook(CR_NUM_HOOKS, hook) == CR_HOOK_FN_ERROR);
	CHECK(errno == EINVAL);
	for (i = 0; i < CR_NUM_HOOKS; i++) {
		CHECK(!cr_register_hook((cr_hook_event_t)i, hook));
		CHECK(cr_register_hook((cr_hook_event_t)i, hook) == hook);
	}
}

static void hooks_program(void)
{
	cr_callback_id_t a, x;

	all_hooks();
	stage(1); /* no callbacks */
	wait_go(1);
	a = cr_register_callback(letter, "a", CR_THREAD_CONTEXT);
	stage(2);
	wait_go(2);
	x = cr_register_callback(letter, "x", CR_SIGNAL_CONTEXT);
	stage(3);
	wait_go(3);
	CHECK(!cr_replace_callback(a, NULL, NULL, CR_THREAD_CONTEXT));
	CHECK(!cr_replace_callback(x, NULL, NULL, CR_SIGNAL_CONTEXT));
	CHECK(cr_register_hook(CR_HOOK_CONT_NO_CALLBACKS, NULL) == hook);
	stage(4);
	wait_go(4);
}

static void clear_log(void)
{
	memset(shared->log, 0, sizeof(shared->log));
	atomic_store(&shared->n, 0);
}

static void test_hooks(void **state)
{
	pid_t pid = program_start(hooks_program);

	wait_stage(1);
	checkpoint(pid);
	wait_log("2");
	restart(pid);
	wait_log("25");
	clear_log();
	go(1);
	wait_stage(2);
	checkpoint(pid);
	wait_log("a1A");
	restart(pid);
	wait_log("a1Aa4A");
	clear_log();
	go(2);
	wait_stage(3);
	checkpoint(pid);
	wait_log("ax0X1A");
	restart(pid);
	wait_log("ax0X1Aax3X4A");
	clear_log();
	go(3);
	wait_stage(4);
	checkpoint(pid);
	restart(pid);
	wait_log("5");
	go(4);
	program_end(pid);
}

/* A checkpoint that fails has none. */
static void test_hooks_failure(void **state)
{
	pid_t pid = program_start(hooks_program);
	struct cr_rendezvous *r;

	wait_stage(1);
	go(1);
	wait_stage(2);
	go(2);
	wait_stage(3);
	r = request(pid);
	expect(r, CR_RENDEZVOUS_PREPARED);
	cr_rendezvous_destroy(r);
	wait_log("ax--");
	go(4);
	program_end(pid);
}

/* Holding */

static _Atomic bool late, ended;
static _Atomic int forward[2]; /* how far the two threads are */

/* In libcr's thread: the others are seen not to move while it is here. */
static int slow(void *arg)
{
	int rc = cr_checkpoint(CR_CHECKPOINT_READY), before[2], i, ms;

	(void)rc;
	stage(10);
	for (i = 0; i < 2; i++)
		before[i] = forward[i];
	wait_go(10);
	for (i = 0; i < 2; i++) {
		for (ms = 0; ms < LIMIT_MS && shared->value[2 + i] &&
			     forward[i] == before[i];
		     ms++)
			sleep_ms(1);
		shared->value[i] = forward[i] - before[i];
	}
	late = true;
	return 0;
}

static void *walk(void *arg)
{
	int *which = arg;

	if (*which == 0)
		CHECK(cr_init() >= 0);
	while (!ended) {
		forward[*which]++;
		sleep_ms(1);
	}
	return NULL;
}

static void held_program(int scope, int flags, bool two)
{
	static int which[2] = { 0, 1 };
	pthread_t t[2];

	CHECK(cr_hold_ctrl(scope, flags) == -1 && errno == CR_ENOINIT);
	CHECK(cr_init() >= 0);
	CHECK(cr_hold_ctrl(7, flags) == -1 && errno == EINVAL);
	CHECK(cr_hold_ctrl(scope, 77) == -1 && errno == EINVAL);
	CHECK(cr_hold_ctrl(CR_HOLD_SCOPE_THREAD, CR_HOLD_READ) ==
	      CR_HOLD_DFLT);
	CHECK(cr_hold_ctrl(CR_HOLD_SCOPE_INIT, CR_HOLD_READ) == CR_HOLD_NONE);
	CHECK(cr_hold_ctrl(CR_HOLD_SCOPE_THREAD, CR_HOLD_NONE) ==
	      CR_HOLD_DFLT);
	CHECK(cr_hold_ctrl(CR_HOLD_SCOPE_INIT, flags) == CR_HOLD_NONE);
	CHECK(cr_hold_ctrl(CR_HOLD_SCOPE_INIT, CR_HOLD_READ) == flags);
	if (two)
		CHECK(!cr_hold_ctrl(CR_HOLD_SCOPE_UNINIT, flags));
	CHECK(cr_register_callback(slow, NULL, CR_THREAD_CONTEXT) >= 0);
	CHECK(!pthread_create(&t[0], NULL, walk, &which[0]));
	CHECK(!pthread_create(&t[1], NULL, walk, &which[1]));
	while (!forward[0] || !forward[1])
		sleep_ms(1);
	stage(1);
	while (!late) /* this thread is not held */
		sleep_ms(1);
	ended = true;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
}

static void held_on_continue(void)
{
	held_program(CR_HOLD_SCOPE_INIT, CR_HOLD_CONT, false);
}

static void held_on_restart(void)
{
	held_program(CR_HOLD_SCOPE_INIT, CR_HOLD_RSTRT, false);
}

static void both_held(void)
{
	held_program(CR_HOLD_SCOPE_UNINIT, CR_HOLD_BOTH, true);
}

/* Who moves between the callbacks' ends? */
static void run_held(void (*program)(void), void (*what)(pid_t), bool first,
		     bool second)
{
	pid_t pid = program_start(program);

	wait_stage(1);
	what(pid);
	wait_stage(10);
	/* those that are not held have all the time they need to move */
	shared->value[2] = !first;
	shared->value[3] = !second;
	/* and one that is would be seen to, as a rule */
	sleep_ms(50);
	go(10);
	program_end(pid);
	assert_int_equal(shared->value[0] == 0, first);
	assert_int_equal(shared->value[1] == 0, second);
}

static void test_held_continue(void **state)
{
	run_held(held_on_continue, checkpoint, true, false);
}

static void test_not_held_restart(void **state)
{
	run_held(held_on_continue, restart, false, false);
}

static void test_held_restart(void **state)
{
	run_held(held_on_restart, restart, true, false);
}

static void test_held_uninit(void **state)
{
	run_held(both_held, checkpoint, true, true);
}

static void test_held_uninit_restart(void **state)
{
	run_held(both_held, restart, true, true);
}

/* Persistence */

static pthread_key_t key;
static cr_client_id_t id;

static void last_words(void *arg)
{
	int n = cr_status() == CR_STATE_IDLE; /* any call of libcr */

	shared->value[0] = n && !cr_enter_cs(id) && !cr_leave_cs(id);
	if (arg == &key) {
		CHECK(!cr_dec_persist());
		CHECK(cr_dec_persist() == -1 && errno == ERANGE);
	}
}

static void *short_life(void *arg)
{
	CHECK(cr_inc_persist() == -1 && errno == CR_ENOINIT);
	CHECK(cr_dec_persist() == -1 && errno == CR_ENOINIT);
	id = cr_init();
	CHECK(cr_dec_persist() == -1 && errno == ERANGE);
	if (arg)
		CHECK(!cr_inc_persist());
	CHECK(!pthread_setspecific(key, arg ? arg : shared));
	return NULL;
}

static void persist_program(void)
{
	pthread_t t;

	/* libcr's key is the older one: its destructor runs first */
	CHECK(cr_init() >= 0);
	CHECK(!pthread_key_create(&key, last_words));
	CHECK(!pthread_create(&t, NULL, short_life, NULL));
	pthread_join(t, NULL);
	CHECK(shared->value[0] == 0);
	CHECK(!pthread_create(&t, NULL, short_life, &key));
	pthread_join(t, NULL);
	CHECK(shared->value[0] == 1);
	/* never taken back: ends with the last round */
	CHECK(!pthread_create(&t, NULL, short_life, &id));
	pthread_join(t, NULL);
	CHECK(shared->value[0] == 1);
	stage(1);
	wait_go(1);
}

static void test_persist(void **state)
{
	pid_t pid = program_start(persist_program);

	wait_stage(1);
	checkpoint(pid); /* nobody is waited for */
	go(1);
	program_end(pid);
}

/* Threads that come and go while there are requests */

static int count(void *arg)
{
	_Atomic int *in = arg;

	CHECK(++*in == 1);
	cr_checkpoint(CR_CHECKPOINT_READY);
	CHECK(--*in == 0);
	return 0;
}

static void *come_and_go(void *arg)
{
	_Atomic int in = 0;
	cr_client_id_t me = cr_init();
	int i;

	CHECK(me >= 0);
	CHECK(cr_register_callback(count, &in, CR_SIGNAL_CONTEXT) >= 0);
	for (i = 0; i < 5; i++) {
		CHECK(!cr_enter_cs(me));
		CHECK(!cr_leave_cs(me));
	}
	return NULL; /* in the middle of a request, perhaps */
}

static void busy_program(void)
{
	pthread_t t[4];
	int i;

	CHECK(cr_init() >= 0);
	CHECK(!cr_hold_ctrl(CR_HOLD_SCOPE_INIT, CR_HOLD_BOTH));
	CHECK(!cr_hold_ctrl(CR_HOLD_SCOPE_UNINIT, CR_HOLD_BOTH));
	stage(1);
	while (!atomic_load(&shared->go)) {
		for (i = 0; i < 4; i++)
			CHECK(!pthread_create(&t[i], NULL, come_and_go, NULL));
		for (i = 0; i < 4; i++)
			pthread_join(t[i], NULL);
		shared->value[0]++;
	}
}

static void test_come_and_go(void **state)
{
	pid_t pid = program_start(busy_program);
	int i, before;

	wait_stage(1);
	for (i = 0; i < 40; i++) {
		before = shared->value[0];
		(i % 3 ? checkpoint : restart)(pid);
		while (shared->value[0] == before)
			sleep_ms(1);
	}
	go(1);
	program_end(pid);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, program_setup, program_teardown)
	const struct CMUnitTest tests[] = {
		T(test_hooks),
		T(test_hooks_failure),
		T(test_held_continue),
		T(test_not_held_restart),
		T(test_held_restart),
		T(test_held_uninit),
		T(test_held_uninit_restart),
		T(test_persist),
		T(test_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
