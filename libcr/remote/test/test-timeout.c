/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-timeout.c - a stopped thread goes on with what is left of its wait */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"
#include "remote/timed.h"

#define NS 1000000000LL
#define HOUR 3600

static void test_formats(void **state)
{
	uint64_t out[2];
	int64_t left;

	assert_int_equal(cr_timed_from_ms(0), 0);
	assert_int_equal(cr_timed_from_ms(1500), 1500 * 1000000LL);
	assert_int_equal(cr_timed_from_ms((uint32_t)-1), -1);
	/* an int: what else is in the register does not count */
	assert_int_equal(cr_timed_from_ms(0xffffffff00000001ULL), 1000000);
	/* never less */
	assert_int_equal(cr_timed_to_ms(0), 0);
	assert_int_equal(cr_timed_to_ms(1), 1);
	assert_int_equal(cr_timed_to_ms(1000000), 1);
	assert_int_equal(cr_timed_to_ms(1000001), 2);
	assert_int_equal(cr_timed_to_ms(INT64_MAX / 2), INT_MAX);
	assert_int_equal(cr_timed_pack(CR_TIME_TIMESPEC, 5 * NS + 7, out), 16);
	assert_int_equal(out[0], 5);
	assert_int_equal(out[1], 7);
	assert_int_equal(cr_timed_pack(CR_TIME_TIMEVAL, 5 * NS - 1, out), 16);
	assert_int_equal(out[0], 5);
	assert_int_equal(out[1], 0);
	for (left = 0; left < 3 * NS; left += 123456789) {
		cr_timed_pack(CR_TIME_TIMEVAL, left, out);
		assert_in_range(
			cr_timed_read(getpid(), CR_TIME_TIMEVAL, (uint64_t)out),
			left, left + 999);
		cr_timed_pack(CR_TIME_TIMESPEC, left, out);
		assert_int_equal(cr_timed_read(getpid(), CR_TIME_TIMESPEC,
					       (uint64_t)out),
				 left);
	}
}

static int64_t read_spec(int64_t s, int64_t ns)
{
	int64_t t[2] = { s, ns };

	return cr_timed_read(getpid(), CR_TIME_TIMESPEC, (uint64_t)t);
}

static void test_no_time(void **state)
{
	assert_int_equal(cr_timed_read(getpid(), CR_TIME_TIMESPEC, 0), -1);
	assert_int_equal(cr_timed_read(getpid(), CR_TIME_TIMESPEC, 8), -1);
	assert_int_equal(read_spec(0, 0), 0);
	assert_int_equal(read_spec(-1, 0), -1);
	assert_int_equal(read_spec(0, -1), -1);
	assert_int_equal(read_spec(0, NS), -1);
	/* for ever */
	assert_int_equal(read_spec(INT64_MAX, 0), -1);
	assert_int_equal(read_spec(INT64_MAX / NS, 0), -1);
}

static void test_which(void **state)
{
	struct user_regs_struct r = { .rsi = FUTEX_WAIT_PRIVATE };

	assert_non_null(cr_timed_find(SYS_futex, &r));
	r.rsi = FUTEX_WAIT | FUTEX_CLOCK_REALTIME;
	assert_non_null(cr_timed_find(SYS_futex, &r));
	r.rsi = FUTEX_WAIT_BITSET;
	assert_null(cr_timed_find(SYS_futex, &r));
	r.rsi = FUTEX_LOCK_PI;
	assert_null(cr_timed_find(SYS_futex, &r));
	r.rsi = 0;
	r.rdi = CLOCK_MONOTONIC;
	assert_non_null(cr_timed_find(SYS_clock_nanosleep, &r));
	r.rsi = TIMER_ABSTIME;
	assert_null(cr_timed_find(SYS_clock_nanosleep, &r));
	r.rsi = 0;
	r.rdi = CLOCK_PROCESS_CPUTIME_ID;
	assert_null(cr_timed_find(SYS_clock_nanosleep, &r));
	assert_null(cr_timed_find(SYS_getpid, &r));
	assert_null(cr_timed_find(-1, &r));
}

