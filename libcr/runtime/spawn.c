/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn.c - start a command that is no child of the program
 *
 * Two processes are made, which share our memory: the first makes a session
 * and the second, and ends; the second becomes the command once we have
 * allowed it to trace us.  A command that is to be our child does without the
 * first.  The second runs beside our threads, with the
 * thread-local data of the one that called: it calls the kernel directly,
 * so that errno stays alone.
 */
#include "runtime/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/runtime.h"

#define STACK_SIZE (64u << 10)
#define ABOVE 10 /* descriptors are put here before they get their numbers */

struct job {
	const struct cr_spawn *spawn;
	int go[2], failure[2]; /* pipes: permission, errno of execve */
	char *stack;	       /* two of STACK_SIZE */
	pid_t pid;	       /* of the command, or -errno */
};

static long call(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

/* Puts the descriptors in place; others are closed by execve. */
static long place_fds(const struct cr_spawn *spawn)
{
	long fd[CR_SPAWN_FDS], rc = 0;
	int i;

	for (i = 0; i < CR_SPAWN_FDS && rc >= 0; i++) {
		fd[i] = -1;
		if (spawn->fd[i] >= 0)
			rc = fd[i] = call(SYS_fcntl, spawn->fd[i],
					  F_DUPFD_CLOEXEC, ABOVE, 0);
	}
	for (i = 0; i < CR_SPAWN_FDS && rc >= 0; i++) {
		if (fd[i] >= 0)
			rc = call(SYS_dup2, fd[i], i, 0, 0);
		else
			call(SYS_close, i, 0, 0, 0);
	}
	/* not in Linux 5.10: the command gets some more then */
	call(SYS_close_range, CR_SPAWN_FDS, ~0u, CLOSE_RANGE_CLOEXEC, 0);
	return rc;
}

/* No handler of the program may run here, and the command starts afresh. */
static void reset_signals(void)
{
	struct {
		uint64_t handler, flags, restorer, mask;
	} sa = { 0 };
	uint64_t none = 0;
	int i;

	for (i = 1; i <= 64; i++)
		call(SYS_rt_sigaction, i, (long)&sa, 0, sizeof(sa.mask));
	call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, sizeof(none));
}

static int command(void *arg)
{
	struct job *job = arg;
	long failure, go, rc;
	char c;

	/* out of the way of the numbers to be given */
	go = call(SYS_fcntl, job->go[0], F_DUPFD_CLOEXEC, ABOVE, 0);
	failure = call(SYS_fcntl, job->failure[1], F_DUPFD_CLOEXEC, ABOVE, 0);
	call(SYS_close, job->go[1], 0, 0, 0);
	if (go < 0 || failure < 0 || call(SYS_read, go, (long)&c, 1, 0) != 1)
		call(SYS_exit_group, 127, 0, 0, 0);
	reset_signals();
	rc = place_fds(job->spawn);
	if (rc >= 0)
		rc = call(SYS_execve, (long)job->spawn->path,
			  (long)job->spawn->argv, (long)job->spawn->envp, 0);
	call(SYS_write, failure, (long)&rc, sizeof(rc), 0);
	call(SYS_exit_group, 127, 0, 0, 0);
	__builtin_unreachable();
}

static int between(void *arg)
{
	struct job *job = arg;

	setsid();
	job->pid = clone(command, job->stack + 2 * STACK_SIZE, CLONE_VM, job);
	if (job->pid < 0)
		job->pid = -errno;
	_exit(0);
}

/* Makes the two; job->pid waits for a byte in job->go. */
static int make(struct job *job)
{
	pid_t first;

	job->pid = -EAGAIN;
	if (job->spawn->child) {
		/* execve(2) gives it the exit signal SIGCHLD */
		job->pid = clone(command, job->stack + 2 * STACK_SIZE, CLONE_VM,
				 job);
		return job->pid < 0 ? -errno : 0;
	}
	/* no exit signal: the program's wait() does not see it */
	first = clone(between, job->stack + STACK_SIZE, CLONE_VM | CLONE_VFORK,
		      job);
	if (first < 0)
		return -errno;
	while (waitpid(first, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	return job->pid < 0 ? job->pid : 0;
}

static void close_pair(int *fd)
{
	if (fd[0] >= 0)
		close(fd[0]);
	if (fd[1] >= 0)
		close(fd[1]);
}

static int run(struct job *job)
{
	long error = 0;
	ssize_t n;
	int rc;

	if (pipe2(job->go, O_CLOEXEC) || pipe2(job->failure, O_CLOEXEC))
		return -errno;
	rc = make(job);
	if (rc)
		return rc;
	if (!job->spawn->child) /* EINVAL without Yama */
		prctl(PR_SET_PTRACER, job->pid, 0, 0, 0);
	close(job->failure[1]); /* the number stays: the command reads it */
	rc = write(job->go[1], "", 1) == 1 ? 0 : -errno;
	if (rc) { /* so it ends; until then it is in our memory */
		close(job->go[1]);
		job->go[1] = -1;
	}
	/* until it has left our memory */
	do
		n = read(job->failure[0], &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	job->failure[1] = -1;
	if (!rc)
		rc = error;
	/* one that did not become the command is nobody's business */
	while (rc && job->spawn->child &&
	       waitpid(job->pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	return rc;
}

pid_t cr_spawn(const struct cr_spawn *spawn)
{
	struct job job = { .spawn = spawn,
			   .go = { -1, -1 },
			   .failure = { -1, -1 } };
	sigset_t saved;
	int rc;

	job.stack = mmap(NULL, 2 * STACK_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (job.stack == MAP_FAILED)
		return -errno;
	/* a child that another thread forks must not keep a pipe open */
	cr_registry_lock(&saved);
	rc = run(&job);
	close_pair(job.go);
	close_pair(job.failure);
	cr_registry_unlock(&saved);
	munmap(job.stack, 2 * STACK_SIZE);
	return rc < 0 ? rc : job.pid;
}
