/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_sections.c - critical sections put checkpoints off */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "program.h"

static cr_client_id_t id;

static int callback(void *arg)
{
	note('c');
	CHECK(cr_checkpoint(CR_CHECKPOINT_READY) == 0);
	note('C');
	return 0;
}

static void start(void)
{
	id = cr_init();
	CHECK(id >= 0);
	CHECK(cr_register_callback(callback, NULL, CR_THREAD_CONTEXT) >= 0);
}

static void nested_program(void)
{
	start();
	CHECK(cr_leave_cs(id) == -1 && errno == EPERM);
	CHECK(cr_enter_cs(id + 1) == -1 && errno == EINVAL);
	CHECK(cr_enter_cs(CR_ID_CALLBACK) == -1 && errno == CR_ENOTCB);
	CHECK(cr_enter_cs(id) == 0);
	CHECK(cr_tryenter_cs(id) == 0);
	stage(1);
	while (cr_status() != CR_STATE_PENDING)
		sleep_ms(1);
	CHECK(cr_tryenter_cs(id) == 0); /* inside already */
	CHECK(cr_leave_cs(id) == 0);
	CHECK(cr_leave_cs(id) == 0);
	sleep_ms(50);
	CHECK(cr_status() == CR_STATE_PENDING);
	note('l');
	CHECK(cr_leave_cs(id) == 0);
	/* the request began before the section could be entered again */
	CHECK(cr_status() != CR_STATE_PENDING);
	CHECK(cr_enter_cs(id) == 0);
	note('e');
	CHECK(cr_leave_cs(id) == 0);
	stage(2);
	wait_go(1);
}

/* A request waits for the last leave, and the next enter for its end. */
static void test_nested(void **state)
{
	pid_t pid = program_start(nested_program);

	wait_stage(1);
	checkpoint(pid);
	wait_stage(2);
	wait_log("lcCe");
	atomic_store(&shared->go, 1);
	program_end(pid);
}

static void *other_thread(void *arg)
{
	cr_client_id_t me = cr_init();

	while (cr_status() != CR_STATE_PENDING)
		sleep_ms(1);
	CHECK(cr_tryenter_cs(me) > 0);
	/*
	 * The thread inside waits for this one: it gets in after a moment
	 * although a request is waiting.
	 */
	CHECK(cr_enter_cs(me) == 0);
	CHECK(cr_status() == CR_STATE_PENDING);
	note('o');
	CHECK(cr_leave_cs(me) == 0);
	return NULL;
}

static void waiting_program(void)
{
	pthread_t t;

	start();
	CHECK(cr_enter_cs(id) == 0);
	CHECK(!pthread_create(&t, NULL, other_thread, NULL));
	stage(1);
	pthread_join(t, NULL);
	note('l');
	CHECK(cr_leave_cs(id) == 0);
	wait_go(1);
}

/* A pending request does not make two threads of the program deadlock. */
static void test_waiting_inside(void **state)
{
	pid_t pid = program_start(waiting_program);

	wait_stage(1);
	checkpoint(pid);
	wait_log("olcC");
	atomic_store(&shared->go, 1);
	program_end(pid);
}

static _Atomic int inside;
static __thread cr_client_id_t my_id;

static int nobody_inside(void *arg)
{
	CHECK(inside == 0);
	CHECK(cr_checkpoint(CR_CHECKPOINT_READY) == 0);
	CHECK(inside == 0);
	return 0;
}

static void *busy_thread(void *arg)
{
	my_id = cr_init();
	while (!atomic_load(&shared->go)) {
		CHECK(cr_enter_cs(my_id) == 0);
		inside++;
		sched_yield();
		inside--;
		CHECK(cr_leave_cs(my_id) == 0);
	}
	my_id = 0; /* not for the signal handler any more */
	return NULL;
}

