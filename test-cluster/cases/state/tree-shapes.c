/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree-shapes.c - zombies, orphans, sessions, groups, what clone(2) shares */
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "state.h"

/* Waits until pid has ended, and leaves it a zombie. */
static void until_zombie(pid_t pid)
{
	siginfo_t info;

	CHECK(!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
}

static void nothing(void)
{
}

STATE(zombies)
{
	pid_t pid[4];
	int i, status;

	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			if (i == 3)
				kill(getpid(), SIGKILL);
			_exit(i * 50);
		}
		until_zombie(pid[i]);
	}
	checkpoint();
	for (i = 3; i >= 0; i--) {
		CHECK(waitpid(pid[i], &status, 0) == pid[i]);
		if (i == 3)
			CHECK(WIFSIGNALED(status) &&
			      WTERMSIG(status) == SIGKILL);
		else
			CHECK(WIFEXITED(status) &&
			      WEXITSTATUS(status) == i * 50);
	}
	CHECK(wait(NULL) == -1 && errno == ECHILD);
}

/* A zombie that leads a group with others in it, and a session. */
static pid_t leader_group;

static void leads(void)
{
	pid_t pid;

	setsid();
	pid = fork();
	if (!pid) {
		await_checkpoint();
		CHECK(getpgrp() == leader_group || !leader_group);
		_exit(0);
	}
	_exit(0);
}

STATE(dead_leaders)
{
	pid_t pid, orphan;
	int status;

	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid = child(leads);
	until_zombie(pid);
	checkpoint();
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	orphan = wait(&status);
	CHECK(orphan > 0 && status == 0);
}

/* The orphan of a child belongs to a subreaper. */
static int to_parent[2];

static void grandchild(void)
{
	pid_t me = getpid();

	await_checkpoint();
	CHECK(write(to_parent[1], &me, sizeof(me)) == sizeof(me));
}

static void middle(void)
{
	child(grandchild);
}

STATE(orphan)
{
	int is = 0, status;
	pid_t pid, its;

	CHECK(!pipe(to_parent));
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid = child(middle);
	join(pid);
	checkpoint();
	CHECK(!prctl(PR_GET_CHILD_SUBREAPER, &is) && is == 1);
	CHECK(read(to_parent[0], &its, sizeof(its)) == sizeof(its));
	CHECK(wait(&status) == its && status == 0);
}

static pid_t group_of_first;

static void in_group(void)
{
	await_checkpoint();
	CHECK(getpgrp() == group_of_first);
}

/* A group other than the session, with several members. */
STATE(groups)
{
	pid_t a, b;

	a = fork();
	if (!a) {
		setpgid(0, 0);
		group_of_first = getpgrp();
		in_group();
		_exit(0);
	}
	setpgid(a, a);
	b = fork();
	if (!b) {
		setpgid(0, a);
		group_of_first = a;
		in_group();
		_exit(0);
	}
	setpgid(b, a);
	checkpoint();
	CHECK(getpgid(a) == a && getpgid(b) == a && getpgrp() != a);
	join(a);
	join(b);
}

static void own_session(void)
{
	pid_t sid = setsid();

	await_checkpoint();
	CHECK(getsid(0) == sid && getpgrp() == sid && sid == getpid());
}

STATE(sessions)
{
	pid_t a = child(own_session), b = child(own_session);

	while (getsid(a) != a || getsid(b) != b)
		usleep(1000);
	checkpoint();
	CHECK(getsid(a) == a && getsid(b) == b && getsid(0) != a);
	join(a);
	join(b);
}

/* A stopped child, of whose stop its parent knows or does not know yet. */
static void stop_me(void)
{
	raise(SIGSTOP);
}

