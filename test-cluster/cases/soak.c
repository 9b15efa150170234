// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * soak.c - a tree of 50 processes and 500 threads under random load
 *
 * Each process has the same ten threads: the first moves money between
 * accounts in shared memory, the others use futexes, pipes, sockets, memory,
 * children, signals and timers.  Everything is checked by whoever sees it.
 * The first process prints "round N" each time that every thread has done
 * something since the line before; the rounds stop at the first thing wrong,
 * which is printed, too.  It runs until it is killed.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCS 50
#define THREADS 10
#define ACCOUNTS 64
#define MONEY 1000
#define BLOCK 3000
#define REGIONS 8
#define RT SIGRTMIN

struct shared {
	pthread_mutex_t bank;
	long account[ACCOUNTS];
	atomic_long done[PROCS][THREADS];
	atomic_int failed;
};

static struct shared *sh;
static pid_t member[PROCS];  /* of the first process: the others */
static int me;		     /* which process */
static int from_fd, to_fd;   /* the ring of pipes */
static int pair_fd[2];	     /* with the neighbour; in it one of the two */
static _Thread_local uint64_t seed;
static _Thread_local int my_thread;

/* For the ping-pong of two threads. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long turn;

static void wrong(const char *fmt, ...)
{
	char buf[300];
	va_list ap;
	int n;

	n = snprintf(buf, sizeof(buf), "wrong: process %d thread %d: ", me,
		     my_thread);
	va_start(ap, fmt);
	n += vsnprintf(buf + n, sizeof(buf) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	buf[n++] = '\n';
	if (write(STDOUT_FILENO, buf, (size_t)n) == n)
		atomic_store(&sh->failed, 1);
	_exit(1);
}

#define CHECK(cond)                                                        \
	do {                                                               \
		errno = 0;                                                 \
		if (!(cond))                                               \
			wrong("line %d: %s: %s", __LINE__, #cond,          \
			      strerror(errno));                            \
	} while (0)

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static unsigned int below(unsigned int n)
{
	return (unsigned int)(next() >> 33) % n;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* It must not come back early, nor be interrupted. */
static void nap(void)
{
	struct timespec t = { .tv_nsec = 1000000 + below(40000000) };
	int64_t begin = now_ns();

	CHECK(!nanosleep(&t, NULL));
	CHECK(now_ns() - begin >= t.tv_nsec);
}

static void step(void)
{
	atomic_fetch_add(&sh->done[me][my_thread], 1);
	if (below(8))
		nap();
}

/* Bytes that tell whose they are. */
static void fill(unsigned char *p, size_t len, uint64_t key)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)(key * 31 + i * 7 + i / 253);
}

static void verify(const unsigned char *p, size_t len, uint64_t key)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != (unsigned char)(key * 31 + i * 7 + i / 253))
			wrong("byte %zu of %zu with key %lx", i, len,
			      (long)key);
}

static void read_all(int fd, void *buf, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = read(fd, (char *)buf + got, len - got);

		CHECK(n > 0);
		got += (size_t)n;
	}
}

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

static void *pipe_writer(void *arg)
{
	(void)arg;
	send_blocks(to_fd);
	return NULL;
}

static void *pipe_reader(void *arg)
{
	(void)arg;
	receive_blocks(from_fd);
	return NULL;
}

static void *socket_writer(void *arg)
{
	(void)arg;
	send_blocks(pair_fd[me % 2]);
	return NULL;
}

static void *socket_reader(void *arg)
{
	(void)arg;
	receive_blocks(pair_fd[me % 2]);
	return NULL;
}

/* Two threads that take turns; nobody waits in vain. */
static void *player(void *arg)
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

static void *mapper(void *arg)
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
static void *forker(void *arg)
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

static atomic_int handled;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (sig == RT + 3 && info->si_code == SI_TKILL)
		atomic_fetch_add(&handled, 1);
}

/* Queued signals come once, with their values, in order. */
static void *signaller(void *arg)
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
		n = atomic_load(&handled);
		CHECK(!syscall(SYS_tgkill, pid, tid, RT + 3));
		CHECK(atomic_load(&handled) == n + 1);
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

