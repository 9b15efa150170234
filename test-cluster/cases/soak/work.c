// SPDX-License-Identifier: GPL-2.0-or-later
/* work.c - what the threads of the soak do all the time */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

#define BLOCK 3000
#define REGIONS 8

/* For the ping-pong of two threads. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long turn;

struct block {
	uint64_t number, len;
	unsigned char data[BLOCK];
};

/* A blocking write takes all of it. */
static void send_blocks(int fd)
{
	struct block b;

	for (b.number = 0;; b.number++, step()) {
		b.len = below(BLOCK) + 1;
		fill(b.data, b.len, b.number);
		CHECK(write(fd, &b, offsetof(struct block, data) + b.len) ==
		      (ssize_t)(offsetof(struct block, data) + b.len));
	}
}

static void receive_blocks(int fd)
{
	struct block b;

	for (uint64_t number = 0;; number++, step()) {
		read_all(fd, &b, offsetof(struct block, data));
		CHECK(b.number == number && b.len && b.len <= BLOCK);
		read_all(fd, b.data, b.len);
		verify(b.data, b.len, number);
	}
}

void *pipe_writer(void *arg)
{
	(void)arg;
	send_blocks(to_fd);
	return NULL;
}

void *pipe_reader(void *arg)
{
	(void)arg;
	receive_blocks(from_fd);
	return NULL;
}

void *socket_writer(void *arg)
{
	(void)arg;
	send_blocks(pair_fd[me % 2]);
	return NULL;
}

void *socket_reader(void *arg)
{
	(void)arg;
	receive_blocks(pair_fd[me % 2]);
	return NULL;
}

/* Two threads that take turns; nobody waits in vain. */
void *player(void *arg)
{
	long mine = (long)(intptr_t)arg;
	struct timespec t;

	for (;; step()) {
		CHECK(!pthread_mutex_lock(&lock));
		while (turn % 2 != mine) {
			clock_gettime(CLOCK_REALTIME, &t);
			t.tv_sec += 600;
			CHECK(!pthread_cond_timedwait(&changed, &lock, &t));
		}
		turn++;
		CHECK(!pthread_cond_broadcast(&changed));
		CHECK(!pthread_mutex_unlock(&lock));
	}
	return NULL;
}

struct region {
	unsigned char *p;
	size_t len;
	uint64_t key;
};

static void use_region(struct region *r)
{
	unsigned char *p;
	size_t len;

	switch (below(5)) {
	case 0:
		CHECK(!mprotect(r->p, r->len, PROT_READ));
		verify(r->p, r->len, r->key);
		CHECK(!mprotect(r->p, r->len, PROT_READ | PROT_WRITE));
		return;
	case 1:
		len = (below(16) + 1) * 4096;
		p = mremap(r->p, r->len, len, MREMAP_MAYMOVE);
		CHECK(p != MAP_FAILED);
		verify(p, len < r->len ? len : r->len, r->key);
		r->p = p;
		r->len = len;
		break;
	case 2:
		CHECK(!madvise(r->p, r->len, MADV_DONTNEED));
		for (size_t i = 0; i < r->len; i += 512)
			CHECK(!r->p[i]);
		break;
	default:
		verify(r->p, r->len, r->key);
		CHECK(!munmap(r->p, r->len));
		r->p = NULL;
		return;
	}
	r->key = next();
	fill(r->p, r->len, r->key);
}

void *mapper(void *arg)
{
	struct region region[REGIONS] = { 0 }, *r;

	(void)arg;
	for (;; step()) {
		r = &region[below(REGIONS)];
		if (r->p) {
			use_region(r);
			continue;
		}
		r->len = (below(16) + 1) * 4096;
		r->p = mmap(NULL, r->len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(r->p != MAP_FAILED);
		r->key = next();
		fill(r->p, r->len, r->key);
	}
	return NULL;
}

/* Children that end at once, by exec or not, each with its own status. */
void *forker(void *arg)
{
	char number[8];
	pid_t pid, got;
	int status, n;

	(void)arg;
	for (;; step(), nap(), nap(), nap()) {
		n = (int)below(200);
		snprintf(number, sizeof(number), "%d", n);
		pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			if (n % 4 == 0)
				execl("/proc/self/exe", "soak", number, NULL);
			_exit(n);
		}
		got = waitpid(pid, &status, 0);
		CHECK(got == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == n);
	}
	return NULL;
}

_Thread_local volatile int handled;

void handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (sig != RT + 3 || info->si_code != SI_TKILL)
		wrong("signal %d with code %d", sig, info->si_code);
	handled++;
}

/* Queued signals come once, with their values, in order. */
void *signaller(void *arg)
{
	struct itimerspec once = { .it_value.tv_nsec = 2000000 };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID,
			       .sigev_signo = RT + 2,
			       .sigev_value.sival_int = 4711 };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), value = 0, i, n;
	pid_t pid = getpid(), tid = gettid();
	sigset_t rt1, rt2;
	siginfo_t info;
	uint64_t count;
	timer_t timer;

	(void)arg;
	ev._sigev_un._tid = tid;
	CHECK(fd >= 0 && !timer_create(CLOCK_MONOTONIC, &ev, &timer));
	sigemptyset(&rt1);
	sigaddset(&rt1, RT + 1);
	sigemptyset(&rt2);
	sigaddset(&rt2, RT + 2);
	for (;; step()) {
		CHECK(getpid() == pid && gettid() == tid);
		n = (int)below(8) + 1;
		for (i = 0; i < n; i++)
			CHECK(!sigqueue(pid, RT + 1,
					(union sigval){ .sival_int = value + i }));
		for (i = 0; i < n; i++, value++) {
			CHECK(sigwaitinfo(&rt1, &info) == RT + 1);
			CHECK(info.si_value.sival_int == value);
		}
		n = handled;
		CHECK(!syscall(SYS_tgkill, pid, tid, RT + 3));
		CHECK(handled == n + 1);
		CHECK(!timer_settime(timer, 0, &once, NULL));
		CHECK(sigwaitinfo(&rt2, &info) == RT + 2);
		CHECK(info.si_value.sival_int == 4711 &&
		      info.si_code == SI_TIMER);
		CHECK(!timerfd_settime(fd, 0, &once, NULL));
		CHECK(read(fd, &count, sizeof(count)) == sizeof(count));
		CHECK(count == 1);
	}
	return NULL;
}
