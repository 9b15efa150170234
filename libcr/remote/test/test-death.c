/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-death.c - the tracer dies in the middle of a call: the program goes on
 * where it was, with its registers and its signal mask
 */
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/procfs.h"
#include "lib.h"

static void must(int ret, const struct cr_error *err)
{
	if (ret) {
		fprintf(stderr, "tracer: %s\n", err->text);
		abort();
	}
}

/* A tracer that takes hold of pid, and how far it got. */
struct tracer {
	struct cr_task t;
	struct cr_guard g;
	struct cr_error err;
};

static void grip(struct tracer *k, pid_t pid)
{
	memset(k, 0, sizeof(*k));
	must(cr_remote_seize(&k->t, pid, false, &k->err), &k->err);
	must(cr_remote_stop(&k->t, &k->err), &k->err);
	must(cr_remote_find_gadget(&k->t, &k->err), &k->err);
	must(cr_remote_guard(&k->t, &k->g, &k->err), &k->err);
	must(cr_remote_map_scratch(&k->t, 8192, &k->err), &k->err);
	k->t.table = k->t.scratch + 4096;
	k->t.table_size = 4096;
}

static void remote(struct tracer *k, long nr, uint64_t timeout)
{
	int64_t ret;

	must(cr_remote_syscall(&k->t, &ret, nr, 0, 0, 0, 0, timeout, 0,
			       &k->err),
	     &k->err);
}

/* Where it is killed: it says so by sh->caught and waits for that. */
static void __attribute__((noreturn)) here(void)
{
	sh->caught = 1;
	for (;;)
		pause();
}

static void after_a_call(pid_t pid)
{
	struct tracer k;

	grip(&k, pid);
	remote(&k, SYS_getpid, 0);
	here();
}

/* no call with a restart block: the program's own is still needed */
static const struct timespec nap = { 0, 300000000 };

static void inside_a_call(pid_t pid)
{
	struct tracer k;

	grip(&k, pid);
	must(cr_remote_write(pid, k.t.scratch, &nap, sizeof(nap), &k.err),
	     &k.err);
	sh->caught = 1;
	remote(&k, SYS_pselect6, k.t.scratch);
	here();
}

static void inside_the_loop(pid_t pid)
{
	struct cr_remote_call c[3] = { { .nr = SYS_getpid },
				       { .nr = SYS_pselect6 },
				       { .nr = SYS_getpid } };
	struct tracer k;

	grip(&k, pid);
	must(cr_remote_write(pid, k.t.scratch, &nap, sizeof(nap), &k.err),
	     &k.err);
	c[1].arg[4] = k.t.scratch;
	sh->caught = 1;
	must(cr_remote_batch(&k.t, c, 3, &k.err), &k.err);
	here();
}

static void after_the_loop(pid_t pid)
{
	struct cr_remote_call c[2] = { { .nr = SYS_getpid },
				       { .nr = SYS_getpid } };
	struct tracer k;

	grip(&k, pid);
	must(cr_remote_batch(&k.t, c, 2, &k.err), &k.err);
	here();
}

static void with_a_helper(pid_t pid)
{
	struct clone_args args = { .flags = CLONE_VM | CLONE_FILES };
	struct cr_task child;
	struct tracer k;

	grip(&k, pid);
	k.t.child_exitkill = true;
	must(cr_remote_clone3(&k.t, &args, &child, &k.err), &k.err);
	here();
}

/* As if it died before it could say that the helper is to die with it. */
static void with_a_loose_helper(pid_t pid)
{
	struct clone_args args = { .flags = CLONE_VM | CLONE_FILES };
	struct cr_task child;
	struct tracer k;

	grip(&k, pid);
	must(cr_remote_clone3(&k.t, &args, &child, &k.err), &k.err);
	here();
}

static void settled(pid_t pid)
{
	struct tracer k;

	grip(&k, pid);
	remote(&k, SYS_getpid, 0);
	if (cr_remote_settle(&k.t))
		abort();
	here();
}

static void (*const moments[])(pid_t) = {
	after_a_call,  inside_a_call,	    inside_the_loop, after_the_loop,
	with_a_helper, with_a_loose_helper, settled,
};
#define N_MOMENTS (sizeof(moments) / sizeof(moments[0]))

/*
 * Every register and a part of the mask, over and over again.  The values
 * are made such that each is another one.
 */
