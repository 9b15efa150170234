// SPDX-License-Identifier: GPL-2.0
/* test-stop.c - threads in all kinds of waits are stopped and notice nothing */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"

#define N_KINDS 12
#define N_THREADS 64
#define N_MANY 600 /* they are asked by and by */
#define SLEEP_NS 3000000000ULL

/* Shared with the target. */
static struct shared {
	volatile unsigned long spins[N_THREADS];
	volatile int started, unexpected[N_THREADS];
	volatile uint64_t slept_ns;
} *shared;

static int pipes[2], sockets[2], epoll, sem;
static uint32_t never;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void wait_somehow(int kind)
{
	const struct timespec hour = { 3600, 0 };
	struct timeval hour_tv = { 3600, 0 };
	struct epoll_event event;
	struct pollfd p = { pipes[0], POLLIN, 0 };
	struct sembuf op = { 0, -1, 0 };
	sigset_t set;
	fd_set fds;
	char c;

	switch (kind) {
	case 0:
		nanosleep(&hour, NULL);
		break;
	case 1:
		if (read(pipes[0], &c, 1) < 0)
			break;
		break;
	case 2:
		poll(&p, 1, 3600000);
		break;
	case 3:
		ppoll(&p, 1, &hour, NULL);
		break;
	case 4:
		FD_ZERO(&fds);
		FD_SET(pipes[0], &fds);
		select(pipes[0] + 1, &fds, NULL, NULL, &hour_tv);
		break;
	case 5:
		epoll_wait(epoll, &event, 1, 3600000);
		break;
	case 6:
		syscall(SYS_futex, &never, FUTEX_WAIT, 0, &hour, NULL, 0);
		break;
	case 7:
		recv(sockets[0], &c, 1, 0);
		break;
	case 8:
		semop(sem, &op, 1);
		break;
	case 9:
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigtimedwait(&set, NULL, &hour);
		break;
	case 10:
		clock_nanosleep(CLOCK_REALTIME, 0, &hour, NULL);
		break;
	default:
		pause();
		break;
	}
}

static void *thread(void *arg)
{
	int n = (int)(intptr_t)arg, kind = n % (N_KINDS + 1);

	__atomic_add_fetch(&shared->started, 1, __ATOMIC_SEQ_CST);
	if (kind == N_KINDS)
		for (;;)
			shared->spins[n]++;
	/* all of these wait for ever: an end is a wake-up that was seen */
	wait_somehow(kind);
	shared->unexpected[n] = errno ? errno : -1;
	return NULL;
}

/* Its first thread measures a sleep that goes on over the stop. */
static void crowd(void *arg)
{
	const struct timespec nap = { SLEEP_NS / 1000000000ULL, 0 };
	struct epoll_event event = { .events = EPOLLIN };
	pthread_t t;
	uint64_t t0;

	(void)arg;
	if (pipe(pipes) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		_exit(98);
	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event);
	sem = semget(IPC_PRIVATE, 1, 0600);
	for (intptr_t i = 1; i < N_THREADS; i++)
		pthread_create(&t, NULL, thread, (void *)i);
	shared->started++;
	t0 = now();
	nanosleep(&nap, NULL);
	shared->slept_ns = now() - t0;
	for (;;)
		pause();
}

static unsigned long all_spins(void)
{
	unsigned long n = 0;

	for (int i = 0; i < N_THREADS; i++)
		n += shared->spins[i];
	return n;
}

static bool all_started(void *arg)
{
	(void)arg;
	return shared->started >= N_THREADS;
}

static bool has_slept(void *arg)
{
	(void)arg;
	return shared->slept_ns != 0;
}

static int resume(int dev, pid_t pid)
{
	struct cr_ioc_target t = { .pid = pid };

	return call(dev, CR_IOC_RESUME, &t);
}

