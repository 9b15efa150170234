/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree-clone.c - what processes share, in every combination; vfork(2) */
#include <linux/kcmp.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "state.h"

extern char **environ;

#define MOST 16
#define OF_OURS (SIGRTMIN + 1) /* an exit signal */

static char stacks[MOST][65536];
static pid_t pids[MOST];
static int n_pids;

static const int types[] = { KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND };
#define N_TYPES (int)(sizeof(types) / sizeof(*types))

/* Which of pids share what, as the kernel says: one letter for each pair. */
struct matrix {
	bool same[N_TYPES][MOST][MOST];
};

static void look(struct matrix *m)
{
	int i, k, t;
	long r;

	memset(m, 0, sizeof(*m));
	for (t = 0; t < N_TYPES; t++)
		for (i = 0; i < n_pids; i++)
			for (k = 0; k < i; k++) {
				r = syscall(SYS_kcmp, pids[i], pids[k],
					    types[t], 0, 0);
				CHECK(r >= 0);
				m->same[t][i][k] = !r;
			}
}

/* Until it is told; without the C library's data, which may be shared. */
static int told[2];

static int waits(void *arg)
{
	char c;

	return syscall(SYS_read, told[0], &c, 1) != 1;
}

static void tell(int n)
{
	for (; n; n--)
		CHECK(write(told[1], "x", 1) == 1);
}

static pid_t clone_one(int flags)
{
	int i = n_pids++;

	CHECK(i < MOST);
	pids[i] = clone(waits, stacks[i] + sizeof(stacks[i]), flags, NULL);
	CHECK(pids[i] > 0);
	return pids[i];
}

static void block_ours(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, OF_OURS);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
}

/* Each is collected as the kind that it is, and has told of its end. */
static void collect(pid_t pid, int exit_signal)
{
	int status;

	CHECK(waitpid(pid, &status, exit_signal == SIGCHLD ? 0 : __WCLONE) ==
	      pid);
	CHECK(status == 0);
}

static void check_signals(int wanted)
{
	struct timespec none = { 0, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, OF_OURS);
	for (; wanted; wanted--)
		CHECK(sigwaitinfo(&set, NULL) == OF_OURS);
	CHECK(sigtimedwait(&set, NULL, &none) == -1 && errno == EAGAIN);
}

/* All that clone(2) allows, at once, with exit signals of three kinds. */
STATE(clone_combinations)
{
	const int bits[] = { CLONE_VM, CLONE_FILES, CLONE_FS, CLONE_SIGHAND };
	const int signals[] = { SIGCHLD, 0, OF_OURS };
	int i, k, flags, kind[MOST], wanted = 0;
	struct matrix before, after;

	block_ours();
	CHECK(!pipe(told));
	pids[n_pids++] = getpid();
	for (i = 0; i < 16; i++) {
		flags = 0;
		for (k = 0; k < 4; k++)
			flags |= i >> k & 1 ? bits[k] : 0;
		if (flags & CLONE_SIGHAND && !(flags & CLONE_VM))
			continue; /* EINVAL */
		kind[n_pids] = signals[n_pids % 3];
		wanted += kind[n_pids] == OF_OURS;
		clone_one(flags | kind[n_pids]);
	}
	CHECK(n_pids == 13);
	look(&before);
	checkpoint();
	look(&after);
	CHECK(!memcmp(&before, &after, sizeof(before)));
	tell(n_pids - 1);
	for (i = 1; i < n_pids; i++)
		collect(pids[i], kind[i]);
	check_signals(wanted);
	CHECK(wait(NULL) == -1 && errno == ECHILD);
}

/* Siblings that share among themselves and not with their parent. */
static int to_parent[2];

static void makes_siblings(void)
{
	pid_t pid[3];
	int i;

	n_pids = 0;
	pid[0] = clone_one(CLONE_PARENT | CLONE_VM | CLONE_FILES | CLONE_FS |
				   CLONE_SIGHAND);
	pid[1] = clone_one(CLONE_PARENT | CLONE_FILES);
	pid[2] = clone_one(CLONE_PARENT | CLONE_VM);
	for (i = 0; i < 3; i++)
		CHECK(write(to_parent[1], &pid[i], sizeof(pid[i])) ==
		      sizeof(pid[i]));
	waits(NULL);
}

STATE(clone_siblings)
{
	struct matrix before, after;
	int i;

	CHECK(!pipe(to_parent) && !pipe(told));
	pids[0] = getpid();
	pids[1] = child(makes_siblings);
	for (n_pids = 2; n_pids < 5; n_pids++)
		CHECK(read(to_parent[0], &pids[n_pids], sizeof(pid_t)) ==
		      sizeof(pid_t));
	look(&before);
	CHECK(before.same[0][2][1] && before.same[1][3][1] &&
	      before.same[0][4][2] && !before.same[0][3][1]);
	checkpoint();
	look(&after);
	CHECK(!memcmp(&before, &after, sizeof(before)));
	tell(n_pids - 1);
	for (i = 1; i < n_pids; i++)
		collect(pids[i], SIGCHLD);
	CHECK(wait(NULL) == -1 && errno == ECHILD);
}

/* One process after the other by vfork(2), at any moment of a checkpoint. */
STATE(vfork_again_and_again)
{
	static char *const argv[] = { "true", NULL };
	int status, i;
	pid_t pid;

	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (i = 0; access("vfork_again_and_again.go", F_OK); i++) {
			CHECK(!posix_spawnp(&pid, "true", NULL, NULL, argv,
					    environ));
			CHECK(waitpid(pid, &status, 0) == pid && status == 0);
		}
		CHECK(i > 0);
		_exit(0);
	}
	checkpoint();
	join(pid);
}

/* Nobody stops who waits for a child of vfork(2): told after some seconds. */
LATE(vfork_in_progress, "does not stop within .*it waits for a child of vfork")
{
	const struct timespec nap = { 0, 2000000 };
	int up[2];
	pid_t pid;
	char c;

	CHECK(!pipe(up));
	pid = fork();
	if (!pid) {
		pid = vfork();
		if (!pid) {
			syscall(SYS_write, up[1], "x", 1);
			while (syscall(SYS_access, "vfork_in_progress.go",
				       F_OK))
				syscall(SYS_nanosleep, &nap, NULL);
			_exit(0);
		}
		join(pid);
		_exit(0);
	}
	CHECK(read(up[0], &c, 1) == 1);
	checkpoint();
	join(pid);
}
