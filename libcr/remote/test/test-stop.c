/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-stop.c - a program does not notice that it was stopped */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"

/* System calls that must come back as if nobody had been there. */
#define NAP_S 0.5

static void call_nanosleep(void)
{
	struct timespec t = { 0, NAP_S * 1e9 };

	sh->result = nanosleep(&t, NULL);
}

static void call_poll(void)
{
	sh->result = poll(NULL, 0, NAP_S * 1000);
}

static void call_futex(void)
{
	struct timespec t = { 0, NAP_S * 1e9 };

	sh->result = syscall(SYS_futex, &sh->futex, FUTEX_WAIT, 0, &t, 0, 0);
	sh->result = sh->result == -1 && errno == ETIMEDOUT ? 0 : -1;
}

static void call_select(void)
{
	struct timeval t = { 0, NAP_S * 1e6 };

	sh->result = select(0, NULL, NULL, NULL, &t);
}

static void call_epoll(void)
{
	struct epoll_event e;

	sh->result = epoll_wait(epoll_create1(0), &e, 1, NAP_S * 1000);
}

static void call_sigtimedwait(void)
{
	struct timespec t = { 0, NAP_S * 1e9 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sh->result = sigtimedwait(&set, NULL, &t);
	sh->result = sh->result == -1 && errno == EAGAIN ? 0 : -1;
}

static void (*const sleepers[])(void) = { call_nanosleep, call_poll,
					  call_futex,	  call_select,
					  call_epoll,	  call_sigtimedwait };
static const char *const sleeper_names[] = { "nanosleep",  "poll",
					     "futex",	   "select",
					     "epoll_wait", "sigtimedwait" };
/* those whose time-out starts again when they are interrupted */
#define FIRST_RELATIVE 4

static size_t sleeper;

static void run_sleeper(void)
{
	double t0 = now();

	sh->ready = 1;
	errno = 0;
	sleepers[sleeper]();
	sh->error = errno;
	sh->took = now() - t0;
}

/* Stopped over and over again while it sleeps; false: it slept too long. */
static bool sleep_well(void)
{
	struct cr_task t;
	int status, i;
	pid_t pid = spawn(run_sleeper);

	for (i = 0; i < 5; i++) {
		wait_asleep(pid);
		hold(&t, pid);
		if (i % 2)
			call(&t, SYS_getpid, 0, 0, 0);
		release(&t);
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || sh->result)
		fail_msg("%s: result %d errno %d", sleeper_names[sleeper],
			 sh->result, sh->error);
	assert_true(sh->took >= NAP_S - 0.01);
	return sleeper >= FIRST_RELATIVE || sh->took < NAP_S + 0.4;
}

static void test_sleeps(void **state)
{
	int tries;

	/* on a busy machine anybody may sleep too long now and then */
	for (sleeper = 0; sleeper < sizeof(sleepers) / sizeof(sleepers[0]);
	     sleeper++) {
		for (tries = 0; !sleep_well(); tries++)
			assert_true(tries < 10);
	}
}

/*
 * Let go of a moment ago, and stopped again when the kernel has told it to go
 * on by restart_syscall(2), but before it did.
 */
static void test_stop_before_restart(void **state)
{
	struct user_regs_struct in_call, r;
	struct cr_task t;
	int status;
	pid_t pid;

	sleeper = 0;
	pid = spawn(run_sleeper);
	wait_asleep(pid);
	hold(&t, pid);
	r = in_call = t.regs;
	r.rax = SYS_restart_syscall;
	r.rip -= 2;
	r.orig_rax = -1UL;
	assert_int_equal(ptrace(PTRACE_SETREGS, pid, 0, &r), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	assert_int_equal(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	assert_int_equal(cr_remote_wait_stop(&t, NULL), 0);
	assert_int_equal(t.regs.rip, in_call.rip);
	assert_int_equal(t.regs.rax, in_call.rax);
	/* another thread would make the call itself */
	r = t.regs;
	assert_int_equal(cr_remote_resolve_restart(pid, &r, NULL), 0);
	assert_int_equal(r.orig_rax, in_call.orig_rax);
	release(&t);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(sh->result, 0);
}

static int fds[2];

static void read_pipe(void)
{
	char c = 0;

	sh->ready = 1;
	sh->result = (int)read(fds[0], &c, 1);
	sh->error = errno;
	sh->value = c;
}

static void test_blocked_read(void **state)
{
	struct cr_task t;
	pid_t pid;
	int i;

	assert_int_equal(pipe(fds), 0);
	pid = spawn(read_pipe);
	for (i = 0; i < 10; i++) {
		wait_asleep(pid);
		hold(&t, pid);
		assert_int_equal(call(&t, SYS_getppid, 0, 0, 0), getpid());
		release(&t);
	}
	assert_int_equal(write(fds[1], "x", 1), 1);
	waitpid(pid, NULL, 0);
	assert_int_equal(sh->result, 1);
	assert_int_equal(sh->value, 'x');
	close(fds[0]);
	close(fds[1]);
}

static void on_signal(int signo, siginfo_t *info, void *uc)
{
	sh->caught++;
	if (signo != SIGUSR1)
		sh->value = sh->value * 100 + info->si_value.sival_int;
}

static void pause_with_handler(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO };
	sigset_t none;

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGRTMIN, &sa, NULL);
	sigemptyset(&none);
	sh->ready = 1;
	while (sh->caught < 3)
		sh->result = sigsuspend(&none);
	sh->error = errno;
}

static void test_signals_while_held(void **state)
{
	union sigval v = { .sival_int = 41 };
	struct cr_error err = { 0 };
	struct cr_task t;
	void *infos;
	size_t n;
	int status;
	pid_t pid = spawn(pause_with_handler);

	wait_asleep(pid);
	hold(&t, pid);
	kill(pid, SIGUSR1);
	sigqueue(pid, SIGRTMIN, v);
	v.sival_int = 42;
	sigqueue(pid, SIGRTMIN, v);
	assert_int_equal(call(&t, SYS_getpid, 0, 0, 0), pid);
	assert_int_equal(cr_remote_get_pending(&t, true, &infos, &n, &err), 0);
	assert_int_equal(n, 3);
	free(infos);
	assert_int_equal(sh->caught, 0);
	release(&t);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(sh->caught, 3);
	assert_int_equal(sh->value, 4142);
	assert_int_equal(sh->error, EINTR);
}

/* Signals at any moment around stops: every one must be counted. */
static void count_signals(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO | SA_RESTART };

	sigaction(SIGRTMIN, &sa, NULL);
	sh->ready = 1;
	while (sh->caught < 200)
		sched_yield();
}

