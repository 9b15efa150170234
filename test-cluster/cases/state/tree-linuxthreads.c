/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree-linuxthreads.c - threads as the C library made them until 2004
 *
 *	main -- manager -+- thread 3
 *	                 +- thread 4
 *
 * Every thread is a process that shares all it has with the others.  Main
 * asks the manager for threads by a pipe; the manager, whose end nobody is
 * told of by a signal, makes them with an exit signal of its own, collects
 * them, and tells main of it by another one.
 */
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

#include "state.h"

#define ALL (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND)
#define RESTART (SIGRTMIN + 0) /* to who waits */
#define CANCEL (SIGRTMIN + 1)  /* of a thread at its end, to the manager */
#define ROUNDS 10
#define MOST 4

static char manager_stack[65536], thread_stack[MOST][65536];
static int requests[2];
static volatile pid_t main_pid, manager_pid;
static volatile sig_atomic_t ended, restarted;

static struct thread {
	volatile pid_t pid, asked_by, sees_itself, sees_parent;
	volatile int rounds, go, joined;
} threads[MOST];

/* The C library's functions would share their data with the other threads. */
static void nap(long ns)
{
	struct timespec t = { 0, ns };

	syscall(SYS_nanosleep, &t, NULL);
}

static void on_cancel(int sig)
{
	ended = 1;
}

static void on_restart(int sig)
{
	restarted = 1;
}

static int thread_main(void *arg)
{
	struct thread *t = arg;

	while (!t->go)
		nap(1000000);
	for (; t->rounds < ROUNDS; t->rounds++) {
		t->sees_itself = (pid_t)syscall(SYS_getpid);
		t->sees_parent = (pid_t)syscall(SYS_getppid);
		nap(1000000);
	}
	return 7;
}

/* The threads that have ended; those who wait for them go on. */
static void reap(void)
{
	int i, status;
	pid_t pid;

	ended = 0;
	while ((pid = (pid_t)syscall(SYS_wait4, -1, &status,
				     WNOHANG | __WCLONE, NULL)) > 0)
		for (i = 0; i < MOST; i++)
			if (threads[i].pid == pid) {
				threads[i].joined = status == 7 << 8 ? 1 : -1;
				syscall(SYS_kill, threads[i].asked_by, RESTART);
			}
}

/* A request is the number of a thread to be made, or the end. */
static int manager_main(void *arg)
{
	struct timespec limit;
	struct pollfd p = { .fd = requests[0], .events = POLLIN };
	sigset_t set;
	long r;
	int i;

	/* the signal of the end of a thread is taken only in the wait */
	sigemptyset(&set);
	for (;;) {
		limit = (struct timespec){ 2, 0 };
		r = syscall(SYS_ppoll, &p, 1, &limit, &set, 8);
		if (syscall(SYS_getppid) != main_pid)
			syscall(SYS_exit, 99);
		if (ended)
			reap();
		if (r != 1)
			continue;
		if (syscall(SYS_read, requests[0], &i, sizeof(i)) !=
		    sizeof(i))
			syscall(SYS_exit, 98);
		if (i < 0)
			return 0;
		threads[i].pid =
			clone(thread_main,
			      thread_stack[i] + sizeof(thread_stack[i]),
			      ALL | CANCEL, &threads[i]);
	}
}

static void ask(int i)
{
	CHECK(write(requests[1], &i, sizeof(i)) == sizeof(i));
	if (i < 0)
		return;
	threads[i].asked_by = main_pid;
	while (!threads[i].pid)
		nap(1000000);
	CHECK(threads[i].pid > 0);
}

/* As pthread_join() did: suspended until the manager says that it is so. */
static void join_thread(int i)
{
	sigset_t set;

	sigprocmask(SIG_SETMASK, NULL, &set);
	sigdelset(&set, RESTART);
	while (!threads[i].joined)
		sigsuspend(&set);
	CHECK(threads[i].joined == 1 && threads[i].rounds == ROUNDS);
	CHECK(threads[i].sees_itself == threads[i].pid);
	CHECK(threads[i].sees_parent == manager_pid);
	CHECK(kill(threads[i].pid, 0) == -1 && errno == ESRCH);
}

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512], *p;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	CHECK(n > 0);
	text[n] = 0;
	p = strrchr(text, ')');
	CHECK(p);
	return atoi(p + 4);
}

static void start_manager(void)
{
	sigset_t set;

	main_pid = getpid();
	sigemptyset(&set);
	sigaddset(&set, RESTART);
	sigaddset(&set, CANCEL);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK(!pipe(requests));
	signal(RESTART, on_restart);
	signal(CANCEL, on_cancel);
	manager_pid = clone(manager_main,
			    manager_stack + sizeof(manager_stack), ALL, NULL);
	CHECK(manager_pid > 0);
}

STATE(linuxthreads)
{
	int status;

	start_manager();
	ask(0);
	ask(1);
	checkpoint();
	/* linkage */
	CHECK(parent_of(manager_pid) == main_pid);
	CHECK(parent_of(threads[0].pid) == manager_pid);
	CHECK(parent_of(threads[1].pid) == manager_pid);
	threads[0].go = threads[1].go = 1;
	join_thread(0);
	join_thread(1);
	/* the manager still works */
	ask(2);
	ask(3);
	CHECK(parent_of(threads[3].pid) == manager_pid);
	threads[2].go = threads[3].go = 1;
	join_thread(3);
	join_thread(2);
	CHECK(restarted);
	ask(-1);
	CHECK(waitpid(manager_pid, &status, 0) == -1 && errno == ECHILD);
	CHECK(waitpid(manager_pid, &status, __WCLONE) == manager_pid);
	CHECK(status == 0);
	CHECK(waitpid(-1, &status, __WALL) == -1 && errno == ECHILD);
}

/* Between the end of a thread and the look of the manager. */
STATE(linuxthreads_ended)
{
	int status;

	start_manager();
	ask(0);
	CHECK(!kill(manager_pid, SIGSTOP));
	CHECK(waitpid(manager_pid, &status, __WCLONE | WUNTRACED) ==
	      manager_pid);
	threads[0].go = 1;
	while (threads[0].rounds < ROUNDS)
		nap(1000000);
	checkpoint();
	CHECK(!kill(manager_pid, SIGCONT));
	join_thread(0);
	ask(1);
	threads[1].go = 1;
	join_thread(1);
	ask(-1);
	CHECK(waitpid(manager_pid, &status, __WCLONE) == manager_pid);
	CHECK(status == 0);
}
