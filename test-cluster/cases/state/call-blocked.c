/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call-blocked.c - a thread waits in a system call all the while: it neither
 * comes back from it nor misses what it waits for
 */
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "state.h"

#define HOUR 3600

static volatile long result, result_errno;
static volatile pid_t tid;
static volatile int came_back;
static pthread_t thread;
static int fds[2], futex_word;

static void *body(void *arg)
{
	long (*fn)(void) = (long (*)(void))arg;

	tid = (pid_t)syscall(SYS_gettid);
	errno = 0;
	result = fn();
	result_errno = errno;
	came_back = 1;
	return NULL;
}

static bool sleeps(pid_t id)
{
	char path[64], line[300] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", id);
	f = fopen(path, "re");
	if (!f)
		return false;
	end = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return end && end[2] == 'S';
}

/* fn is called by a thread of its own, and waits, over the checkpoint. */
static void blocked(long (*fn)(void))
{
	CHECK(!pthread_create(&thread, NULL, body, (void *)fn));
	while (!tid || !sleeps(tid))
		usleep(1000);
	checkpoint();
	usleep(20000);
	if (came_back)
		errno = (int)result_errno;
	if (came_back)
		fail_at(__FILE__, __LINE__, "it came back");
}

/* Now it has what it waits for. */
static void ends_with(long want)
{
	CHECK(!pthread_join(thread, NULL));
	errno = (int)result_errno;
	if (result != want)
		fail_at(__FILE__, __LINE__, "its result");
}

static long do_read(void)
{
	char c;

	return read(fds[0], &c, 1);
}

STATE(blocked_read)
{
	CHECK(!pipe(fds));
	blocked(do_read);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static long do_readv(void)
{
	char a[2], b[2];
	struct iovec v[2] = { { a, 2 }, { b, 2 } };

	return readv(fds[0], v, 2);
}

STATE(blocked_readv)
{
	CHECK(!pipe(fds));
	blocked(do_readv);
	CHECK(write(fds[1], "xyz", 3) == 3);
	ends_with(3);
}

static long do_write(void)
{
	return write(fds[1], "x", 1);
}

STATE(blocked_write)
{
	static char full[4096];
	int i;

	CHECK(!pipe(fds));
	for (i = 0; i < 16; i++)
		CHECK(write(fds[1], full, 4096) == 4096);
	blocked(do_write);
	CHECK(read(fds[0], full, 4096) == 4096);
	ends_with(1);
}

static long do_poll(void)
{
	struct pollfd p = { .fd = fds[0], .events = POLLIN };

	return poll(&p, 1, HOUR * 1000);
}

STATE(blocked_poll)
{
	CHECK(!pipe(fds));
	blocked(do_poll);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static long do_ppoll(void)
{
	struct pollfd p = { .fd = fds[0], .events = POLLIN };
	struct timespec t = { HOUR, 0 };
	sigset_t set;

	sigemptyset(&set);
	return ppoll(&p, 1, &t, &set);
}

STATE(blocked_ppoll)
{
	CHECK(!pipe(fds));
	blocked(do_ppoll);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static long do_select(void)
{
	struct timeval t = { HOUR, 0 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	return select(fds[0] + 1, &set, NULL, NULL, &t);
}

STATE(blocked_select)
{
	CHECK(!pipe(fds));
	blocked(do_select);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static int epoll;

static long do_epoll(void)
{
	struct epoll_event e;

	return epoll_wait(epoll, &e, 1, HOUR * 1000);
}

static void make_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	CHECK(!pipe(fds));
	epoll = epoll_create1(0);
	CHECK(epoll >= 0 && !epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &e));
}

STATE(blocked_epoll)
{
	make_epoll();
	blocked(do_epoll);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static long do_epoll_forever(void)
{
	struct epoll_event e;
	sigset_t set;

	sigemptyset(&set);
	return epoll_pwait(epoll, &e, 1, -1, &set);
}

STATE(blocked_epoll_pwait)
{
	make_epoll();
	blocked(do_epoll_forever);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static long do_futex(void)
{
	return syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, NULL);
}

STATE(blocked_futex)
{
	blocked(do_futex);
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1) == 1);
	ends_with(0);
}

static long do_futex_timed(void)
{
	struct timespec t = { HOUR, 0 };

	return syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &t);
}

STATE(blocked_futex_timed)
{
	blocked(do_futex_timed);
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1) == 1);
	ends_with(0);
}

static int *shared_word;

static long do_futex_shared(void)
{
	return syscall(SYS_futex, shared_word, FUTEX_WAIT, 0, NULL);
}

STATE(blocked_futex_shared)
{
	shared_word = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	blocked(do_futex_shared);
	CHECK(syscall(SYS_futex, shared_word, FUTEX_WAKE, 1) == 1);
	ends_with(0);
}

static sem_t sem;

static long do_sem(void)
{
	return sem_wait(&sem);
}

STATE(blocked_sem_wait)
{
	CHECK(!sem_init(&sem, 0, 0));
	blocked(do_sem);
	CHECK(!sem_post(&sem));
	ends_with(0);
}

static long do_sem_timed(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += HOUR;
	return sem_timedwait(&sem, &t);
}

STATE(blocked_sem_timedwait)
{
	CHECK(!sem_init(&sem, 0, 0));
	blocked(do_sem_timed);
	CHECK(!sem_post(&sem));
	ends_with(0);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static long do_mutex(void)
{
	return pthread_mutex_lock(&mutex) || pthread_mutex_unlock(&mutex);
}

STATE(blocked_mutex)
{
	pthread_mutex_lock(&mutex);
	blocked(do_mutex);
	pthread_mutex_unlock(&mutex);
	ends_with(0);
}

static int told;

static long do_cond(void)
{
	pthread_mutex_lock(&mutex);
	while (!told)
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
	return 5;
}

STATE(blocked_cond)
{
	blocked(do_cond);
	pthread_mutex_lock(&mutex);
	told = 1;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
	ends_with(5);
}

static long do_recv(void)
{
	char c[4];

	return recv(fds[0], c, sizeof(c), 0);
}

STATE(blocked_recv)
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	blocked(do_recv);
	CHECK(send(fds[1], "ab", 2, 0) == 2);
	ends_with(2);
}