static int get(int dev, pid_t pid, pid_t tid, uint32_t what, void *buf,
	       uint32_t *size)
{
	struct cr_ioc_read r = { .pid = pid, .tid = tid, .what = what,
				 .size = *size, .buf = (uintptr_t)buf };
	int ret = call(dev, CR_IOC_READ, &r);

	*size = r.size;
	return ret;
}

/* What the module says against what ptrace(2) says a moment later. */
static void check_regs(int dev, pid_t pid, pid_t tid)
{
	static char xstate[65536];
	struct user_regs_struct regs;
	struct cr_thread_state state;
	uint32_t size = sizeof(regs);
	uint64_t bits;
	int ret = get(dev, pid, tid, CR_READ_REGS, &regs, &size);

	expect(!ret && size == sizeof(regs), "registers: %d, %u bytes", ret,
	       size);
	expect(regs.fs_base && regs.rip && regs.rsp, "registers of %d", tid);
	size = 10;
	ret = get(dev, pid, tid, CR_READ_XSTATE, xstate, &size);
	expect(ret == -ENOSPC && size >= 576, "xstate: %d, %u", ret, size);
	size = sizeof(xstate);
	ret = get(dev, pid, tid, CR_READ_XSTATE, xstate, &size);
	memcpy(&bits, xstate + 512, sizeof(bits));
	expect(!ret && size >= 576 && !(bits & ~0xfffffULL), "xstate: %d", ret);
	size = sizeof(state);
	ret = get(dev, pid, tid, CR_READ_STATE, &state, &size);
	expect(!ret && state.robust_list, "state: %d", ret);
	/* restart_syscall(2) says no more what it goes on with */
	if ((int64_t)regs.rax == -516 && regs.orig_rax != SYS_restart_syscall)
		expect(state.restart_ns > 0, "sleep of call %lld",
		       (long long)regs.orig_rax);
}

static void test_crowd(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	struct cr_ioc_threads t = { .pid = pid, .max = N_THREADS };
	int32_t tids[N_THREADS];
	struct cr_ioc_stop s;
	int dev = dev_open(), ret = attach(dev, pid);
	unsigned long before;

	expect(!ret, "attach: %d", ret);
	t.tids = (uintptr_t)tids;
	for (int round = 0; round < 20; round++) {
		ret = dev_stop(dev, pid, ENOUGH_MS, &s);
		expect(!ret && s.n_threads == N_THREADS,
		       "stop: %d, %u threads, thread %d why %u", ret,
		       s.n_threads, s.tid, s.why);
		if (ret)
			break;
		before = all_spins();
		ret = call(dev, CR_IOC_THREADS, &t);
		expect(!ret && t.n == N_THREADS, "threads: %d, %u", ret, t.n);
		for (uint32_t i = 0; round < 2 && i < t.n; i++)
			check_regs(dev, pid, tids[i]);
		ret = dev_stop(dev, pid, ENOUGH_MS, &s);
		expect(ret == -EALREADY, "stop twice: %d", ret);
		usleep(5000);
		expect(all_spins() == before, "it runs while it is stopped");
		ret = resume(dev, pid);
		expect(!ret, "resume: %d", ret);
		while (all_spins() == before)
			usleep(1000);
	}
	ret = resume(dev, pid);
	expect(ret == -ESRCH, "resume twice: %d", ret);
	close(dev);
}

static void *pause_for_ever(void *arg)
{
	__atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
	while (pause())
		;
	return NULL;
}

static void many(void *arg)
{
	pthread_attr_t attr;
	pthread_t t;

	(void)arg;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (int i = 1; i < N_MANY; i++)
		if (pthread_create(&t, &attr, pause_for_ever,
				   (void *)&shared->started))
			_exit(98);
	pause_for_ever((void *)&shared->started);
}

static bool many_started(void *arg)
{
	(void)arg;
	return shared->started >= N_MANY;
}