static void test_no_signal_lost(void **state)
{
	union sigval v = { 0 };
	struct cr_task t;
	int i, status;
	pid_t pid = spawn(count_signals);

	for (i = 0; i < 100; i++) {
		sigqueue(pid, SIGRTMIN, v);
		hold(&t, pid);
		if (i % 3 == 0)
			call(&t, SYS_getpid, 0, 0, 0);
		sigqueue(pid, SIGRTMIN, v);
		release(&t);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(sh->caught, 200);
}

static void test_group_stop_stays(void **state)
{
	struct cr_task t;
	int status;
	pid_t pid = spawn(spin);

	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	hold(&t, pid);
	assert_true(t.group_stop);
	assert_int_equal(call(&t, SYS_getpid, 0, 0, 0), pid);
	release(&t);
	/* still stopped, and its parent is not told twice */
	assert_int_equal(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	sh->value = 1;
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
}

static void test_stop_signal_while_held(void **state)
{
	struct cr_task t;
	int status;
	pid_t pid = spawn(spin);

	hold(&t, pid);
	kill(pid, SIGSTOP);
	assert_int_equal(call(&t, SYS_getpid, 0, 0, 0), pid);
	release(&t);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	sh->value = 1;
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
}

static void test_regs_for_restart(void **state)
{
	struct user_regs_struct r = { .rip = 0x1002,
				      .rax = -512UL,
				      .orig_rax = SYS_read };

	/* the kernel does the rest, and knows of pending signals */
	cr_remote_regs_for_restart(&r);
	assert_int_equal(r.rip, 0x1002);
	assert_int_equal(r.rax, -512);
	assert_int_equal(r.orig_rax, SYS_read);
	/* -ERESTART_RESTARTBLOCK: there is no block any more */
	r.rax = -516UL;
	r.orig_rax = SYS_nanosleep;
	cr_remote_regs_for_restart(&r);
	assert_int_equal(r.rax, -514);
	assert_int_equal(r.orig_rax, SYS_nanosleep);
	r = (struct user_regs_struct){ .rip = 0x1002,
				       .rax = 5,
				       .orig_rax = SYS_read };
	cr_remote_regs_for_restart(&r);
	assert_int_equal(r.rip, 0x1002);
	assert_int_equal(r.rax, 5);
	assert_true(r.orig_rax == -1ULL);
}

/* Interrupted twice in one sleep: the call is known all the same. */
static void test_resolve_restart(void **state)
{
	struct cr_error err = { 0 };
	struct cr_task t;
	int i, status;
	pid_t pid;

	for (sleeper = 0; sleeper < 3; sleeper++) {
		pid = spawn(run_sleeper);
		for (i = 0; i < 3; i++) {
			wait_asleep(pid);
			hold(&t, pid);
			if (i) {
				assert_int_equal(t.regs.orig_rax,
						 SYS_restart_syscall);
				if (cr_remote_resolve_restart(pid, &t.regs,
							      &err))
					fail_msg("%s", err.text);
				assert_int_not_equal(t.regs.orig_rax,
						     SYS_restart_syscall);
				t.regs.orig_rax = SYS_restart_syscall;
			}
			release(&t);
		}
		waitpid(pid, &status, 0);
		assert_int_equal(sh->result, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sleeps),
		cmocka_unit_test(test_stop_before_restart),
		cmocka_unit_test(test_blocked_read),
		cmocka_unit_test(test_signals_while_held),
		cmocka_unit_test(test_no_signal_lost),
		cmocka_unit_test(test_group_stop_stays),
		cmocka_unit_test(test_stop_signal_while_held),
		cmocka_unit_test(test_regs_for_restart),
		cmocka_unit_test(test_resolve_restart),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
