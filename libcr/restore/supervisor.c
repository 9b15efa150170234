/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervisor.c - the process that builds the tree and is its root's parent
 *
 * Until it lets go of the first process it dies with the restart command
 * (PR_SET_PDEATHSIG), and the stubs with it (PTRACE_O_EXITKILL).  From then on
 * it notices the end of the command itself.  After the release it waits: for the end of
 * the root, which it tells, and for the end of the command, upon which it
 * kills the tree.  In namespaces of its own it is the first process and stays
 * until the last one has gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rseq.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "restore/build.h"
#include "restore/channel.h"
#include "restore/kill.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Stubs inherit all this, and must not be disturbed by any of it. */
static int calm_down(struct cr_error *err)
{
	/* struct rseq as the C library registered it, extended or not */
	static const unsigned int sizes[] = { 32, 64, 40, 28 };
	void *area = (char *)__builtin_thread_pointer() + __rseq_offset;
	/* in the way of building; the program's own come last */
	static const int raised[] = { RLIMIT_NOFILE, RLIMIT_AS, RLIMIT_DATA,
				      RLIMIT_MEMLOCK };
	const struct rlimit most = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit limit;
	sigset_t all;
	size_t i;

	for (int sig = 1; sig <= CR_NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (i = 0; i < sizeof(raised) / sizeof(*raised); i++)
		if (setrlimit(raised[i], &most) &&
		    !getrlimit(raised[i], &limit)) {
			limit.rlim_cur = limit.rlim_max;
			setrlimit(raised[i], &limit);
		}
	if (!__rseq_size)
		return 0;
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		if (!syscall(SYS_rseq, area, sizes[i], RSEQ_FLAG_UNREGISTER,
			     RSEQ_SIG))
			return 0;
	return cr_error_set(err, -errno, "rseq of the supervisor: %s",
			    strerror(errno));
}

/* In namespaces of its own a restart needs nobody's help. */
static int open_engine(struct cr_restore_context *ctx, struct cr_error *err)
{
	int ret = 0;

	if (!ctx->own_namespace && !cr_may_choose_pids())
		ret = cr_engine_open(&ctx->engine, ctx->opt->engine, err);
	if (!ret && ctx->engine.fd >= 0)
		ret = cr_context_park_fd(ctx, &ctx->engine.fd, err);
	return ret;
}

static int build(struct cr_restore_context *ctx, struct cr_error *err)
{
	struct cr_message m = { .kind = CR_MESSAGE_CREATED };
	double start = now();
	int ret;

	ret = calm_down(err);
	if (!ret)
		ret = open_engine(ctx, err);
	if (!ret)
		ret = cr_clock_continue(ctx, err);
	if (!ret)
		ret = cr_terminals_prepare(ctx, err);
	if (!ret)
		ret = cr_files_open(ctx, err);
	if (!ret)
		ret = cr_sysv_create(ctx, err);
	if (!ret)
		ret = cr_bench_create(ctx, err);
	if (!ret)
		ret = cr_build(ctx, err);
	if (!ret)
		ret = cr_context_same_image(ctx, err);
	if (ret < 0)
		return ret;
	m.seconds = now() - start;
	return cr_channel_send(ctx->channel, &m, -1);
}

static pid_t root_pid(const struct cr_restore_context *ctx)
{
	if (cr_plan_find(ctx->img, ctx->img->root_pid) != CR_NONE)
		return ctx->img->root_pid;
	return ctx->img->procs[0].pid;
}

/* Nothing that the tree holds may live longer because of us. */
static void let_go_of_files(int channel)
{
	int null;

	if (channel > 3)
		close_range(3, (unsigned int)channel - 1, 0);
	close_range((unsigned int)channel + 1, ~0u, 0);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		if (null >= 0 && null != fd)
			dup2(null, fd);
	if (null > 2)
		close(null);
}

/* 0: the root is there, 1: it has ended and the caller knows. */
static int reap(int channel, pid_t root)
{
	struct cr_message m = { 0 };
	int status, ended = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status,
			      WNOHANG | WUNTRACED | WCONTINUED | __WALL)) > 0) {
		if (pid != root)
			continue;
		m.status = status;
		m.kind = CR_MESSAGE_STATUS;
		if (WIFSTOPPED(status))
			m.kind = CR_MESSAGE_STOPPED;
		else if (WIFCONTINUED(status))
			m.kind = CR_MESSAGE_CONTINUED;
		else
			ended = 1;
		cr_channel_send(channel, &m, -1);
	}
	return ended;
}

