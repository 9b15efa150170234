/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cr_checkpoint.c - saves running processes in a context file
 *
 * The work is done by a helper in a session of its own, so that nothing that
 * happens to the command (Ctrl-C, kill -9) meets a program half stopped: the
 * helper notices, undoes what it did, and ends.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/cr_checkpoint.h"
#include "commands/descriptors.h"

static int lifeline[2];
static volatile sig_atomic_t caught;

static void on_signal(int signo)
{
	caught = signo;
	close(lifeline[1]);
}

static const int deadly[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

static void catch_signals(void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler };
	size_t i;

	for (i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaction(deadly[i], &sa, NULL);
}

/* For a library that started us: the last word, a number. */
static void tell_result(int code)
{
	const char *fd = getenv("CR_RESULT_FD");

	if (fd)
		dprintf(atoi(fd), "%d\n", code);
}

static void __attribute__((noreturn)) helper(const struct options *o)
{
	int code, status;

	catch_signals(SIG_IGN);
	/* messages that nobody reads, or that a limit cuts off */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	setsid();
	prctl(PR_SET_NAME, "cr_tracer");
	/* latency of short waits for a thread to stop */
	prctl(PR_SET_TIMERSLACK, 1);
	close(lifeline[1]);
	status = work(o, lifeline[0], &code);
	tell_result(code);
	fflush(stdout);
	_exit(status);
}

int main(int argc, char **argv)
{
	struct options o;
	int status;
	pid_t pid;

	if (cr_descriptors_fill())
		return 1;
	options_parse(&o, argc, argv);
	if (pipe(lifeline)) {
		perror("cr_checkpoint: pipe");
		return 1;
	}
	catch_signals(on_signal);
	pid = fork();
	if (pid < 0) {
		perror("cr_checkpoint: fork");
		return 1;
	}
	if (pid == 0)
		helper(&o);
	close(lifeline[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	if (caught && status) {
		catch_signals(SIG_DFL);
		raise(caught);
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "cr_checkpoint: its helper was killed: %s\n",
		strsignal(WTERMSIG(status)));
	return 1;
}
