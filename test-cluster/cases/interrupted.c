/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interrupted.c CALL - waits in CALL until SIGUSR1 ends it, which must give
 * EINTR once its handler has run; exit status 7
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t got;

static void handler(int sig)
{
	got = sig;
}

static int wait_in(const char *call)
{
	struct timespec t = {1000, 0};
	sigset_t mask;
	int fd[2], ret;
	char byte;

	if (pipe(fd))
		return -2;
	sigfillset(&mask);
	sigdelset(&mask, SIGUSR1);
	if (!strcmp(call, "pause"))
		return pause();
	if (!strcmp(call, "poll"))
		return poll(NULL, 0, -1);
	if (!strcmp(call, "polltime"))
		return poll(NULL, 0, 1000000);
	if (!strcmp(call, "read"))
		return (int)read(fd[0], &byte, 1);
	if (!strcmp(call, "sigsuspend"))
		return sigsuspend(&mask);
	if (!strcmp(call, "nanosleep")) {
		ret = nanosleep(&t, &t);
		return t.tv_sec > 999 || t.tv_sec < 900 ? -3 : ret;
	}
	return -2;
}

int main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = handler};
	int ret;

	if (argc != 2 || sigaction(SIGUSR1, &act, NULL))
		return 2;
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 2;
	ret = wait_in(argv[1]);
	if (ret == -1 && errno == EINTR && got == SIGUSR1)
		return 7;
	dprintf(2, "%s: %d, errno %d, signal %d\n", argv[1], ret, errno, got);
	return 1;
}