/* The tree runs; until its root has ended the command is the guard. */
static void watch(struct cr_restore_context *ctx, int signals, pid_t root)
{
	struct pollfd p[2] = { { .fd = signals, .events = POLLIN },
			       { .fd = ctx->channel, .events = POLLIN } };
	struct signalfd_siginfo info;
	int ended = 0;

	for (;;) {
		ended |= reap(ctx->channel, root);
		if (ended && !ctx->own_namespace)
			return;
		if (ended && waitpid(-1, NULL, WNOHANG | __WALL) < 0 &&
		    errno == ECHILD)
			return;
		if (poll(p, ended ? 1 : 2, -1) < 0)
			continue;
		if (p[0].revents)
			while (read(signals, &info, sizeof(info)) > 0)
				;
		if (!ended && p[1].revents & (POLLHUP | POLLERR | POLLIN)) {
			cr_kill_descendants(NULL, 0);
			return;
		}
	}
}

static void __attribute__((noreturn))
fail(struct cr_restore_context *ctx, const struct cr_error *err)
{
	struct cr_message m = { .kind = CR_MESSAGE_FAILED, .code = err->code };

	memcpy(m.text, err->text, sizeof(m.text));
	cr_engine_done(&ctx->engine, ctx->opt->engine, CR_ENGINE_RESTART,
		       root_pid(ctx), m.code);
	/* stubs first: the message means that nothing is left */
	cr_kill_descendants(NULL, 0);
	cr_sysv_undo(ctx);
	cr_channel_send(ctx->channel, &m, -1);
	_exit(1);
}

/* It never sends anything: what can be read from it is its end. */
static bool command_has_gone(int channel)
{
	struct pollfd p = { .fd = channel, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static void run(struct cr_restore_context *ctx, double start,
		struct cr_error *err)
{
	struct cr_message m = { .kind = CR_MESSAGE_RELEASING };
	pid_t root = root_pid(ctx);
	int pidfd, signals;
	sigset_t chld;

	pidfd = (int)syscall(SYS_pidfd_open, root, 0);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	if (pidfd < 0) {
		cr_error_set(err, -errno, "process %d: %s", root,
			     strerror(errno));
		return;
	}
	if (command_has_gone(ctx->channel))
		return;
	cr_channel_send(ctx->channel, &m, -1);
	if (cr_release(ctx, err) < 0)
		return;
	m.kind = CR_MESSAGE_RUNNING;
	m.seconds = now() - start;
	cr_channel_send(ctx->channel, &m, pidfd);
	cr_engine_done(&ctx->engine, ctx->opt->engine, CR_ENGINE_RESTART, root,
		       0);
	let_go_of_files(ctx->channel);
	munmap((void *)(uintptr_t)ctx->bench.start,
	       ctx->bench.end - ctx->bench.start);
	signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	watch(ctx, signals, root);
	_exit(0);
}

void cr_supervisor_main(struct cr_restore_context *ctx, int channel)
{
	struct cr_error err = { 0 };
	double start = now();

	ctx->channel = channel;
	ctx->image_fd = cr_reader_fd(ctx->reader);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (command_has_gone(channel))
		_exit(1);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	cr_omit_here();
	if (build(ctx, &err) >= 0)
		run(ctx, start, &err);
	if (!err.code)
		cr_error_set(&err, -EPIPE, "the restart command has gone");
	fail(ctx, &err);
}
