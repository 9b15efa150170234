/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blocking.c - threads in every kind of blocking call, with signals that arrive
 * all the time; none of them may see anything of a checkpoint or a restart
 *
 * "ready" when all run; SIGTERM ends it with status 7, anything that is wrong
 * with a line on standard error and status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_int quit;
static atomic_ulong laps[16], chld, sent, got, ticks;
static pid_t me, parent;
static int child_exits;

__attribute__((format(printf, 1, 2), noreturn))
static void bad(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	if (write(2, line, n) != n)
		_exit(3);
	_exit(1);
}

#define CHECK(c) do { if (!(c)) bad("%s:%d: %s (%s)", __func__, __LINE__, \
				    #c, strerror(errno)); } while (0)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void block_all(void)
{
	sigset_t s;

	sigfillset(&s);
	pthread_sigmask(SIG_SETMASK, &s, NULL);
}

/* No signal can reach these: every EINTR comes from outside. */
static void *t_nanosleep(void *arg)
{
	struct timespec t;
	double t0;

	(void)arg;
	block_all();
	while (!quit) {
		t0 = now();
		t = (struct timespec){0, 7000000};
		CHECK(nanosleep(&t, NULL) == 0);
		CHECK(now() - t0 >= 0.00699);
		t = (struct timespec){0, 3000000};
		CHECK(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t,
			      &t) == 0);
		clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_nsec += 5000000;
		if (t.tv_nsec >= 1000000000) {
			t.tv_sec++;
			t.tv_nsec -= 1000000000;
		}
		CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t,
				      NULL) == 0);
		laps[0]++;
	}
	return NULL;
}

static void *t_futex(void *arg)
{
	static atomic_int word;
	struct timespec t;
	sem_t sem;

	(void)arg;
	block_all();
	sem_init(&sem, 0, 0);
	while (!quit) {
		t = (struct timespec){0, 6000000};
		CHECK(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0) ==
			      -1 && errno == ETIMEDOUT);
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += 4000000;
		if (t.tv_nsec >= 1000000000) {
			t.tv_sec++;
			t.tv_nsec -= 1000000000;
		}
		CHECK(sem_timedwait(&sem, &t) == -1 && errno == ETIMEDOUT);
		laps[1]++;
	}
	return NULL;
}

static void *t_poll(void *arg)
{
	int p[2];
	struct pollfd f;
	struct timeval tv;
	struct timespec ts;
	fd_set set;

	(void)arg;
	block_all();
	CHECK(pipe(p) == 0);
	f = (struct pollfd){p[0], POLLIN, 0};
	while (!quit) {
		CHECK(poll(&f, 1, 5) == 0);
		ts = (struct timespec){0, 4000000};
		CHECK(ppoll(&f, 1, &ts, NULL) == 0);
		FD_ZERO(&set);
		FD_SET(p[0], &set);
		tv = (struct timeval){0, 4000};
		CHECK(select(p[0] + 1, &set, NULL, NULL, &tv) == 0);
		laps[2]++;
	}
	return NULL;
}

static int ping[2], pong[2];

/* Bytes go round by blocking reads; none is lost, none comes twice. */
static void *t_read(void *arg)
{
	unsigned int v, next = 0;

	(void)arg;
	block_all();
	while (!quit) {
		CHECK(write(ping[1], &next, 4) == 4);
		CHECK(read(pong[0], &v, 4) == 4);
		CHECK(v == next);
		next++;
		laps[3]++;
	}
	close(ping[1]);
	return NULL;
}

static void *t_echo(void *arg)
{
	struct timespec t = {0, 1000000};
	unsigned int v;
	ssize_t n;

	(void)arg;
	block_all();
	while ((n = read(ping[0], &v, 4)) == 4) {
		nanosleep(&t, NULL);
		CHECK(write(pong[1], &v, 4) == 4);
	}
	CHECK(n == 0);
	return NULL;
}

/* Children: wait(-1) sees each of ours, and no other. */
static void *t_wait(void *arg)
{
	struct timespec t = {0, 2000000};
	int st;
	pid_t pid;

	(void)arg;
	block_all();
	while (!quit) {
		CHECK(waitpid(-1, &st, WNOHANG | __WALL) == -1 &&
		      errno == ECHILD);
		pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			if (getppid() != me)
				_exit(99);
			nanosleep(&t, NULL);
			_exit(42);
		}
		CHECK(waitpid(-1, &st, __WALL) == pid);
		CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 42);
		child_exits++;
		CHECK(waitpid(-1, &st, __WALL) == -1 && errno == ECHILD);
		laps[4]++;
	}
	return NULL;
}

/* Signals by sigtimedwait: queued ones come in order, each once. */
static pthread_t sig_thread;

static void *t_sigwait(void *arg)
{
	struct timespec t;
	siginfo_t si;
	sigset_t s;
	int r, next = 0;

	(void)arg;
	block_all();
	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN + 3);
	while (!quit) {
		t = (struct timespec){0, 3000000};
		r = sigtimedwait(&s, &si, &t);
		if (r < 0) {
			CHECK(errno == EAGAIN);
		} else {
			CHECK(r == SIGRTMIN + 3);
			CHECK(si.si_value.sival_int == next);
			next++;
			got++;
		}
		laps[5]++;
	}
	return NULL;
}

static void *t_sender(void *arg)
{
	struct timespec t = {0, 900000};
	union sigval v = {0};

	(void)arg;
	block_all();
	while (!quit) {
		if (sent - got < 50) {
			CHECK(pthread_sigqueue(sig_thread, SIGRTMIN + 3, v) ==
			      0);
			v.sival_int++;
			sent++;
		}
		nanosleep(&t, NULL);
		laps[6]++;
	}
	return NULL;
}