static void watch_registers(void)
{
	sigset_t set, now_set;
	uint64_t bad = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sh->ready = 1;
	while (!sh->value && !bad) {
		__asm__ volatile(
			"mov %%rsp, %%r15\n"
			"push %%rbp\n"
			"mov $1, %%eax\n mov $2, %%ebx\n mov $3, %%ecx\n"
			"mov $4, %%edx\n mov $5, %%esi\n mov $6, %%edi\n"
			"mov $7, %%ebp\n mov $8, %%r8d\n mov $9, %%r9d\n"
			"mov $10, %%r10d\n mov $11, %%r11d\n"
			"mov $12, %%r12d\n mov $13, %%r13d\n"
			"movq %%r15, %%xmm3\n"
			"mov $200000, %%r14d\n"
			"std\n stc\n"
			"1: jnc 2f\n"
			"lea -1(%%r14), %%r14\n"
			"pushf\n"
			"cmp $1, %%rax\n jne 3f\n cmp $2, %%rbx\n jne 3f\n"
			"cmp $3, %%rcx\n jne 3f\n cmp $4, %%rdx\n jne 3f\n"
			"cmp $5, %%rsi\n jne 3f\n cmp $6, %%rdi\n jne 3f\n"
			"cmp $7, %%rbp\n jne 3f\n cmp $8, %%r8\n jne 3f\n"
			"cmp $9, %%r9\n jne 3f\n cmp $10, %%r10\n jne 3f\n"
			"cmp $11, %%r11\n jne 3f\n cmp $12, %%r12\n jne 3f\n"
			"cmp $13, %%r13\n jne 3f\n"
			"cmp $0, %%r14\n je 4f\n"
			"popf\n"
			"jmp 1b\n"
			"3: add $8, %%rsp\n"
			"2: mov $1, %%eax\n jmp 5f\n"
			"4: popf\n"
			"mov $0, %%eax\n"
			"5: cld\n"
			"pop %%rbp\n"
			"cmp %%rsp, %%r15\n je 6f\n mov $1, %%eax\n"
			"6: movq %%xmm3, %%rbx\n"
			"cmp %%rbx, %%r15\n je 7f\n mov $1, %%eax\n"
			"7:\n"
			: "=a"(bad)
			:
			: "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
			  "r11", "r12", "r13", "r14", "r15", "xmm3", "memory",
			  "cc");
		sigprocmask(SIG_SETMASK, NULL, &now_set);
		if (memcmp(&set, &now_set, 8))
			bad = 2;
	}
	sh->result = bad ? -(int)bad : 1;
}

/* An interrupted sleep ends when it would have ended. */
static void watch_sleep(void)
{
	double t0 = now();
	struct timespec t = { 1, 0 };

	sh->ready = 1;
	sh->error = nanosleep(&t, NULL);
	sh->took = now() - t0;
	while (!sh->value)
		sched_yield();
	sh->result = 1;
}

static void watch_poll(void)
{
	double t0 = now();

	sh->ready = 1;
	sh->error = poll(NULL, 0, 1000);
	sh->took = now() - t0;
	while (!sh->value)
		sched_yield();
	sh->result = 1;
}

/* A tracer in a process of its own is killed when it got to moment. */
static void kill_tracer(void (*moment)(pid_t), pid_t pid)
{
	struct cr_procfs_stat st = { 0 };
	pid_t tracer;
	double end;
	int status;

	sh->caught = 0;
	tracer = fork();
	if (tracer == 0) {
		prctl(PR_SET_DUMPABLE, 0);
		moment(pid);
		_exit(1);
	}
	while (!sh->caught)
		sched_yield();
	/* where its program sleeps for us, until it does */
	for (end = now() + 0.1;
	     (moment == inside_a_call || moment == inside_the_loop) &&
	     now() < end;)
		if (!cr_procfs_stat(pid, &st) && st.state == 'S')
			break;
	kill(tracer, SIGKILL);
	waitpid(tracer, &status, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static bool has_child(pid_t parent)
{
	struct cr_procfs_stat st;
	bool found = false;
	int32_t *pids;
	size_t n;

	assert_int_equal(cr_procfs_pids(&pids, &n), 0);
	while (n-- && !found)
		found = !cr_procfs_stat(pids[n], &st) && st.ppid == parent;
	free(pids);
	return found;
}

static void no_child_left(pid_t pid)
{
	double end = now() + 10;

	while (has_child(pid) && now() < end)
		sched_yield();
	assert_false(has_child(pid));
}

static void end_well(pid_t pid)
{
	int status;

	sh->value = 1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		fail_msg("died of signal %d", WTERMSIG(status));
	assert_int_equal(sh->result, 1);
}

static void test_registers(void **state)
{
	pid_t pid = spawn(watch_registers);
	size_t i, k;

	for (k = 0; k < 3; k++)
		for (i = 0; i < N_MOMENTS; i++) {
			kill_tracer(moments[i], pid);
			no_child_left(pid);
			assert_int_equal(kill(pid, 0), 0);
			assert_int_equal(sh->result, 0);
		}
	end_well(pid);
}

static void test_sleeps(void **state)
{
	void (*const sleepers[])(void) = { watch_sleep, watch_poll };
	size_t i, k;
	pid_t pid;

	for (k = 0; k < 2; k++)
		for (i = 0; i < N_MOMENTS; i++) {
			pid = spawn(sleepers[k]);
			wait_asleep(pid);
			kill_tracer(moments[i], pid);
			while (sh->took == 0 && !kill(pid, 0))
				sched_yield();
			assert_int_equal(sh->error, 0);
			assert_true(sh->took >= 1);
			end_well(pid);
		}
}

/* Nothing stays in the code that the guard lay in. */
static void test_unguard(void **state)
{
	struct cr_error err = { 0 };
	struct cr_guard g;
	struct cr_task t;
	pid_t pid = spawn(spin);
	char before[64], with[64], after[64];

	hold(&t, pid);
	assert_int_equal(cr_remote_guard(&t, &g, &err), 0);
	assert_true(g.at);
	cr_remote_read(pid, g.at, before, 64, NULL);
	assert_int_equal(call(&t, SYS_getpid, 0, 0, 0), pid);
	cr_remote_read(pid, g.at, with, 64, NULL);
	assert_memory_not_equal(before, with, 64);
	assert_int_equal(cr_remote_unguard(&t, &err), 0);
	cr_remote_read(pid, g.at, after, 64, NULL);
	assert_memory_equal(before, after, 64);
	assert_int_equal(call(&t, SYS_getpid, 0, 0, 0), pid);
	assert_int_equal(cr_remote_unguard(&t, &err), 0);
	release(&t);
	sh->value = 1;
	waitpid(pid, NULL, 0);
	assert_int_equal(sh->result, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_sleeps),
		cmocka_unit_test(test_unguard),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