static void alarm_handler(int signo)
{
	int saved = errno;

	if (!my_id)
		return;
	CHECK(cr_enter_cs(my_id) == 0);
	inside++;
	atomic_fetch_add(&shared->value[0], 1);
	inside--;
	CHECK(cr_leave_cs(my_id) == 0);
	errno = saved;
}

static void busy_program(void)
{
	const struct itimerval every = { { 0, 300 }, { 0, 300 } };
	struct sigaction sa = { .sa_handler = alarm_handler,
				.sa_flags = SA_RESTART };
	pthread_t t[4];
	int i;

	id = my_id = cr_init();
	CHECK(cr_register_callback(nobody_inside, NULL, CR_THREAD_CONTEXT) >=
	      0);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, busy_thread, NULL));
	stage(1);
	while (!atomic_load(&shared->go)) {
		CHECK(cr_enter_cs(id) == 0);
		inside++;
		inside--;
		CHECK(cr_leave_cs(id) == 0);
	}
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* Busy sections, also in a signal handler, neither leak nor starve. */
static void test_busy(void **state)
{
	pid_t pid = program_start(busy_program);
	int i;

	wait_stage(1);
	for (i = 0; i < 100; i++)
		checkpoint(pid);
	atomic_store(&shared->go, 1);
	program_end(pid);
	assert_true(shared->value[0] > 0);
}

static void cancelled_program(void)
{
	start();
	CHECK(cr_enter_cs(id) == 0);
	stage(1);
	while (cr_status() != CR_STATE_PENDING)
		sleep_ms(1);
	stage(2);
	while (cr_status() != CR_STATE_IDLE)
		sleep_ms(1);
	CHECK(cr_leave_cs(id) == 0);
	stage(3);
	wait_go(1);
}

static bool cancel_now(void *arg)
{
	return atomic_load(&shared->stage) == 2;
}

/* A request given up while it waits for a section leaves no trace. */
static void test_cancelled(void **state)
{
	pid_t pid = program_start(cancelled_program);
	struct cr_error err = { 0 };
	struct cr_rendezvous *r;

	wait_stage(1);
	r = request(pid);
	assert_int_equal(cr_rendezvous_wait(&r, 1, CR_RENDEZVOUS_PREPARED, 0,
					    cancel_now, NULL, &err),
			 -ECANCELED);
	cr_rendezvous_destroy(r);
	wait_stage(3);
	assert_string_equal(shared->log, "");
	checkpoint(pid);
	wait_log("cC");
	atomic_store(&shared->go, 1);
	program_end(pid);
}

static int aborted(void *arg)
{
	note('c');
	CHECK(cr_checkpoint(CR_CHECKPOINT_READY) == -CR_ETEMPFAIL);
	note('a');
	return 0;
}

static void timeout_program(void)
{
	id = cr_init();
	CHECK(cr_register_callback(aborted, NULL, CR_THREAD_CONTEXT) >= 0);
	CHECK(cr_enter_cs(id) == 0);
	stage(1);
	wait_go(1);
	CHECK(cr_leave_cs(id) == 0);
	wait_go(2);
}

static void test_timeout(void **state)
{
	pid_t pid = program_start(timeout_program);
	struct cr_error err = { 0 };
	struct cr_rendezvous *r;

	wait_stage(1);
	r = request(pid);
	assert_int_equal(cr_rendezvous_wait(&r, 1, CR_RENDEZVOUS_PREPARED, 0.2,
					    NULL, NULL, &err),
			 -ETIMEDOUT);
	assert_non_null(strstr(err.text, "is not ready after 0.2 s"));
	/* timing out does not end it: the same request may go on */
	atomic_store(&shared->go, 1);
	expect(r, CR_RENDEZVOUS_PREPARED);
	cr_rendezvous_abort(r);
	cr_rendezvous_destroy(r);
	wait_log("ca");
	atomic_store(&shared->go, 2);
	program_end(pid);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, program_setup, program_teardown)
	const struct CMUnitTest tests[] = {
		T(test_nested),	   T(test_waiting_inside), T(test_busy),
		T(test_cancelled), T(test_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
