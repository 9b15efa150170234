/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.c - a tree with everything that processes can be to each other */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * root -- a: leader of a group and of a session, made b before that
 *      |    `- b: in the old session; c: in a's session, group of its own
 *      |- d, e: group of a leader that has gone
 *      |- f: zombie with status 33, g: zombie killed by SIGTERM
 *      |- h: stopped
 *      |- v: shares the memory (CLONE_VM), exit signal 0; has a child w
 *      `- s: shares open files and directory (CLONE_FILES | CLONE_FS)
 */
struct ids {
	pid_t pid, ppid, pgid, sid;
};

struct board {
	struct ids before[16], after[16];
	volatile int n, go, done;
	int value;
};

static struct board *board;
static int in_memory = 1; /* seen by v, not by forked ones */
static int bad;
#define CHECK(x) \
	do { \
		if (!(x)) { \
			printf("line %d: %s\n", __LINE__, #x); \
			fflush(stdout); \
			bad++; \
		} \
	} while (0)

static void put(struct ids *i)
{
	i->pid = (pid_t)syscall(SYS_getpid);
	i->ppid = getppid();
	i->pgid = getpgrp();
	i->sid = getsid(0);
}

static void stay(int me)
{
	put(&board->before[me]);
	__sync_fetch_and_add(&board->n, 1);
	while (!board->go)
		usleep(2000);
	put(&board->after[me]);
	__sync_fetch_and_add(&board->done, 1);
}

enum { ROOT, A, B, C, D, E, H, V, W, S, COUNT };

static void until(volatile int *what, int n)
{
	while (*what < n)
		usleep(1000);
}

static int v_main(void *arg)
{
	pid_t w = fork();

	if (!w) {
		stay(W);
		_exit(12);
	}
	in_memory = 2;
	stay(V);
	while (waitpid(w, NULL, 0) < 0 && errno == EINTR)
		;
	in_memory = 4;
	syscall(SYS_exit, 3);
	return 0;
}

static int s_main(void *arg)
{
	stay(S);
	/* seen by the root as well */
	chdir("/tmp");
	dup2(1, 77);
	_exit(0);
}

static char v_stack[65536] __attribute__((aligned(16)));
static char s_stack[65536] __attribute__((aligned(16)));

static volatile int chlds;
static void on_chld(int sig)
{
	chlds++;
}

int main(void)
{
	pid_t a, d, e, f, g, h, lead, v, s;
	int status, p[2], n_chld;
	char c;

	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	board->value = 11;
	signal(SIGCHLD, on_chld);
	pipe(p);
	a = fork();
	if (!a) {
		if (!fork()) {
			stay(B);
			_exit(0);
		}
		until(&board->n, 1);
		setsid();
		if (!fork()) {
			setpgid(0, 0);
			read(p[0], &c, 1);
			stay(C);
			_exit(0);
		}
		stay(A);
		while (wait(NULL) > 0 || errno == EINTR)
			;
		_exit(0);
	}
	lead = fork();
	if (!lead) {
		setpgid(0, 0);
		pause();
	}
	setpgid(lead, lead);
	d = fork();
	if (!d) {
		setpgid(0, lead);
		stay(D);
		_exit(0);
	}
	e = fork();
	if (!e) {
		setpgid(0, lead);
		stay(E);
		_exit(0);
	}
	until(&board->n, 4);
	kill(lead, SIGKILL);
	waitpid(lead, NULL, 0);
	f = fork();
	if (!f)
		_exit(33);
	g = fork();
	if (!g)
		pause();
	kill(g, SIGTERM);
	h = fork();
	if (!h) {
		stay(H);
		_exit(0);
	}
	until(&board->n, 5);
	kill(h, SIGSTOP);
	waitpid(h, NULL, WUNTRACED);
	v = clone(v_main, v_stack + sizeof(v_stack), CLONE_VM, NULL);
	s = clone(s_main, s_stack + sizeof(s_stack),
		  CLONE_FILES | CLONE_FS | SIGCHLD, NULL);
	until(&board->n, 8);
	waitid(P_PID, f, NULL, WEXITED | WNOWAIT);
	waitid(P_PID, g, NULL, WEXITED | WNOWAIT);
	put(&board->before[ROOT]);
	in_memory = 3;
	n_chld = chlds;
	printf("ready\n");
	fflush(stdout);
	while (access("go", F_OK))
		usleep(5000);

	CHECK(in_memory == 3);
	CHECK(chlds == n_chld);
	put(&board->after[ROOT]);
	write(p[1], "x", 1);
	board->go = 1;
	until(&board->done, 7); /* A B D E V W S; C follows its pipe */
	until(&board->n, 9);
	CHECK(waitpid(h, &status, WNOHANG) == 0);
	{
		char path[64], line[256] = "";
		FILE *fp;

		snprintf(path, sizeof(path), "/proc/%d/stat", h);
		fp = fopen(path, "r");
		if (fp)
			fgets(line, sizeof(line), fp);
		CHECK(strrchr(line, ')') && strrchr(line, ')')[2] == 'T');
		if (fp)
			fclose(fp);
	}
	kill(h, SIGCONT);
	until(&board->done, 9);
	for (int i = 0; i < COUNT; i++) {
		struct ids *x = &board->before[i], *y = &board->after[i];

		if (i == C)
			continue;
		if (i == ROOT)
			y->ppid = x->ppid;
		if (memcmp(x, y, sizeof(*x))) {
			printf("%d: pid %d %d ppid %d %d pgid %d %d sid "
			       "%d %d\n", i, x->pid, y->pid, x->ppid, y->ppid,
			       x->pgid, y->pgid, x->sid, y->sid);
			bad++;
		}
	}
	CHECK(board->after[C].ppid == a && board->after[C].sid == a &&
	      board->after[C].pgid == board->after[C].pid);
	CHECK(board->after[D].pgid == lead);
	CHECK(board->value == 11);
	CHECK(waitpid(f, &status, 0) == f && WIFEXITED(status) &&
	      WEXITSTATUS(status) == 33);
	CHECK(waitpid(g, &status, 0) == g && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGTERM);
	CHECK(waitpid(v, &status, 0) < 0 && errno == ECHILD);
	CHECK(waitpid(v, &status, __WALL) == v && WEXITSTATUS(status) == 3);
	CHECK(in_memory == 4);
	CHECK(waitpid(s, &status, 0) == s && !status);
	CHECK(fcntl(77, F_GETFD) == 0);
	{
		char dir[256];

		CHECK(!strcmp(getcwd(dir, sizeof(dir)), "/tmp"));
	}
	CHECK(waitpid(d, &status, 0) == d && waitpid(e, &status, 0) == e);
	CHECK(waitpid(a, &status, 0) == a && !status);
	CHECK(waitpid(h, &status, 0) == h && !status);
	CHECK(waitpid(-1, &status, __WALL) < 0 && errno == ECHILD);
	printf(bad ? "%d wrong\n" : "all right\n", bad);
	return bad ? 1 : 5;
}
