/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * woken.c - threads wait for what never comes, beside others that fork
 *
 * In the calls that end with EINTR when a thread is merely stopped (signal(7)).
 * Whoever comes back from one ends the program, with status 1.  It counts its
 * children in the first number of the file "count", and ends with 0 when the
 * second one is not 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define EACH 8

static volatile long *count;
static int sem, idle, pair[2];
static sigset_t usr1;

static long wait_epoll(void)
{
	struct epoll_event e;

	return epoll_wait(idle, &e, 1, -1);
}

static long wait_signal(void)
{
	return sigwaitinfo(&usr1, NULL);
}

static long wait_semaphore(void)
{
	struct sembuf op = { .sem_op = -1 };

	return semop(sem, &op, 1);
}

static long wait_receive(void)
{
	char c;

	return recv(pair[0], &c, 1, 0);
}

static long wait_poll(void)
{
	struct timespec t = { 1000, 0 };

	return ppoll(NULL, 0, &t, NULL);
}

static const struct {
	const char *name;
	long (*call)(void);
} calls[] = {
	{ "epoll_wait", wait_epoll },	  { "sigwaitinfo", wait_signal },
	{ "semop", wait_semaphore },	  { "recv", wait_receive },
	{ "ppoll", wait_poll },
};
#define CALLS (sizeof(calls) / sizeof(*calls))

static void *waiter(void *arg)
{
	const size_t i = (size_t)arg;
	long ret = calls[i].call();

	if (count[1]) /* the semaphore is gone */
		pause();
	printf("%s: %ld, errno %d\n", calls[i].name, ret, errno);
	fflush(stdout);
	_exit(1);
}

static void *forker(void *arg)
{
	int status;
	pid_t pid;

	while (!count[1]) {
		pid = fork();
		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			_exit(2);
		__sync_fetch_and_add(count, 1);
		usleep(100);
	}
	(void)arg;
	semctl(sem, 0, IPC_RMID);
	_exit(0);
}

int main(void)
{
	struct timeval limit = { 1000, 0 };
	pthread_t t;
	size_t i;

	count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
		     open("count", O_RDWR), 0);
	idle = epoll_create1(0);
	sem = semget(IPC_PRIVATE, 1, 0600);
	/* who waits only is not known to the kernel as its user */
	if (count == MAP_FAILED || idle < 0 || semctl(sem, 0, SETVAL, 0) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		return 3;
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	for (i = 0; i < CALLS * EACH; i++) {
		if (pthread_create(&t, NULL, waiter, (void *)(i % CALLS)))
			return 3;
		if (i % 10 == 5 && pthread_create(&t, NULL, forker, NULL))
			return 3;
	}
	waiter(0);
}
