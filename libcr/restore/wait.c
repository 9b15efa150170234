/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wait.c - stands for the root: forwards signals, waits, stops with it */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "restore/channel.h"
#include "restore/kill.h"
#include "restore/restore.h"

/* What is not about us but about the program. */
static void forwarded(sigset_t *set)
{
	static const int own[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
				   SIGILL,  SIGTRAP, SIGSYS,  SIGPIPE };

	sigfillset(set);
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		sigdelset(set, own[i]);
}

static bool is_stop(int sig)
{
	return sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/* The terminal sends to a whole group; do not send it a second time. */
static void forward(const struct cr_restore_status *st,
		    const struct signalfd_siginfo *info)
{
	if (info->ssi_code == SI_KERNEL && getpgid(st->root) == getpgrp())
		return;
	syscall(SYS_pidfd_send_signal, st->root_pidfd, (int)info->ssi_signo,
		NULL, 0);
}

/* Does the root's group have the terminal, and not ours? */
static bool root_has_terminal(const struct cr_restore_status *st)
{
	for (int fd = 0; fd < 3; fd++)
		if (isatty(fd))
			return tcgetpgrp(fd) == getpgid(st->root);
	return false;
}

/* The root stopped: so do we, so that the shell notices. */
static void stop_with_it(const struct cr_restore_status *st)
{
	pid_t group = getpgid(st->root);

	kill(getpid(), SIGSTOP);
	/* continued, as a rule by the shell's fg or bg */
	for (int fd = 0; fd < 3; fd++)
		if (isatty(fd) && tcgetpgrp(fd) == getpgrp()) {
			if (group != getpgrp())
				tcsetpgrp(fd, group);
			break;
		}
	if (group != getpgrp())
		kill(-group, SIGCONT);
}

struct wait_state {
	bool stopping; /* a stop signal went to the root */
	bool ended;
};

static int message(struct cr_restore_status *st, struct wait_state *w)
{
	struct cr_message m;
	int fd, ret;

	do
		ret = cr_channel_receive(st->channel, &m, &fd);
	while (ret == -EINTR);
	if (ret < 0)
		return ret;
	if (fd >= 0)
		close(fd);
	if (m.kind == CR_MESSAGE_STATUS) {
		st->wait_status = m.status;
		w->ended = true;
	} else if (m.kind == CR_MESSAGE_STOPPED) {
		if (w->stopping || root_has_terminal(st)) {
			w->stopping = false;
			stop_with_it(st);
		}
	}
	return 0;
}

static int wait_loop(struct cr_restore_status *st, int signals)
{
	struct pollfd p[2] = { { .fd = st->channel, .events = POLLIN },
			       { .fd = signals, .events = POLLIN } };
	struct wait_state w = { 0 };
	struct signalfd_siginfo info;

	while (!w.ended) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents &&
		    read(signals, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo != SIGCHLD)
				forward(st, &info);
			if (is_stop((int)info.ssi_signo))
				w.stopping = true;
		}
		if (p[0].revents) {
			int ret = message(st, &w);

			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

/* Who has started us may have blocked some: they wait, for the program. */
int cr_restore_hold_signals(struct cr_restore_status *st, struct cr_error *err)
{
	sigset_t set, heard;

	forwarded(&set);
	heard = set;
	sigprocmask(SIG_BLOCK, NULL, &st->mask);
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&st->mask, sig))
			sigdelset(&heard, sig);
	st->signals = signalfd(-1, &heard, SFD_CLOEXEC);
	if (st->signals < 0)
		return cr_error_set(err, -errno, "signalfd: %s",
				    strerror(errno));
	sigprocmask(SIG_BLOCK, &set, NULL);
	return 0;
}

/* It does to us what it would have done. */
static void let_through(int sig)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	sigprocmask(SIG_BLOCK, &one, NULL);
}

/*
 * Who sends a signal because the tree runs does so when CR_MESSAGE_RELEASING
 * is there, so the channel is looked at after the signal.
 */
void cr_restore_listen(struct cr_restore_status *st)
{
	struct pollfd p[2] = { { .fd = st->channel, .events = POLLIN },
			       { .fd = st->signals, .events = POLLIN } };
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents || poll(p, 1, 0) > 0)
			return;
		if (read(st->signals, &info, sizeof(info)) == sizeof(info))
			let_through((int)info.ssi_signo);
	}
}

int cr_restore_wait(struct cr_restore_status *st, struct cr_error *err)
{
	sigset_t set;
	int ret;

	forwarded(&set);
	signalfd(st->signals, &set, SFD_CLOEXEC);
	ret = wait_loop(st, st->signals);
	if (ret < 0) {
		/* without it nobody would guard the tree */
		kill(st->supervisor, SIGKILL);
		cr_kill_descendants(st->others, st->n_others);
		cr_error_set(err, ret,
			     "the supervisor of the restarted "
			     "processes was killed, and so were they");
	}
	return ret;
}