static void test_sched_file(void **state)
{
	struct cr_sleep s;

	assert_true(cr_sleep_parse(
		"cat (15785, #threads: 1)\n-----\n"
		"se.exec_start            :      36490921.060264\n"
		"se.vruntime              :           778.482602\n"
		"nr_switches              :                    9\n"
		"nr_voluntary_switches    :                    7\n",
		&s));
	assert_int_equal(s.since, 36490921060264LL);
	assert_int_equal(s.switches, 9); /* whatever for */
	/* moved to another processor since */
	assert_false(cr_sleep_parse("x (1, #threads: 1)\n"
				    "se.exec_start : 0.000000\n"
				    "nr_switches : 7\n",
				    &s));
	assert_false(cr_sleep_parse("x (1, #threads: 1)\n"
				    "nr_switches : 7\n",
				    &s));
	assert_false(cr_sleep_parse("\nse.exec_start  (1, #threads: 1)\n"
				    "nr_switches : 7\n",
				    &s));
	assert_false(cr_sleep_parse("", &s));
}

/* The calls: each has an hour, and gives 0 when it is over. */

static const struct timespec hour = { HOUR, 0 };

static int failed_with(long r, int error)
{
	return r == -1 && errno == error ? 0 : errno == EINTR ? 4 : 1;
}

static int in_poll(void)
{
	return poll(NULL, 0, HOUR * 1000) ? failed_with(-1, 0) : 0;
}

static int in_ppoll(void)
{
	return syscall(SYS_ppoll, NULL, 0, &hour, NULL, 8) ? failed_with(-1, 0)
							   : 0;
}

static int in_futex(void)
{
	return failed_with(syscall(SYS_futex, &sh->futex, FUTEX_WAIT, 0, &hour),
			   ETIMEDOUT);
}

static int in_nanosleep(void)
{
	return nanosleep(&hour, NULL) ? failed_with(-1, 0) : 0;
}

static int in_epoll(void)
{
	struct epoll_event e;

	return epoll_wait(epoll_create1(0), &e, 1, HOUR * 1000)
		       ? failed_with(-1, 0)
		       : 0;
}

static int in_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return failed_with(sigtimedwait(&set, NULL, &hour), EAGAIN);
}

static int in_semtimedop(void)
{
	struct sembuf op = { 0, -1, 0 };
	int id = semget(IPC_PRIVATE, 1, 0600), ret;

	ret = failed_with(semtimedop(id, &op, 1, &hour), EAGAIN);
	semctl(id, 0, IPC_RMID);
	return ret;
}

static int sockets[2];

static int in_recv(void)
{
	struct timeval t = { HOUR, 0 };
	char c[4] = "";
	ssize_t n;

	setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	n = recv(sockets[0], c, sizeof(c), 0);
	if (n == 3) /* of which the test tells */
		return memcmp(c, "abc", 3) ? 1 : 3;
	return failed_with(n, EAGAIN);
}

static int (*const waits[])(void) = { in_poll,	     in_ppoll, in_futex,
				      in_nanosleep,  in_epoll, in_sigtimedwait,
				      in_semtimedop, in_recv };
#define N_WAITS (sizeof(waits) / sizeof(waits[0]))
static size_t which;

static void on_usr1(int sig)
{
	sh->caught++;
}

static void run_wait(void)
{
	struct sigaction sa = { .sa_handler = on_usr1 };
	double t0 = now();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &sa, NULL);
	sh->ready = 1;
	sh->result = waits[which]();
	sh->took = now() - t0;
}

static struct cr_guard guard;
static struct cr_places places;

/* It sleeps, is stopped, and its time-out is about to be kept. */
static pid_t hold_waiting(struct cr_task *t)
{
	struct cr_sleep s;
	pid_t pid;
	int i;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		fail();
	pid = spawn(run_wait);
	wait_asleep(pid);
	for (i = 0; i < 1000 && !cr_sleep_read(pid, pid, &s); i++)
		usleep(1000);
	hold(t, pid);
	if (i == 1000) /* a kernel that does not tell of sleeps */
		skip();
	/* nothing known: all of it */
	assert_true(cr_remote_note_timeout(t, NULL));
	assert_true(cr_remote_time_left(t) > (HOUR - 60) * NS);
	assert_true(cr_remote_note_timeout(t, &s));
	assert_true(cr_remote_time_left(t) > (HOUR - 300) * NS);
	assert_true(cr_remote_time_left(t) <= HOUR * NS);
	/* it slept in the call before this one */
	s.since -= 2 * HOUR * NS;
	assert_true(cr_remote_note_timeout(t, &s));
	assert_true(cr_remote_time_left(t) > (HOUR - 60) * NS);
	return pid;
}

