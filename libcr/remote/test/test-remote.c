/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-remote.c - system calls, memory and state of a held task */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"

static void test_call_in_running(void **state)
{
	struct cr_task t;
	pid_t pid = spawn(spin);
	int i, status;

	for (i = 0; i < 20; i++) {
		hold(&t, pid);
		assert_int_equal(call(&t, SYS_getpid, 0, 0, 0), pid);
		assert_int_equal(call(&t, SYS_close, 9999, 0, 0), -EBADF);
		release(&t);
	}
	sh->value = 1;
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(sh->result, 1);
}

static void test_read_write(void **state)
{
	struct cr_error err = { 0 };
	struct cr_task t;
	pid_t pid = spawn(spin);
	char in[5000], out[5000];

	memset(in, 0x5a, sizeof(in));
	hold(&t, pid);
	assert_int_equal(cr_remote_map_scratch(&t, 8192, &err), 0);
	assert_int_equal(cr_remote_write(pid, t.scratch, in, sizeof(in), &err),
			 0);
	/* unreadable for the program, not for us */
	assert_int_equal(call(&t, SYS_mprotect, t.scratch, 8192, PROT_NONE), 0);
	assert_int_equal(cr_remote_read(pid, t.scratch, out, sizeof(out), &err),
			 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(cr_remote_unmap_scratch(&t, &err), 0);
	assert_int_not_equal(cr_remote_read(pid, 0, out, 8, &err), 0);
	release(&t);
	kill_child(pid);
}

/* Runs with nothing left of its address space. */
static void at_limit(void)
{
	struct rlimit l = { 4096, 4096 };

	setrlimit(RLIMIT_AS, &l);
	spin();
}

/* The same, and whoever likes may give it more. */
static void at_soft_limit(void)
{
	struct rlimit l = { 4096, RLIM_INFINITY };

	setrlimit(RLIMIT_AS, &l);
	spin();
}

/* And with all of its stack in use. */
static void at_limit_deep(void)
{
	char line[512];
	void *start = NULL;
	volatile char *p;
	FILE *f = fopen("/proc/self/maps", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[stack]"))
			sscanf(line, "%p-", &start);
	for (p = start; p && p < line; p += 4096)
		*p = 1;
	at_limit();
}

static void check_limit(pid_t pid, rlim_t max)
{
	struct rlimit l;

	assert_int_equal(prlimit(pid, RLIMIT_AS, NULL, &l), 0);
	assert_int_equal(l.rlim_cur, 4096);
	assert_int_equal(l.rlim_max, max);
}

/* What may be raised is raised for that moment, else the stack lends what is untouched. */
static void test_scratch_at_limit(void **state)
{
	struct cr_error err = { 0 };
	char buf[8192], zeros[8192] = { 0 };
	struct cr_task t;
	uint64_t at;
	pid_t pid;

	pid = spawn(at_soft_limit);
	hold(&t, pid);
	assert_int_equal(cr_remote_map_scratch(&t, 8192, &err), 0);
	assert_false(t.scratch_lent);
	check_limit(pid, RLIM_INFINITY);
	assert_int_equal(cr_remote_unmap_scratch(&t, &err), 0);
	release(&t);
	kill_child(pid);
	if (!geteuid()) { /* who may give any process more */
		assert_int_equal(setresuid(65534, 65534, 65534), 0);
		assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
	}
	pid = spawn(at_limit);
	hold(&t, pid);
	assert_int_equal(cr_remote_map_scratch(&t, 8192, &err), 0);
	assert_true(t.scratch_lent);
	check_limit(pid, 4096);
	at = t.scratch;
	assert_int_equal(cr_remote_read(pid, at, buf, 8192, &err), 0);
	assert_memory_equal(buf, zeros, 8192);
	memset(buf, 0x5a, 8192);
	assert_int_equal(cr_remote_write(pid, at, buf, 8192, &err), 0);
	assert_int_equal(cr_remote_unmap_scratch(&t, &err), 0);
	assert_int_equal(cr_remote_read(pid, at, buf, 8192, &err), 0);
	assert_memory_equal(buf, zeros, 8192);
	release(&t);
	kill_child(pid);

	pid = spawn(at_limit_deep);
	hold(&t, pid);
	assert_int_equal(cr_remote_map_scratch(&t, 8192, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "there is no room in it for 8192 "
					 "bytes"));
	check_limit(pid, 4096);
	release(&t);
	kill_child(pid);
}

static void test_clone3(void **state)
{
	struct cr_error err = { 0 };
	struct clone_args args = { .exit_signal = 0 };
	struct cr_task t, child;
	int64_t ret;
	int status;
	pid_t pid = spawn(spin);

	hold(&t, pid);
	assert_int_equal(cr_remote_map_scratch(&t, 4096, &err), 0);
	if (cr_remote_clone3(&t, &args, &child, &err))
		fail_msg("%s", err.text);
	assert_int_equal(call(&child, SYS_getpid, 0, 0, 0), child.tid);
	assert_int_equal(call(&child, SYS_getppid, 0, 0, 0), pid);
	assert_int_equal(call(&t, SYS_getpid, 0, 0, 0), pid);
	assert_int_equal(cr_remote_exit(&child, 5, &err), 0);
	assert_int_equal(cr_remote_syscall(&t, &ret, SYS_wait4,
					   (uint64_t)child.tid, t.scratch,
					   __WALL, 0, 0, 0, &err),
			 0);
	assert_int_equal(ret, child.tid);
	assert_int_equal(
		cr_remote_read(pid, t.scratch, &status, sizeof(status), &err),
		0);
	assert_int_equal(WEXITSTATUS(status), 5);
	assert_int_equal(cr_remote_unmap_scratch(&t, &err), 0);
	release(&t);
	sh->value = 1;
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(sh->result, 1);
}

static void batch(bool guard)
{
	struct cr_remote_call c[20] = { { 0 } };
	struct cr_error err = { 0 };
	struct cr_guard g;
	struct cr_task t;
	pid_t pid = spawn(spin);
	int i, k;

	hold(&t, pid);
	assert_int_equal(cr_remote_map_scratch(&t, 8192, &err), 0);
	t.table = t.scratch + 4096;
	t.table_size = 4096;
	if (guard && cr_remote_guard(&t, &g, &err))
		fail_msg("%s", err.text);
	for (k = 0; k < 3; k++) {
		for (i = 0; i < 20; i++)
			c[i] = (struct cr_remote_call){
				.nr = i % 2 ? SYS_dup2 : SYS_getpid,
				.arg = { 9999, 5 }
			};
		if (cr_remote_batch(&t, c, 20, &err))
			fail_msg("%s", err.text);
		for (i = 0; i < 20; i++)
			assert_int_equal(c[i].ret, i % 2 ? -EBADF : pid);
		assert_int_equal(call(&t, SYS_getppid, 0, 0, 0), getpid());
	}
	kill(pid, SIGSTOP);
	assert_int_equal(cr_remote_batch(&t, c, 20, &err), 0);
	assert_int_equal(cr_remote_unmap_scratch(&t, &err), 0);
	assert_int_equal(cr_remote_unguard(&t, &err), 0);
	release(&t);
	assert_int_equal(waitpid(pid, &i, WUNTRACED), pid);
	assert_true(WIFSTOPPED(i));
	sh->value = 1;
	kill(pid, SIGCONT);
	waitpid(pid, &i, 0);
	assert_true(WIFEXITED(i));
	assert_int_equal(sh->result, 1);
}

static void test_batch(void **state)
{
	batch(true);
	batch(false);
}

static void test_state(void **state)
{
	struct cr_error err = { 0 };
	struct cr_task t;
	void *x1, *x2;
	size_t n1, n2;
	uint64_t mask = 0;
	pid_t pid = spawn(spin);

	hold(&t, pid);
	assert_int_equal(cr_remote_get_xstate(&t, &x1, &n1, &err), 0);
	assert_true(n1 >= 576);
	assert_int_equal(cr_remote_set_xstate(&t, x1, n1, &err), 0);
	assert_int_equal(cr_remote_get_xstate(&t, &x2, &n2, &err), 0);
	assert_int_equal(n1, n2);
	assert_memory_equal(x1, x2, n1);
	assert_int_equal(cr_remote_set_sigmask(&t, 0x200, &err), 0);
	call(&t, SYS_getpid, 0, 0, 0);
	assert_int_equal(cr_remote_get_sigmask(&t, &mask, &err), 0);
	assert_int_equal(mask, 0x200);
	free(x1);
	free(x2);
	release(&t);
	kill_child(pid);
}

static void test_gone(void **state)
{
	struct cr_error err = { 0 };
	struct cr_task t;
	pid_t pid = spawn(spin);

	assert_int_equal(cr_remote_seize(&t, pid, false, &err), 0);
	kill(pid, SIGKILL);
	assert_int_equal(cr_remote_stop(&t, &err), -ESRCH);
	assert_int_equal(cr_remote_release(&t, &err), 0);
	assert_int_equal(cr_remote_seize(&t, 0x3fffffff, false, &err), -ESRCH);
	assert_int_equal(err.code, 0);
	waitpid(pid, NULL, 0);
}

static pid_t traced;

static void idle(void)
{
	sh->ready = 1;
	for (;;)
		pause();
}

/* Lets go when the one who asks (sh->value) sleeps; 0: never. */
static void trace(void)
{
	struct cr_task t;

	hold(&t, traced);
	sh->ready = 1;
	while (!sh->value)
		usleep(1000);
	if (sh->value < 0)
		pause();
	wait_asleep(sh->value);
	release(&t);
	pause();
}

/* Who is about to let go is waited for, who is not is named. */
static void test_other_tracer(void **state)
{
	struct cr_error err = { 0 };
	char text[64];
	struct cr_task t;
	pid_t tracer;

	traced = spawn(idle);
	tracer = spawn(trace);
	sh->value = getpid();
	hold(&t, traced);
	release(&t);
	kill_child(tracer);

	tracer = spawn(trace);
	sh->value = -1;
	assert_int_equal(cr_remote_seize(&t, traced, false, &err), -EPERM);
	snprintf(text, sizeof(text), "process %d traces it already", tracer);
	assert_non_null(strstr(err.text, text));
	kill_child(tracer);
	kill_child(traced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call_in_running),
		cmocka_unit_test(test_read_write),
		cmocka_unit_test(test_clone3),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_other_tracer),
		/* the last: it gives up root */
		cmocka_unit_test(test_scratch_at_limit),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
