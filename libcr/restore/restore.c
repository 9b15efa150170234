/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* restore.c - the restart command's side: verify, start, guard */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/procfs.h"
#include "objects/pty.h"
#include "restore/build.h"
#include "restore/channel.h"
#include "restore/kill.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The first moments of the supervisor. */
static void __attribute__((noreturn))
in_child(struct cr_restore_context *ctx, const int channel[2], uid_t uid,
	 gid_t gid, bool user)
{
	struct cr_message m = { .kind = CR_MESSAGE_FAILED };
	struct cr_error err = { 0 };

	close(channel[0]);
	if (ctx->own_namespace &&
	    cr_namespace_enter(uid, gid, user, &err) < 0) {
		m.code = err.code;
		memcpy(m.text, err.text, sizeof(m.text));
		cr_channel_send(channel[1], &m, -1);
		_exit(1);
	}
	cr_supervisor_main(ctx, channel[1]);
}

/*
 * Not fork(3): the new process is in namespaces of its own, and nothing of
 * the C library's state about processes and threads is used in it.
 */
static int start_supervisor(struct cr_restore_context *ctx,
			    struct cr_restore_status *st, struct cr_error *err)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	uid_t uid = geteuid();
	gid_t gid = getegid();
	bool user = false;
	int channel[2];
	long pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		return cr_error_set(err, -errno, "socketpair: %s",
				    strerror(errno));
	if (ctx->own_namespace)
		args.flags = CLONE_NEWPID | CLONE_NEWNS;
	if (ctx->own_namespace && cr_sysv_wanted(ctx->img))
		args.flags |= CLONE_NEWIPC;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0 && ctx->own_namespace && errno == EPERM) {
		user = true;
		args.flags |= CLONE_NEWUSER;
		pid = syscall(SYS_clone3, &args, sizeof(args));
	}
	if (pid == 0)
		in_child(ctx, channel, uid, gid, user);
	close(channel[1]);
	if (pid < 0) {
		close(channel[0]);
		return cr_error_set(err, -errno, "%s: %s",
				    ctx->own_namespace
					    ? "namespaces for the process ids"
					    : "fork",
				    strerror(errno));
	}
	st->supervisor = (pid_t)pid;
	st->channel = channel[0];
	st->own_namespace = ctx->own_namespace;
	return 0;
}

/* The root's id in our namespace. */
static pid_t pid_of(int pidfd)
{
	char *info = cr_procfs_read(getpid(), NULL, "fdinfo/%d", pidfd);
	pid_t pid = info ? cr_procfs_last(info, "Pid", 0) : 0;

	free(info);
	return pid;
}

static void reap_supervisor(struct cr_restore_status *st)
{
	while (waitpid(st->supervisor, NULL, 0) < 0 && errno == EINTR)
		;
	st->supervisor = 0;
	close(st->channel);
	st->channel = -1;
}

/* Until the tree runs or the supervisor says why not. */
static int follow(struct cr_restore_status *st, struct cr_error *err)
{
	struct cr_message m = { 0 };
	int fd, ret;

	for (;;) {
		if (m.kind != CR_MESSAGE_RELEASING)
			cr_restore_listen(st);
		ret = cr_channel_receive(st->channel, &m, &fd);
		if (ret == -EINTR)
			continue;
		if (ret < 0) {
			reap_supervisor(st);
			cr_kill_descendants(st->others, st->n_others);
			return cr_error_set(err, -EPIPE,
					    "the supervisor of "
					    "the restart was killed");
		}
		switch (m.kind) {
		case CR_MESSAGE_FAILED:
			reap_supervisor(st);
			return cr_error_set(err, m.code ? m.code : -EIO, "%s",
					    m.text);
		case CR_MESSAGE_CREATED:
			st->create_s = m.seconds;
			break;
		case CR_MESSAGE_RUNNING:
			st->fill_s = m.seconds;
			st->root_pidfd = fd;
			st->root = pid_of(fd);
			return 0;
		}
	}
}

/* By ourselves, or by the kernel module's grant. */
static int may_choose_pids(const struct cr_restore_options *opt,
			   struct cr_error *err)
{
	struct cr_engine engine;
	int ret = cr_engine_open(&engine, opt->engine, err);

	if (ret < 0 || cr_may_choose_pids())
		goto out;
	ret = cr_engine_may_grant(&engine);
	if (ret < 0)
		cr_error_set(err, -EPERM,
			     ret == -ENODEV
				     ? "choosing process ids on this host "
				       "needs CAP_CHECKPOINT_RESTORE or the "
				       "kernel module"
				     : "the kernel module does not let you "
				       "choose process ids here");
out:
	cr_engine_close(&engine);
	return ret < 0 ? -EPERM : 0;
}

