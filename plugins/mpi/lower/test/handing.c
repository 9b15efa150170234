/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handing.c - the lower half's descriptors go to what it executes, as it
 * asked for, but not to what the program executes or forks
 */
#include <sys/socket.h>

#include "mpi/lower/test/test.h"

#define FORKS 500

static int (*lower_open)(const char *, int, ...);
static int (*lower_close)(int);
static int (*lower_fcntl)(int, int, ...);
static int (*lower_system)(const char *);
static int (*lower_fork)(void);
static int (*lower_execl)(const char *, const char *, ...);
static int (*lower_socketpair)(int, int, int, int *);
static int (*lower_accept)(int, struct sockaddr *, socklen_t *);

static void up(void)
{
	CHECK(!cr_lower_boot(NULL, environ, NULL));
	cr_lower_settled();
	CHECK(!cr_lower_check(true, NULL));
	CHECK((lower_open = cr_lower_symbol("open")));
	CHECK((lower_close = cr_lower_symbol("close")));
	CHECK((lower_fcntl = cr_lower_symbol("fcntl")));
	CHECK((lower_system = cr_lower_symbol("system")));
	CHECK((lower_fork = cr_lower_symbol("fork")));
	CHECK((lower_execl = cr_lower_symbol("execl")));
	CHECK((lower_socketpair = cr_lower_symbol("socketpair")));
	CHECK((lower_accept = cr_lower_symbol("accept")));
}

static const char *test_of(int fd)
{
	static char command[64];

	snprintf(command, sizeof(command), "test -e /proc/self/fd/%d", fd);
	return command;
}

/* The status of a shell that the lower half has forked and executed. */
static int fork_and_test(int fd)
{
	const char *command = test_of(fd);
	int pid = CR_LOWER(lower_fork()), status;

	if (!pid)
		CR_LOWER(lower_execl("/bin/sh", "sh", "-c", command, NULL));
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static void check_executed(void)
{
	int open_fd = CR_LOWER(lower_open("/", O_RDONLY));
	int closed_fd = CR_LOWER(lower_open("/", O_RDONLY | O_CLOEXEC));

	CHECK(fcntl(open_fd, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(closed_fd, F_GETFD) == FD_CLOEXEC);
	/* the program's */
	CHECK(system(test_of(open_fd)) == 1 << 8);
	CHECK(system(test_of(closed_fd)) == 1 << 8);
	/* the lower half's */
	CHECK(CR_LOWER(lower_system(test_of(open_fd))) == 0);
	CHECK(CR_LOWER(lower_system(test_of(closed_fd))) == 1 << 8);
	CHECK(fork_and_test(open_fd) == 0);
	CHECK(fork_and_test(closed_fd) == 1 << 8);
	CHECK(fcntl(open_fd, F_GETFD) == FD_CLOEXEC);
	/* it sees what it asked for, and can change its mind */
	CHECK(CR_LOWER(lower_fcntl(open_fd, F_GETFD)) == 0);
	CHECK(CR_LOWER(lower_fcntl(closed_fd, F_GETFD)) == FD_CLOEXEC);
	CHECK(!CR_LOWER(lower_fcntl(open_fd, F_SETFD, FD_CLOEXEC)));
	CHECK(!CR_LOWER(lower_fcntl(closed_fd, F_SETFD, 0)));
	CHECK(CR_LOWER(lower_system(test_of(open_fd))) == 1 << 8);
	CHECK(CR_LOWER(lower_system(test_of(closed_fd))) == 0);
	CHECK(system(test_of(closed_fd)) == 1 << 8);
	CHECK(!CR_LOWER(lower_close(open_fd)));
	CHECK(!CR_LOWER(lower_close(closed_fd)));
}

/* ---- fork() at any moment ---- */

static volatile bool stop;

static void *open_and_close(void *arg)
{
	int fd[2];

	CHECK(!cr_lower_attach());
	while (!stop) {
		CHECK(!CR_LOWER(lower_socketpair(AF_UNIX, SOCK_STREAM, 0, fd)));
		CR_LOWER(lower_close(fd[0]));
		CR_LOWER(lower_close(fd[1]));
	}
	return NULL;
}

/* One that waits for a connection keeps nobody from forking. */
static void *wait_for_another(void *arg)
{
	const int *listener = arg;
	int fd;

	CHECK(!cr_lower_attach());
	fd = CR_LOWER(lower_accept(*listener, NULL, NULL));
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CR_LOWER(lower_close(fd));
	return NULL;
}

static void check_forks(void)
{
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client, before, status;
	struct sockaddr un = { .sa_family = AF_UNIX };
	socklen_t len = sizeof(un.sa_family);
	struct sockaddr_storage name;
	pthread_t t, waiting;
	int i;

	CHECK(listener >= 0 && !bind(listener, &un, len) &&
	      !listen(listener, 1));
	before = count_entries("/proc/self/fd");
	CHECK(!pthread_create(&waiting, NULL, wait_for_another, &listener));
	CHECK(!pthread_create(&t, NULL, open_and_close, NULL));
	for (i = 0; i < FORKS; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(count_entries("/proc/self/fd") - before);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(status == 0);
	}
	stop = true;
	CHECK(!pthread_join(t, NULL));
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	len = sizeof(name);
	CHECK(!getsockname(listener, (struct sockaddr *)&name, &len));
	CHECK(!connect(client, (struct sockaddr *)&name, len));
	CHECK(!pthread_join(waiting, NULL));
	close(client);
	close(listener);
}

int main(void)
{
	up();
	check_executed();
	check_forks();
	CHECK(!cr_lower_check(false, NULL));
	printf("nobody has what is not his\n");
	return 0;
}