static void transfer(void)
{
	long sum = 0, amount = (long)below(100);
	unsigned int a = below(ACCOUNTS), b = below(ACCOUNTS);

	CHECK(!pthread_mutex_lock(&sh->bank));
	sh->account[a] -= amount;
	if (below(4) == 0)
		sched_yield();
	sh->account[b] += amount;
	if (below(4) == 0) {
		for (int i = 0; i < ACCOUNTS; i++)
			sum += sh->account[i];
		CHECK(sum == ACCOUNTS * MONEY);
	}
	CHECK(!pthread_mutex_unlock(&sh->bank));
}

struct start {
	int number;
	void *(*fn)(void *);
	void *arg;
};

static void *begin(void *arg)
{
	struct start *s = arg;

	my_thread = s->number;
	seed = 88172645463325252ull + (uint64_t)(me * THREADS + my_thread);
	return s->fn(s->arg);
}

static void start_threads(void)
{
	static struct start all[THREADS - 1] = {
		{ 1, player, (void *)0 },   { 2, player, (void *)1 },
		{ 3, pipe_writer, NULL },   { 4, pipe_reader, NULL },
		{ 5, socket_writer, NULL }, { 6, socket_reader, NULL },
		{ 7, mapper, NULL },	    { 8, forker, NULL },
		{ 9, signaller, NULL },
	};
	pthread_attr_t attr;
	pthread_t th;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (int i = 0; i < THREADS - 1; i++)
		CHECK(!pthread_create(&th, &attr, begin, &all[i]));
}

static void wait_for_all(long seen[PROCS][THREADS])
{
	for (int p = 0; p < PROCS; p++)
		for (int t = 0; t < THREADS; t++) {
			while (atomic_load(&sh->done[p][t]) == seen[p][t]) {
				transfer();
				step();
				CHECK(!atomic_load(&sh->failed));
				CHECK(!p || !waitpid(member[p], NULL, WNOHANG));
				nap();
			}
			seen[p][t] = atomic_load(&sh->done[p][t]);
		}
}

static void run_first(void)
{
	static long seen[PROCS][THREADS];
	char line[32];
	int n;

	for (int round = 1;; round++) {
		wait_for_all(seen);
		n = snprintf(line, sizeof(line), "round %d\n", round);
		CHECK(write(STDOUT_FILENO, line, (size_t)n) == n);
	}
}

static void make_shared(void)
{
	pthread_mutexattr_t attr;

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		exit(2);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	CHECK(!pthread_mutex_init(&sh->bank, &attr));
	for (int i = 0; i < ACCOUNTS; i++)
		sh->account[i] = MONEY;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = handler,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	int ring[PROCS][2], pair[PROCS / 2][2], i;
	pid_t parent = getpid();
	sigset_t set;

	if (argc > 1)
		return atoi(argv[1]);
	make_shared();
	for (i = 0; i < PROCS; i++)
		CHECK(!pipe(ring[i]));
	for (i = 0; i < PROCS / 2; i++)
		CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i]));
	sigemptyset(&set);
	sigaddset(&set, RT + 1);
	sigaddset(&set, RT + 2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(RT + 3, &sa, NULL);
	for (me = 1; me < PROCS; me++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			break;
		member[me] = pid;
	}
	if (me == PROCS)
		me = 0;
	else if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		return 1;
	from_fd = ring[me][0];
	to_fd = ring[(me + 1) % PROCS][1];
	memcpy(pair_fd, pair[me / 2], sizeof(pair_fd));
	for (i = 0; i < PROCS; i++) {
		if (i != me)
			close(ring[i][0]);
		if (i != (me + 1) % PROCS)
			close(ring[i][1]);
		if (i / 2 != me / 2 && i % 2 == 0) {
			close(pair[i / 2][0]);
			close(pair[i / 2][1]);
		}
	}
	close(pair_fd[!(me % 2)]);
	seed = 88172645463325252ull + (uint64_t)me * THREADS;
	start_threads();
	if (!me)
		run_first();
	for (;;) {
		transfer();
		step();
	}
}
