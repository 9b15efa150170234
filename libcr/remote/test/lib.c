/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib.c - child processes under test, and calls in them that must succeed */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/procfs.h"
#include "lib.h"

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

struct shared *sh;

int setup(void **state)
{
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return sh == MAP_FAILED ? -1 : 0;
}

pid_t spawn(void (*f)(void))
{
	pid_t pid;

	memset(sh, 0, sizeof(*sh));
	pid = fork();
	if (pid == 0) {
		f();
		_exit(0);
	}
	assert_true(pid > 0);
	while (!sh->ready)
		sched_yield();
	return pid;
}

void wait_asleep(pid_t pid)
{
	struct cr_procfs_stat st = { 0 };
	double end = now() + 10;

	while (st.state != 'S' && now() < end) {
		assert_int_equal(cr_procfs_stat(pid, &st), 0);
		sched_yield();
	}
	assert_int_equal(st.state, 'S');
}

void hold(struct cr_task *t, pid_t pid)
{
	struct cr_error err = { 0 };

	if (cr_remote_seize(t, pid, false, &err) || cr_remote_stop(t, &err) ||
	    cr_remote_find_gadget(t, &err))
		fail_msg("%s", err.text);
}

int64_t call(struct cr_task *t, long nr, uint64_t a, uint64_t b,
		    uint64_t c)
{
	struct cr_error err = { 0 };
	int64_t ret;

	if (cr_remote_syscall(t, &ret, nr, a, b, c, 0, 0, 0, &err))
		fail_msg("%s", err.text);
	return ret;
}

void release(struct cr_task *t)
{
	struct cr_error err = { 0 };

	if (cr_remote_release(t, &err))
		fail_msg("%s", err.text);
}

void kill_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void spin(void)
{
	register uint64_t check asm("r12") = 0x1234;

	sh->ready = 1;
	while (!sh->value)
		asm volatile("" : "+r"(check));
	sh->result = check == 0x1234;
}
