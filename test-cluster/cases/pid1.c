// SPDX-License-Identifier: GPL-2.0-or-later
/* pid1.c - first process of a pid namespace in which a test runs
 *
 * usage: unshare -p -f --mount-proc --kill-child pid1 [--alone] CMD [ARG...]
 *
 * Runs CMD with no descriptors but 0, 1 and 2, reaps every orphan at once,
 * passes SIGTERM, SIGINT and SIGHUP on, and ends with CMD's exit status
 * (128 + signal); whatever still runs then is killed with the namespace.
 * With --alone a process that is still there 3 s after CMD has ended is a
 * failure: it is named on stderr and the exit status is 98.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_LEFTOVERS 98

static pid_t child;

static void pass_on(int sig)
{
	kill(child, sig);
}

/* 1 when no process but this one is left, zombies reaped on the way. */
static int alone(void)
{
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		;
	return kill(-1, 0) < 0 && errno == ESRCH;
}

static void name_leftovers(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	char path[64], name[64];
	FILE *f;

	while (proc && (d = readdir(proc)) != NULL) {
		if (!isdigit(d->d_name[0]) || atoi(d->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f))
			fprintf(stderr, "left behind: process %s %s",
				d->d_name, name);
		fclose(f);
	}
	if (proc)
		closedir(proc);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = pass_on, .sa_flags = SA_RESTART };
	int strict, status = 0, code, i;
	sigset_t set, old;
	pid_t pid;

	argv++;
	strict = *argv && !strcmp(*argv, "--alone");
	argv += strict;
	if (!*argv) {
		fprintf(stderr, "usage: pid1 [--alone] CMD [ARG...]\n");
		return 2;
	}
	close_range(3, ~0U, 0);
	/*
	 * Open MPI calls its shared files after the pid of mpirun; those of
	 * another pid namespace may be called the same.
	 */
	if (mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL) == 0)
		setenv("OMPI_MCA_orte_tmpdir_base", "/dev/shm", 0);

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &old);
	child = fork();
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		execvp(*argv, argv);
		perror(*argv);
		_exit(127);
	}
	if (child < 0) {
		perror("fork");
		return 1;
	}
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);

	while ((pid = waitpid(-1, &status, __WALL)) != child)
		if (pid < 0 && errno != EINTR)
			return 1;
	code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

	for (i = 0; strict && !alone(); i++) {
		if (i == 300) {
			name_leftovers();
			return EXIT_LEFTOVERS;
		}
		poll(NULL, 0, 10);
	}
	return code;
}
