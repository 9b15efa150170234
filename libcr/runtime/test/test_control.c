/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_control.c - what the outside is told, and the program's own signals */
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

#define PAGE(n) ((void *)(uintptr_t)(0x100000000 + (n)*4096))

static void go(int n)
{
	atomic_store(&shared->go, n);
}

static struct cr_control *control_of(pid_t pid)
{
	struct cr_control *c = malloc(sizeof(*c));

	assert_int_equal(cr_control_read(pid, NULL, c, NULL), 0);
	return c;
}

static void unused_program(void)
{
	struct cr_control *c = malloc(sizeof(*c));

	CHECK(cr_control_read(getpid(), NULL, c, NULL) == -ENOENT);
	CHECK(cr_status() == CR_STATE_IDLE && cr_restarts() == 0);
	CHECK(!cr_helper_tid() && !cr_restart_environment());
	CHECK(cr_keep_fd(7) == 0);
	CHECK(cr_control_read(getpid(), NULL, c, NULL) == -ENOENT);
}

/* There is nothing before the first use. */
static void test_unused(void **state)
{
	program_end(program_start(unused_program));
}

static void lists_program(void)
{
	int i;

	for (i = 0; i < CR_CONTROL_OMIT_RANGES; i++)
		CHECK(cr_omit_memory(PAGE(i), 4096) == 0);
	CHECK(cr_omit_memory(PAGE(i), 4096) == -ENOSPC);
	CHECK(cr_omit_memory((char *)PAGE(0) + 1, 4096) == -EINVAL);
	CHECK(cr_omit_memory(PAGE(0), 0) == -EINVAL);
	CHECK(cr_keep_memory(PAGE(3), 8192) == -ENOENT);
	for (i = 0; i < CR_CONTROL_OMIT_RANGES; i++)
		CHECK(i == 3 || cr_keep_memory(PAGE(i), 4096) == 0);
	for (i = 1; i <= CR_CONTROL_OMIT_THREADS; i++)
		CHECK(cr_omit_thread(i) == 0);
	CHECK(cr_omit_thread(i) == -ENOSPC);
	CHECK(cr_omit_thread(0) == -EINVAL);
	for (i = 2; i <= CR_CONTROL_OMIT_THREADS; i++)
		CHECK(cr_keep_thread(i) == 0);
	CHECK(cr_keep_thread(2) == -ENOENT);
	CHECK(cr_omit_fd(-1) == -EBADF);
	CHECK(cr_omit_fd(CR_CONTROL_OMIT_FDS) == -EBADF);
	CHECK(!cr_omit_fd(63) && !cr_omit_fd(64) && !cr_omit_fd(8191));
	CHECK(!cr_keep_fd(64));
	CHECK(!cr_omit_threads_by_fs(PAGE(9), 4096));
	CHECK(!cr_not_checkpointable("a") && !cr_not_checkpointable("b"));
	CHECK(!cr_not_checkpointable("b") && !cr_checkpointable("a"));
	CHECK(cr_checkpointable("c") == -ENOENT);
	CHECK(!cr_helper_tid()); /* no thread for this */
	stage(1);
	wait_go(1);
	CHECK(!cr_checkpointable("b") && !cr_checkpointable("b"));
	stage(2);
	wait_go(2);
}

static void test_lists(void **state)
{
	pid_t pid = program_start(lists_program);
	struct cr_control *c;

	wait_stage(1);
	c = control_of(pid);
	assert_int_equal(c->pid, pid);
	assert_int_equal(c->helper_tid, 0);
	assert_int_equal(c->n_omit_ranges, 1);
	assert_int_equal(c->omit_range[3].start, (uintptr_t)PAGE(3));
	assert_int_equal(c->n_omit_threads, 1);
	assert_int_equal(c->omit_thread[0], 1);
	assert_int_equal(c->omit_fd[0], 1ull << 63);
	assert_int_equal(c->omit_fd[1], 0);
	assert_int_equal(c->omit_fd[127], 1ull << 63);
	assert_int_equal(c->omit_thread_fs_start, (uintptr_t)PAGE(9));
	assert_int_equal(c->omit_thread_fs_len, 4096);
	assert_int_equal(c->not_checkpointable, 2);
	assert_string_equal(c->reason, "b");
	free(c);
	go(1);
	wait_stage(2);
	c = control_of(pid);
	assert_int_equal(c->not_checkpointable, 0);
	assert_string_equal(c->reason, "");
	free(c);
	go(2);
	program_end(pid);
}

static void *leaving_slot(void *arg)
{
	struct cr_rollback *slot = cr_rollback_slot();

	CHECK(slot && slot == cr_rollback_slot());
	CHECK(slot->tid == syscall(SYS_gettid));
	slot->active = 1;
	return slot;
}