static long do_recvmsg(void)
{
	char c[4];
	struct iovec v = { c, sizeof(c) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return recvmsg(fds[0], &m, 0);
}

STATE(blocked_recvmsg)
{
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	blocked(do_recvmsg);
	CHECK(send(fds[1], "abc", 3, 0) == 3);
	ends_with(3);
}

static long do_eventfd(void)
{
	uint64_t n;

	return read(fds[0], &n, 8) == 8 ? (long)n : -1;
}

STATE(blocked_eventfd)
{
	uint64_t n = 9;

	fds[0] = eventfd(0, 0);
	blocked(do_eventfd);
	CHECK(write(fds[0], &n, 8) == 8);
	ends_with(9);
}

static pid_t waited;
static int hold[2];

static void held_child(void)
{
	char c;

	close(hold[1]);
	CHECK(read(hold[0], &c, 1) == 0);
}

static long do_wait(void)
{
	return waitpid(waited, NULL, 0);
}

STATE(blocked_wait)
{
	CHECK(!pipe(hold));
	waited = child(held_child);
	blocked(do_wait);
	close(hold[1]);
	ends_with(waited);
}

static long do_waitid(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED) ? -1 : info.si_pid;
}

STATE(blocked_waitid)
{
	CHECK(!pipe(hold));
	waited = child(held_child);
	blocked(do_waitid);
	close(hold[1]);
	ends_with(waited);
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
}

static long do_sigwait(void)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigwaitinfo(&set, &info) == SIGUSR1 ? info.si_value.sival_int
						   : -1;
}

STATE(blocked_sigwaitinfo)
{
	block(SIGUSR1);
	blocked(do_sigwait);
	CHECK(!pthread_sigqueue(thread, SIGUSR1,
				(union sigval){ .sival_int = 31 }));
	ends_with(31);
}

static long do_sigtimedwait(void)
{
	struct timespec t = { HOUR, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigtimedwait(&set, NULL, &t);
}

STATE(blocked_sigtimedwait)
{
	block(SIGUSR1);
	blocked(do_sigtimedwait);
	CHECK(!pthread_kill(thread, SIGUSR1));
	ends_with(SIGUSR1);
}

static volatile int handled;

static void on_usr1(int sig)
{
	handled++;
}

static long do_sigsuspend(void)
{
	sigset_t set, now;
	int r, e;

	sigemptyset(&set);
	r = sigsuspend(&set);
	e = errno;
	sigprocmask(SIG_BLOCK, NULL, &now);
	return r == -1 && e == EINTR && handled == 1 &&
	       sigismember(&now, SIGUSR1);
}

STATE(blocked_sigsuspend)
{
	signal(SIGUSR1, on_usr1);
	block(SIGUSR1);
	blocked(do_sigsuspend);
	CHECK(!pthread_kill(thread, SIGUSR1));
	ends_with(1);
}

static long do_pause(void)
{
	return pause() == -1 && errno == EINTR && handled == 1;
}

STATE(blocked_pause)
{
	signal(SIGUSR1, on_usr1);
	blocked(do_pause);
	CHECK(!pthread_kill(thread, SIGUSR1));
	ends_with(1);
}

/* Ended by a signal, a sleep tells what was left of it. */
static struct timespec left;

static long do_nanosleep(void)
{
	struct timespec t = { HOUR, 0 };

	return nanosleep(&t, &left) == -1 && errno == EINTR;
}

STATE(blocked_nanosleep)
{
	signal(SIGUSR1, on_usr1);
	blocked(do_nanosleep);
	CHECK(!pthread_kill(thread, SIGUSR1));
	ends_with(1);
	CHECK(left.tv_sec > HOUR - 600 && left.tv_sec <= HOUR);
}

static long do_sleep_until(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += HOUR;
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

STATE(blocked_sleep_until)
{
	signal(SIGUSR1, on_usr1);
	blocked(do_sleep_until);
	CHECK(!pthread_kill(thread, SIGUSR1));
	ends_with(EINTR);
}

/* SA_RESTART: the handler runs and the call goes on. */
STATE(blocked_sa_restart)
{
	struct sigaction sa = { .sa_handler = on_usr1,
				.sa_flags = SA_RESTART };

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	CHECK(!pipe(fds));
	blocked(do_read);
	CHECK(!pthread_kill(thread, SIGUSR1));
	while (!handled)
		usleep(1000);
	CHECK(!came_back);
	CHECK(write(fds[1], "x", 1) == 1);
	ends_with(1);
}

static long do_flock(void)
{
	return flock(fds[1], LOCK_EX);
}

STATE(blocked_flock)
{
	fds[0] = open("blocked_flock.lock", O_RDWR | O_CREAT, 0666);
	fds[1] = open("blocked_flock.lock", O_RDWR);
	CHECK(!flock(fds[0], LOCK_EX));
	blocked(do_flock);
	CHECK(!flock(fds[0], LOCK_UN));
	ends_with(0);
}

/* A call that nobody waits for any more: the thread is cancelled in it. */
STATE(blocked_cancel)
{
	void *value;

	CHECK(!pipe(fds));
	blocked(do_read);
	CHECK(!pthread_cancel(thread));
	CHECK(!pthread_join(thread, &value));
	CHECK(value == PTHREAD_CANCELED);
}