static void keep(struct cr_task *t)
{
	struct cr_error err = { 0 };

	if (cr_remote_guard(t, &guard, &err) ||
	    cr_remote_make_places(t, &places, 1, &err) ||
	    cr_remote_keep_timeout(t, &places, &err) ||
	    cr_remote_unguard(t, &err))
		fail_msg("%s", err.text);
	cr_remote_forget_places(&places);
}

static void ends(pid_t pid, int want)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (sh->result != want)
		fail_msg("wait %zu: %d, not %d", which, sh->result, want);
	close(sockets[0]);
	close(sockets[1]);
}

/* Nothing is left: the result is that of a time-out. */
static void test_over(void **state)
{
	struct cr_task t;
	pid_t pid;

	for (which = 0; which < N_WAITS; which++) {
		pid = hold_waiting(&t);
		t.deadline = 1;
		t.regs.rax = -514UL; /* as after a restart */
		keep(&t);
		release(&t);
		ends(pid, 0);
	}
}

/* The next stop knows, and so does the one after it. */
static void test_kept(void **state)
{
	struct cr_task t;
	int64_t deadline;
	pid_t pid;
	int i;

	for (which = 0; which < N_WAITS; which++) {
		pid = hold_waiting(&t);
		deadline = t.deadline;
		keep(&t);
		for (i = 0; i < 3; i++) {
			cr_remote_renew_timeout(&t);
			release(&t);
			wait_asleep(pid);
			hold(&t, pid);
			assert_false(cr_remote_note_timeout(&t, NULL));
			assert_int_equal(t.deadline, deadline);
		}
		t.deadline = 1;
		t.regs.rax = -514UL;
		cr_remote_renew_timeout(&t);
		release(&t);
		ends(pid, 0);
	}
}

/* A handler ends the wait, as ever. */
static void test_handler(void **state)
{
	struct cr_task t;
	pid_t pid;

	for (which = 0; which < N_WAITS; which++) {
		pid = hold_waiting(&t);
		keep(&t);
		release(&t);
		wait_asleep(pid);
		kill(pid, SIGUSR1);
		ends(pid, 4);
		assert_int_equal(sh->caught, 1);
	}
}

/* A receive has its result, not that of the poll in its place. */
static void test_receive(void **state)
{
	struct cr_task t;
	pid_t pid;

	which = N_WAITS - 1;
	pid = hold_waiting(&t);
	keep(&t);
	release(&t);
	wait_asleep(pid);
	assert_int_equal(write(sockets[1], "abc", 3), 3);
	ends(pid, 3);
}

/*
 * How long it has slept is never too much, and as a rule is known well: if it
 * did not wake up in between, and nobody took the processor's time.
 */
static void test_sleep(void **state)
{
	double began, asleep, before;
	int64_t lasted;
	struct cr_sleep s;
	struct cr_task t;
	int i, well = 0;
	pid_t pid;

	which = 0;
	for (i = 0; i < 20; i++) {
		began = now();
		pid = spawn(run_wait);
		wait_asleep(pid);
		asleep = now();
		usleep(50000);
		if (!cr_sleep_read(pid, pid, &s)) {
			kill_child(pid);
			skip();
		}
		before = now();
		hold(&t, pid);
		lasted = cr_sleep_lasted(pid, &s);
		assert_true(lasted <= (now() - began) * NS);
		well += lasted > (before - asleep) * 0.9 * NS;
		release(&t);
		/* it has slept again since */
		wait_asleep(pid);
		hold(&t, pid);
		assert_int_equal(cr_sleep_lasted(pid, &s), -1);
		release(&t);
		kill_child(pid);
	}
	assert_true(well > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_no_time),
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_sched_file),
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_handler),
		cmocka_unit_test(test_receive),
		cmocka_unit_test(test_sleep),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