/* One-shot timer, set anew by its handler: a lost signal ends it for good. */
static __thread volatile sig_atomic_t mine;
static atomic_ulong alarms, armed;
static char altstack[65536] __attribute__((aligned(64)));

static void arm(void)
{
	struct itimerval v = {{0, 0}, {0, 700}};

	armed++;
	setitimer(ITIMER_REAL, &v, NULL);
}

static void on_alarm(int sig)
{
	char here;
	int e = errno;

	(void)sig;
	if (&here < altstack || &here >= altstack + sizeof(altstack))
		bad("handler is not on its stack");
	alarms++;
	/* every signal belongs to one setting of the timer */
	if (alarms != armed)
		bad("alarm %lu, timer set %lu times", alarms, armed);
	mine = 1;
	arm();
	errno = e;
}

static void on_chld(int sig, siginfo_t *si, void *u)
{
	(void)sig;
	(void)u;
	if (si->si_code != CLD_EXITED)
		bad("SIGCHLD with code %d status %d", si->si_code,
		    si->si_status);
	chld++;
}

/* Thread that gets the alarms: pause, sigsuspend, sleep end by EINTR. */
static void *t_alarm(void *arg)
{
	stack_t ss = {.ss_sp = altstack, .ss_size = sizeof(altstack)};
	struct timespec t;
	sigset_t none, all;

	(void)arg;
	CHECK(sigaltstack(&ss, NULL) == 0);
	sigfillset(&all);
	sigfillset(&none);
	sigdelset(&none, SIGALRM);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	arm();
	while (!quit) {
		mine = 0;
		CHECK(sigsuspend(&none) == -1 && errno == EINTR);
		CHECK(mine);
		mine = 0;
		t = (struct timespec){60, 0};
		/* an alarm that comes before the sleep is pending until then */
		CHECK(ppoll(NULL, 0, &t, &none) == -1 && errno == EINTR);
		CHECK(mine);
		laps[7]++;
	}
	return NULL;
}

/* Threads that come and go. */
static void *t_short(void *arg)
{
	block_all();
	return arg;
}

static void *t_spawn(void *arg)
{
	struct timespec t = {0, 1500000};
	pthread_t th;
	void *r;

	(void)arg;
	block_all();
	while (!quit) {
		CHECK(pthread_create(&th, NULL, t_short, laps) == 0);
		CHECK(pthread_join(th, &r) == 0 && r == laps);
		nanosleep(&t, NULL);
		laps[8]++;
	}
	return NULL;
}

/* A posix timer that ticks; the sum of ticks and overruns is its time. */
static void *t_timer(void *arg)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID,
			      .sigev_signo = SIGRTMIN + 4};
	struct itimerspec v = {{0, 0}, {0, 800000}};
	struct timespec t;
	siginfo_t si;
	timer_t id;
	sigset_t s;

	(void)arg;
	block_all();
	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN + 4);
	ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &id) == 0);
	while (!quit) {
		CHECK(timer_settime(id, 0, &v, NULL) == 0);
		t = (struct timespec){20, 0};
		CHECK(sigtimedwait(&s, &si, &t) == SIGRTMIN + 4);
		CHECK(si.si_code == SI_TIMER);
		t = (struct timespec){0, 0};
		CHECK(sigtimedwait(&s, &si, &t) == -1 && errno == EAGAIN);
		ticks++;
		laps[9]++;
	}
	return NULL;
}

static void on_term(int sig)
{
	(void)sig;
	quit = 1;
}

int main(void)
{
	void *(*const fn[])(void *) = {t_nanosleep, t_futex, t_poll, t_read,
				       t_echo, t_wait, t_sigwait, t_alarm,
				       t_spawn, t_timer};
	struct sigaction a = {.sa_handler = on_alarm, .sa_flags = SA_ONSTACK};
	struct sigaction c = {.sa_sigaction = on_chld,
			      .sa_flags = SA_SIGINFO};
	struct sigaction q = {.sa_handler = on_term};
	size_t n = sizeof(fn) / sizeof(fn[0]), i;
	unsigned long before[16];
	pthread_t th[16], sender;
	sigset_t chldset;
	double t0;

	me = getpid();
	parent = getppid();
	CHECK(pipe(ping) == 0 && pipe(pong) == 0);
	sigaction(SIGALRM, &a, NULL);
	sigaction(SIGCHLD, &c, NULL);
	sigaction(SIGTERM, &q, NULL);
	sigemptyset(&chldset);
	sigaddset(&chldset, SIGALRM);
	sigaddset(&chldset, SIGRTMIN + 3); /* may come before its thread runs */
	pthread_sigmask(SIG_BLOCK, &chldset, NULL);
	for (i = 0; i < n; i++) {
		CHECK(pthread_create(&th[i], NULL, fn[i], NULL) == 0);
		if (fn[i] == t_sigwait)
			sig_thread = th[i];
	}
	CHECK(pthread_create(&sender, NULL, t_sender, NULL) == 0);
	CHECK(write(1, "ready\n", 6) == 6);
	while (!quit) {
		for (i = 0; i < 10; i++)
			before[i] = laps[i];
		t0 = now();
		/* every thread must get on: a lost signal or time-out */
		for (i = 0; i < 10 && !quit;) {
			if (laps[i] != before[i])
				i++;
			else
				usleep(2000);
			if (now() - t0 > 30)
				bad("thread kind %zu does not get on", i);
		}
	}
	for (i = 0; i < n; i++)
		if (fn[i] != t_alarm) /* waits for its alarm */
			CHECK(pthread_join(th[i], NULL) == 0);
	usleep(1000);
	/* SIGCHLD does not queue, so at most one for each child */
	if (chld > (unsigned long)child_exits)
		bad("%lu SIGCHLD for %d children", chld, child_exits);
	_exit(7);
}
