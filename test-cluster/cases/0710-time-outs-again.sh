#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Saved and restarted faster than they wait, threads still time out, and never too early.
# time limit: 120
. "$(dirname "$0")/lib.sh"
enter_ipcns # semaphores of who is killed stay
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
cc_prog waits - <<'C'
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { POLL, EPOLL, FUTEX, NANOSLEEP, SIGNAL, SEMAPHORE, RECEIVE, PPOLL, KINDS };
#define ENOUGH 2 /* waits of each kind that are over */

static pthread_t threads[KINDS];
static int fds[2], epoll, semaphores, word;

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Waits for the time; 0 if that was the result. */
static int wait_once(long kind, struct timespec *t)
{
	const int ms = (int)(t->tv_sec * 1000 + t->tv_nsec / 1000000);
	struct sembuf op = { 0, -1, 0 };
	struct epoll_event event;
	sigset_t set;
	char c;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	switch (kind) {
	case POLL:
		return poll(NULL, 0, ms);
	case EPOLL:
		return epoll_wait(epoll, &event, 1, ms);
	case FUTEX:
		return !syscall(SYS_futex, &word, FUTEX_WAIT, 0, t) ||
		       errno != ETIMEDOUT;
	case NANOSLEEP:
		return nanosleep(t, NULL);
	case SIGNAL:
		return sigtimedwait(&set, NULL, t) != -1 || errno != EAGAIN;
	case SEMAPHORE:
		return !semtimedop(semaphores, &op, 1, t) || errno != EAGAIN;
	case RECEIVE:
		return recv(fds[0], &c, 1, 0) != -1 || errno != EAGAIN;
	default:
		return ppoll(NULL, 0, t, NULL);
	}
}

static void *body(void *arg)
{
	const long kind = (long)arg;
	/* a multiple of the tick of all machines: what a socket takes it for */
	struct timespec t = { 1, 40000000 * (kind + 1) };
	struct timeval v = { t.tv_sec, t.tv_nsec / 1000 };
	const long long ns = t.tv_sec * 1000000000LL + t.tv_nsec;
	long long begin, took;
	int i, wrong;

	if (kind == RECEIVE)
		setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &v, sizeof(v));
	for (i = 0; i < ENOUGH; i++) {
		begin = now_ns();
		wrong = wait_once(kind, &t);
		took = now_ns() - begin;
		if (!wrong && took >= ns)
			continue;
		fprintf(stderr, "kind %ld: %d (errno %d) after %lld of %lld\n",
			kind, wrong, errno, took, ns);
		_exit(8);
	}
	return NULL;
}

int main(void)
{
	sigset_t set;
	long i;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	epoll = epoll_create1(0);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	semctl(semaphores, 0, SETVAL, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return 1;
	for (i = 0; i < KINDS; i++)
		pthread_create(&threads[i], NULL, body, (void *)i);
	puts("ready");
	fflush(stdout);
	for (i = 0; i < KINDS; i++)
		pthread_join(threads[i], NULL);
	close(creat("over", 0600));
	while (access("end", F_OK))
		usleep(1000);
	semctl(semaphores, 0, IPC_RMID);
	return 7;
}
C

# released PID: it is there, and nobody's to trace
released() {
	grep -q '^TracerPid:[^0-9]*0$' "/proc/$1/status" 2>/dev/null
}

start ./waits
waiter=$PID
checkpoints=0 restarts=0
until [ -e over ]; do
	for _ in 1 2; do
		cr_checkpoint -f img "$PID" || fail "$(cat out)"
		checkpoints=$((checkpoints + 1))
	done
	cr_checkpoint --kill -f img "$PID" || fail "$(cat out)"
	wait $waiter 2>/dev/null || true
	cr_restart --restore-pid img 2>err &
	waiter=$!
	wait_for 'released $PID || gone $waiter' 20
	! gone $waiter || fail "cr_restart: $(cat err out)"
	restarts=$((restarts + 1))
done
note "$checkpoints checkpoints, $restarts restarts"
touch end
status=0
wait $waiter || status=$?
[ $status = 7 ] || fail "status $status: $(cat out err)"
