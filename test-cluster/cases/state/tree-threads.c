/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree-threads.c - processes that threads other than the main one have made */
#include <pthread.h>
#include <sys/prctl.h>

#include "state.h"

static int say[2], go[2];
static volatile pid_t its, other;
static volatile bool found, others;

static pid_t make_child(int signal)
{
	pid_t pid = fork();
	char c;

	if (pid)
		return pid;
	close(go[1]);
	CHECK(!prctl(PR_SET_PDEATHSIG, signal));
	CHECK(write(say[1], "x", 1) == 1);
	if (read(go[0], &c, 1) != 1)
		_exit(8);
	for (;;)
		pause();
}

/* Its child is its own, and nobody else's; the signal comes at its end. */
static void *parent(void *arg)
{
	char c;

	its = make_child(SIGTERM);
	CHECK(read(go[0], &c, 1) == 1);
	found = waitpid(its, NULL, WNOHANG | __WNOTHREAD) == 0;
	others = waitpid(other, NULL, WNOHANG | __WNOTHREAD) == 0;
	return NULL;
}

STATE(child_of_thread)
{
	pthread_t thread;
	int status;
	char c;

	CHECK(!pipe(say) && !pipe(go));
	other = make_child(SIGUSR1);
	CHECK(!pthread_create(&thread, NULL, parent, NULL));
	for (int i = 0; i < 2; i++)
		CHECK(read(say[0], &c, 1) == 1);
	checkpoint();
	CHECK(waitpid(its, NULL, WNOHANG | __WNOTHREAD) == -1);
	CHECK(waitpid(other, NULL, WNOHANG | __WNOTHREAD) == 0);
	/* for the thread and, it may be, both children */
	CHECK(write(go[1], "xxx", 3) == 3);
	CHECK(!pthread_join(thread, NULL));
	CHECK(found && !others);
	CHECK(waitpid(its, &status, 0) == its);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	CHECK(waitpid(other, NULL, WNOHANG) == 0);
	CHECK(!kill(other, SIGKILL));
	CHECK(waitpid(other, NULL, 0) == other);
}