static void test_many(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	struct cr_ioc_threads t = { .pid = pid, .max = N_MANY };
	int32_t tids[N_MANY];
	struct cr_ioc_stop s;
	int dev = dev_open(), ret = attach(dev, pid);

	expect(!ret, "attach: %d", ret);
	ret = dev_stop(dev, pid, ENOUGH_MS, &s);
	expect(!ret && s.n_threads == N_MANY, "stop: %d, %u threads", ret,
	       s.n_threads);
	t.tids = (uintptr_t)tids;
	ret = call(dev, CR_IOC_THREADS, &t);
	expect(!ret && t.n == N_MANY, "threads: %d, %u", ret, t.n);
	close(dev);
	wait_state(pid, "S");
}

static void handler(int sig)
{
	(void)sig;
}

static void with_pending(void *arg)
{
	sigset_t set;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGUSR2, handler);
	shared->started = 1;
	for (;;)
		pause();
}

/* Pending signals, the process's and the thread's, with what they carry. */
static void test_pending(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	siginfo_t info[8] = { 0 }, own = { 0 };
	struct cr_thread_state state;
	struct cr_ioc_stop s;
	uint32_t size = sizeof(info);
	int dev = dev_open(), ret = attach(dev, pid);

	expect(!ret, "attach: %d", ret);
	for (int i = 0; i < 3; i++)
		sigqueue(pid, SIGRTMIN, (union sigval){ .sival_int = 40 + i });
	own.si_signo = SIGUSR1;
	own.si_code = SI_QUEUE;
	own.si_value.sival_int = 77;
	syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGUSR1, &own);
	ret = dev_stop(dev, pid, ENOUGH_MS, &s);
	expect(!ret, "stop: %d", ret);
	ret = get(dev, pid, pid, CR_READ_SHARED, info, &size);
	expect(!ret && size == 3 * sizeof(*info), "shared: %d, %u", ret, size);
	for (int i = 0; i < 3; i++)
		expect(info[i].si_signo == SIGRTMIN &&
			       info[i].si_value.sival_int == 40 + i &&
			       info[i].si_uid == USER,
		       "signal %d of three", i);
	size = sizeof(info);
	ret = get(dev, pid, pid, CR_READ_PENDING, info, &size);
	expect(!ret && size == sizeof(*info) && info[0].si_signo == SIGUSR1 &&
		       info[0].si_value.sival_int == 77,
	       "private: %d, %u", ret, size);
	size = sizeof(state);
	ret = get(dev, pid, pid, CR_READ_STATE, &state, &size);
	expect(!ret && state.sigmask >> (SIGUSR1 - 1) & 1, "mask: %d", ret);
	ret = get(dev, pid, pid, 99, &state, &size);
	expect(ret == -EINVAL, "reading something else: %d", ret);
	ret = get(dev, pid, 1, CR_READ_STATE, &state, &size);
	expect(ret == -ESRCH, "another's thread: %d", ret);
	close(dev);
	wait_state(pid, "S");
}

int main(void)
{
	pid_t pid;

	if (!can_stop_threads())
		return 77;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = start_as(USER, crowd, NULL);
	expect(wait_until(all_started, NULL), "the crowd");
	run_as(USER, test_crowd, &pid);
	expect(wait_until(has_slept, NULL), "the sleep has ended");
	expect(shared->slept_ns >= SLEEP_NS, "it was cut short");
	for (int i = 0; i < N_THREADS; i++)
		expect(!shared->unexpected[i], "wait of kind %d ended: %d",
		       i % (N_KINDS + 1), shared->unexpected[i]);
	finish(pid);
	shared->started = 0;
	pid = start_as(USER, many, NULL);
	expect(wait_until(many_started, NULL), "many threads");
	run_as(USER, test_many, &pid);
	finish(pid);
	shared->started = 0;
	pid = start_as(USER, with_pending, NULL);
	wait_state(pid, "S");
	run_as(USER, test_pending, &pid);
	finish(pid);
	return test_end();
}