/* The right to choose ids of processes is that to choose those of IPC, too. */
static int verify_sysv(struct cr_restore_context *ctx, struct cr_error *err)
{
	struct cr_engine engine;
	int ret;

	if (!cr_sysv_wanted(ctx->img))
		return 0;
	ret = cr_engine_open(&engine, ctx->opt->engine, err);
	if (!ret && !cr_may_choose_pids())
		ret = cr_engine_grant(&engine, err);
	if (!ret)
		ret = cr_sysv_verify(ctx->img, err);
	cr_engine_close(&engine);
	return ret;
}

/* Where the ids may be restored: here, or in a namespace made for them. */
static int choose_pids(struct cr_restore_context *ctx, struct cr_error *err)
{
	const struct cr_restore_options *opt = ctx->opt;
	struct cr_error why = { 0 };
	int ret;

	if (opt->pids == CR_PIDS_NAMESPACE) {
		ctx->own_namespace = true;
		return 0;
	}
	ret = cr_verify_pids(ctx, &why);
	if (!ret)
		ret = verify_sysv(ctx, &why);
	if (!ret)
		ret = cr_clock_verify(ctx->img, &why);
	if (!ret)
		ret = cr_pty_look(ctx->img, &why);
	if (!ret)
		ret = may_choose_pids(opt, &why);
	if (!ret)
		return 0;
	/* who asks for the module does not want to do without */
	if (opt->pids == CR_PIDS_HOST || opt->engine == CR_ENGINE_MODULE)
		return cr_error_set(err, ret, "%s", why.text);
	ctx->own_namespace = true;
	return 0;
}

int cr_restore_run(struct cr_reader *r, const struct cr_restore_options *opt,
		   struct cr_restore_status *st, struct cr_error *err)
{
	struct cr_restore_context *ctx;
	double start = now();
	int again = 0, ret;

	memset(st, 0, sizeof(*st));
	st->channel = st->root_pidfd = st->signals = -1;
	ret = cr_context_create(&ctx, r, opt, err);
	if (!ret)
		ret = cr_verify(ctx, err);
	if (!ret)
		ret = cr_verify_found(ctx, choose_pids(ctx, err), err);
	if (!ret && ctx->n_found)
		ret = cr_error_set(err, ctx->first_found,
				   "%u thing%s in the way (see above); "
				   "nothing was created",
				   ctx->n_found,
				   ctx->n_found == 1 ? " stands" : "s stand");
	st->verify_s = now() - start;
	if (ret < 0 || opt->verify_only)
		goto out;
	ret = cr_omit_create(opt, err);
	if (ret < 0)
		goto out;
	/* what a killed supervisor leaves must come to us */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ret = cr_children(&st->others, &st->n_others);
	if (ret < 0) {
		cr_error_set(err, ret, "/proc: %s", strerror(-ret));
		goto out;
	}
	ret = cr_restore_hold_signals(st, err);
	if (ret < 0)
		goto out;
	for (;;) {
		struct cr_error attempt = { 0 };

		ret = start_supervisor(ctx, st, &attempt);
		if (!ret)
			ret = follow(st, &attempt);
		/* an id was taken a moment after it had been free */
		if (ret == -EEXIST && opt->pids == CR_PIDS_AUTO &&
		    opt->engine != CR_ENGINE_MODULE && !ctx->own_namespace) {
			ctx->own_namespace = true;
			continue;
		}
		/* a file system may be late to tell when it was written */
		if (ret == -ESTALE && !again++ &&
		    cr_context_same_image(ctx, NULL) &&
		    !cr_context_note_image(ctx, NULL) &&
		    !cr_reader_verify(r, &attempt))
			continue;
		if (ret < 0)
			cr_error_set(err, ret, "%s", attempt.text);
		break;
	}
out:
	cr_context_destroy(ctx);
	if (ret < 0)
		cr_restore_end(st);
	return ret;
}

void cr_restore_end(struct cr_restore_status *st)
{
	if (st->channel >= 0)
		close(st->channel);
	if (st->root_pidfd >= 0)
		close(st->root_pidfd);
	if (st->signals >= 0) {
		close(st->signals);
		sigprocmask(SIG_SETMASK, &st->mask, NULL);
	}
	free(st->others);
	st->others = NULL;
	st->n_others = 0;
	st->channel = st->root_pidfd = st->signals = -1;
}