STATE(stopped_known)
{
	pid_t pid = child(stop_me);
	int status;

	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	checkpoint();
	CHECK(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
	CHECK(!kill(pid, SIGCONT));
	join(pid);
}

STATE(stopped_unknown)
{
	pid_t pid = child(stop_me);
	siginfo_t info;
	int status;

	CHECK(!waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
	checkpoint();
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	CHECK(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
	CHECK(!kill(pid, SIGCONT));
	join(pid);
}

/* clone(2) in its shapes: fn runs in a child with these flags. */
static char child_stack[8][65536];

static int run_shared(void *arg)
{
	void (*fn)(void) = arg;

	fn();
	return 0;
}

static pid_t with_flags(int i, int flags, void (*fn)(void))
{
	pid_t pid = clone(run_shared, child_stack[i] + 65536, flags, fn);

	CHECK(pid > 0);
	return pid;
}

static volatile int shared_value;

static void changes_memory(void)
{
	await_checkpoint();
	shared_value = 42;
}

STATE(clone_vm)
{
	pid_t pid = with_flags(0, CLONE_VM | SIGCHLD, changes_memory);

	checkpoint();
	join(pid);
	CHECK(shared_value == 42);
}

static int shared_fd;

static void closes(void)
{
	await_checkpoint();
	close(shared_fd);
}

STATE(clone_files)
{
	pid_t pid;

	shared_fd = open("/dev/null", O_RDONLY);
	pid = with_flags(1, CLONE_FILES | SIGCHLD, closes);
	checkpoint();
	join(pid);
	CHECK(fcntl(shared_fd, F_GETFD) == -1 && errno == EBADF);
}

static int parent_is_through[2];

static void moves(void)
{
	char c;

	/* the files that say so are found by relative paths */
	CHECK(read(parent_is_through[0], &c, 1) == 1);
	CHECK(!chdir("/") && umask(0123) == 027);
}

STATE(clone_fs)
{
	char dir[600];
	pid_t pid;

	umask(027);
	CHECK(!pipe(parent_is_through));
	pid = with_flags(2, CLONE_FS | SIGCHLD, moves);
	checkpoint();
	CHECK(write(parent_is_through[1], "x", 1) == 1);
	join(pid);
	CHECK(getcwd(dir, sizeof(dir)) && !strcmp(dir, "/"));
	CHECK(umask(0) == 0123);
}

static void on_usr1(int sig)
{
}

static void acts(void)
{
	await_checkpoint();
	CHECK(signal(SIGUSR1, on_usr1) == SIG_IGN);
}

STATE(clone_sighand)
{
	pid_t pid;

	signal(SIGUSR1, SIG_IGN);
	pid = with_flags(3, CLONE_VM | CLONE_SIGHAND | SIGCHLD, acts);
	checkpoint();
	join(pid);
	CHECK(signal(SIGUSR1, SIG_DFL) == on_usr1);
}

/* As LinuxThreads had it: all shared, but processes, with a signal of ours */
STATE(clone_exit_signal)
{
	pid_t pid;
	int status;
	sigset_t set;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = with_flags(4,
			 CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
				 SIGUSR2,
			 changes_memory);
	checkpoint();
	CHECK(sigwaitinfo(&set, &info) == SIGUSR2);
	CHECK(waitpid(pid, &status, 0) == -1 && errno == ECHILD);
	CHECK(waitpid(pid, &status, __WCLONE) == pid && status == 0);
	CHECK(shared_value == 42);
}

STATE(many_children)
{
	pid_t pid[40];
	int i;

	for (i = 0; i < 40; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			await_checkpoint();
			_exit(0);
		}
	}
	checkpoint();
	for (i = 39; i >= 0; i--)
		join(pid[i]);
}

/* A chain of generations. */
static int depth;

static void deeper(void)
{
	if (depth++ < 12)
		join(child(deeper));
	else
		await_checkpoint();
}

STATE(deep_tree)
{
	pid_t pid = child(deeper);

	checkpoint();
	join(pid);
}

/* Children that nobody has to wait for. */
STATE(no_child_wait)
{
	signal(SIGCHLD, SIG_IGN);
	child(nothing);
	checkpoint();
	child(nothing);
	CHECK(wait(NULL) == -1 && errno == ECHILD);
}