static void slots_program(void)
{
	struct cr_rollback *mine = cr_rollback_slot(), *slot;
	pthread_t t;
	int i, status;
	pid_t pid;

	CHECK(mine && mine->tid == getpid());
	cr_rollback_put(mine);
	CHECK(mine->tid == 0);
	mine = cr_rollback_slot();
	/* threads that end without giving theirs back do not use them up */
	for (i = 0; i < 2 * CR_ROLLBACK_SLOTS; i++) {
		CHECK(!pthread_create(&t, NULL, leaving_slot, NULL));
		CHECK(!pthread_join(t, (void **)&slot) && slot != mine);
	}
	mine->active = 1;
	pid = fork();
	if (!pid) {
		CHECK(cr_rollback_slot() == mine && mine->tid == getpid());
		CHECK(!mine->active && !slot->tid);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	CHECK(mine->active && mine->tid == getpid());
}

static void test_slots(void **state)
{
	program_end(program_start(slots_program));
}

static int callback(void *arg)
{
	note('c');
	cr_checkpoint(CR_CHECKPOINT_READY);
	return 0;
}

static void own_handler(int signo, siginfo_t *info, void *context)
{
	note('0' + info->si_value.sival_int);
}

static void own_signals_program(void)
{
	struct sigaction sa = { .sa_sigaction = own_handler,
				.sa_flags = SA_SIGINFO };
	union sigval value = { .sival_int = 1 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMAX);
	CHECK(!sigaction(SIGRTMAX, &sa, NULL));
	CHECK(cr_init() >= 0);
	CHECK(cr_register_callback(callback, NULL, CR_SIGNAL_CONTEXT) >= 0);
	CHECK(!sigqueue(getpid(), SIGRTMAX, value));
	CHECK(shared->log[0] == '1'); /* at once: its handler still works */
	/* blocked everywhere: it stays pending, not even libcr takes it */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	value.sival_int = 2;
	CHECK(!sigqueue(getpid(), SIGRTMAX, value));
	sleep_ms(100);
	stage(1);
	wait_go(1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	CHECK(strchr(shared->log, '2'));
	stage(2);
	wait_go(2);
}

/* The program may use the same signal, and requests get through. */
static void test_own_signals(void **state)
{
	pid_t pid = program_start(own_signals_program);
	struct cr_rendezvous *r;

	wait_stage(1);
	assert_string_equal(shared->log, "1");
	/* the callback's thread blocks the signal: the request waits for it */
	r = request(pid);
	while (cr_rendezvous_step(r) == CR_RENDEZVOUS_CONNECTING)
		sleep_ms(1);
	sleep_ms(50);
	assert_int_equal(cr_rendezvous_step(r), CR_RENDEZVOUS_PREPARING);
	assert_string_equal(shared->log, "1");
	go(1);
	expect(r, CR_RENDEZVOUS_PREPARED);
	cr_rendezvous_destroy(r);
	wait_stage(2);
	assert_int_equal(strlen(shared->log), 3); /* each once */
	assert_non_null(strchr(shared->log, '2'));
	assert_non_null(strchr(shared->log, 'c'));
	go(2);
	program_end(pid);
}

static cr_spinlock_t lock = CR_SPINLOCK_INITIALIZER;
static int locked;

static void *locking(void *arg)
{
	int i;

	for (i = 0; i < 20000; i++) {
		cr_spinlock_lock(&lock);
		locked++;
		cr_spinlock_unlock(&lock);
	}
	return NULL;
}

static void test_spinlock(void **state)
{
	pthread_t t[3];
	int i;

	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, locking, NULL), 0);
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(locked, 60000);
	assert_true(cr_spinlock_trylock(&lock));
	assert_false(cr_spinlock_trylock(&lock));
	cr_spinlock_init(&lock);
	assert_true(cr_spinlock_trylock(&lock));
}

static void test_strerror(void **state)
{
	int e;

	assert_string_equal(cr_strerror(ENOENT), strerror(ENOENT));
	assert_int_equal(CR_ETEMPFAIL, 2354);
	assert_int_equal(CR_ENOINIT, 2365);
	for (e = CR_ETEMPFAIL; e <= CR_ENOINIT; e++)
		assert_null(strstr(cr_strerror(e), "nknown"));
	assert_non_null(strstr(cr_strerror(CR_ENOINIT + 1), "Unknown"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, program_setup, program_teardown)
	const struct CMUnitTest tests[] = {
		T(test_unused),	     T(test_lists),    T(test_slots),
		T(test_own_signals), T(test_spinlock), T(test_strerror),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
