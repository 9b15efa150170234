/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.c - sets up what a process can have, and looks at it after a restart */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int bad;
#define CHECK(x) \
	do { \
		if (!(x)) { \
			printf("line %d: %s\n", __LINE__, #x); \
			bad++; \
		} \
	} while (0)

static volatile sig_atomic_t usr1_value, rt_values[8], rt_count, alarms;
static char altstack[65536];

static void on_usr1(int sig, siginfo_t *si, void *ctx)
{
	char here;

	usr1_value = si->si_value.sival_int;
	CHECK(&here > altstack && &here < altstack + sizeof(altstack));
}

static void on_rt(int sig, siginfo_t *si, void *ctx)
{
	rt_values[rt_count++] = si->si_value.sival_int;
}

static void on_alarm(int sig)
{
	alarms++;
}

static void wait_go(void)
{
	struct timespec t = { 0, 5000000 };

	printf("ready\n");
	fflush(stdout);
	while (access("go", F_OK))
		nanosleep(&t, NULL);
}

/* threads */
static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t *robust;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_key_t key;
static __thread int tls = 3;
static volatile int finish;
static pid_t thread_id;

static void *dies_with_lock(void *arg)
{
	pthread_mutex_lock(robust);
	prctl(PR_SET_NAME, "holder");
	thread_id = gettid();
	while (!finish)
		usleep(1000);
	return NULL;
}

static void *waits(void *arg)
{
	sigset_t set;

	tls = 77;
	pthread_setspecific(key, &tls);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_mutex_lock(&plain);
	while (!finish)
		pthread_cond_wait(&cond, &plain);
	pthread_mutex_unlock(&plain);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	CHECK(sigismember(&set, SIGUSR2));
	CHECK(tls == 77);
	CHECK(pthread_getspecific(key) == &tls);
	return NULL;
}

static void *late(void *arg)
{
	*(pid_t *)arg = gettid();
	return NULL;
}

static int64_t ms(const struct timespec *t)
{
	return t->tv_sec * 1000LL + t->tv_nsec / 1000000;
}

int main(void)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK }, old;
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack) }, os;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGRTMIN + 3 };
	struct itimerspec ts = { { 0, 0 }, { 1000, 0 } }, left;
	struct itimerval itv = { { 0, 20000 }, { 0, 20000 } };
	struct rlimit lim = { 100, 200 }, got;
	pthread_mutexattr_t attr;
	struct stat st;
	pthread_t a, b, c;
	char name[32], cwd[256], buf[64];
	cpu_set_t cpus, cpus2;
	sigset_t set, pending;
	timer_t t1, t2, t3;
	pid_t pid = getpid(), tid;
	void *brk0;
	char *priv, *file, *shared, *deleted, *anon_shared, *none, *grow, *ro;
	int fd, append, unlinked, dir, p[2], fl;

	/* signals */
	sa.sa_sigaction = on_usr1;
	sigaction(SIGUSR1, &sa, NULL);
	sa.sa_sigaction = on_rt;
	sa.sa_flags = SA_SIGINFO | SA_RESTART;
	sigaddset(&sa.sa_mask, SIGHUP);
	sigaction(SIGRTMIN, &sa, NULL);
	signal(SIGALRM, on_alarm);
	signal(SIGPIPE, SIG_IGN);
	sigaltstack(&ss, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigqueue(pid, SIGUSR1, (union sigval){ .sival_int = 42 });
	for (int i = 0; i < 3; i++)
		sigqueue(pid, SIGRTMIN, (union sigval){ .sival_int = i + 5 });
	/* timers */
	timer_create(CLOCK_MONOTONIC, &ev, &t1);
	timer_create(CLOCK_REALTIME, &ev, &t2);
	timer_create(CLOCK_MONOTONIC, &ev, &t3);
	timer_delete(t2);
	timer_settime(t1, 0, &ts, NULL);
	setitimer(ITIMER_REAL, &itv, NULL);
	/* process */
	umask(027);
	setrlimit(RLIMIT_NOFILE, &lim);
	setpriority(PRIO_PROCESS, 0, 3);
	prctl(PR_SET_NAME, "odd name)");
	prctl(PR_SET_TIMERSLACK, 123456);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	mkdir("sub", 0755);
	CHECK(!chdir("sub"));
	CHECK(getcwd(cwd, sizeof(cwd)));
	/* memory */
	brk0 = sbrk(0);
	priv = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(priv + 5000000, "private");
	none = mmap(NULL, 1 << 20, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	grow = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
	strcpy(grow, "grow");
	ro = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(ro, "read only");
	mprotect(ro, 4096, PROT_READ);
	fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0644);
	CHECK(!ftruncate(fd, 3 * 4096));
	CHECK(pwrite(fd, "first", 5, 0) == 5 && pwrite(fd, "third", 5, 8192));
	file = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		    0);
	strcpy(file + 4096, "modified");
	shared = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      0);
	anon_shared = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy(anon_shared + 70000, "anonymous shared");
	madvise(anon_shared, 4 << 20, MADV_DONTDUMP);
	lseek(fd, 1234, SEEK_SET);
	unlinked = open("gone", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(write(unlinked, "unlinked content", 16) == 16);
	deleted = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		       unlinked, 0);
	CHECK(deleted[0] == 'u');
	unlink("gone");
	append = open("log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
	CHECK(write(append, "one\n", 4) == 4);
	fl = fcntl(append, F_SETFD, FD_CLOEXEC);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(!pipe(p) && write(p[1], "in the pipe", 11) == 11);
	CHECK(dup2(append, 90) == 90);
	/* threads */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	robust = (pthread_mutex_t *)(anon_shared + 4096);
	pthread_mutex_init(robust, &attr);
	pthread_key_create(&key, NULL);
	pthread_create(&a, NULL, dies_with_lock, NULL);
	pthread_create(&b, NULL, waits, NULL);
	while (!thread_id)
		usleep(1000);
	tid = thread_id;
	chdir("..");
	wait_go();
	chdir("sub");

	CHECK(getpid() == pid && thread_id == tid);
	sigpending(&pending);
	CHECK(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGRTMIN));
	CHECK(!sigismember(&pending, SIGCHLD));
	CHECK(!usr1_value);
	sigaction(SIGRTMIN, NULL, &old);
	CHECK(sigismember(&old.sa_mask, SIGHUP) && old.sa_flags & SA_RESTART);
	sigaction(SIGPIPE, NULL, &old);
	CHECK(old.sa_handler == SIG_IGN);
	sigaltstack(NULL, &os);
	CHECK(os.ss_sp == altstack && os.ss_size == sizeof(altstack));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	CHECK(usr1_value == 42);
	CHECK(rt_count == 3 && rt_values[0] == 5 && rt_values[1] == 6 &&
	      rt_values[2] == 7);
	for (int i = 0, n = alarms; alarms < n + 3; i++) {
		usleep(10000);
		if (i > 300) {
			CHECK(!"the interval timer runs");
			break;
		}
	}
	timer_gettime(t1, &left);
	CHECK(left.it_value.tv_sec >= 500 && left.it_value.tv_sec < 1000);
	CHECK(timer_gettime(t2, &left) < 0);
	CHECK(!timer_gettime(t3, &left) && !ms(&left.it_value));
	CHECK(!timer_create(CLOCK_MONOTONIC, &ev, &t2));
	memset(&itv, 0, sizeof(itv));
	setitimer(ITIMER_REAL, &itv, NULL);

	CHECK(umask(022) == 027);
	getrlimit(RLIMIT_NOFILE, &got);
	CHECK(got.rlim_cur == 100 && got.rlim_max == 200);
	CHECK(getpriority(PRIO_PROCESS, 0) == 3);
	prctl(PR_GET_NAME, name);
	CHECK(!strcmp(name, "odd name)"));
	CHECK(prctl(PR_GET_TIMERSLACK) == 123456);
	sched_getaffinity(0, sizeof(cpus2), &cpus2);
	CHECK(CPU_EQUAL(&cpus, &cpus2));
	CHECK(getcwd(buf, sizeof(buf)) || 1);

	CHECK(sbrk(0) >= brk0);
	CHECK(sbrk(1 << 20) != (void *)-1);
	memset((char *)sbrk(0) - (1 << 20), 1, 1 << 20);
	CHECK(!strcmp(priv + 5000000, "private") && !priv[0]);
	CHECK(!strcmp(grow, "grow") && !strcmp(ro, "read only"));
	CHECK(mprotect(none, 4096, PROT_READ | PROT_WRITE) == 0);
	none[0] = 1;
	CHECK(!strcmp(file, "first") && !strcmp(file + 4096, "modified") &&
	      !strcmp(file + 8192, "third"));
	strcpy(shared, "shared write");
	CHECK(pread(fd, buf, 12, 0) == 12 && !memcmp(buf, "shared write", 12));
	CHECK(!strcmp(anon_shared + 70000, "anonymous shared"));
	CHECK(!memcmp(deleted, "unlinked content", 16));
	CHECK(lseek(fd, 0, SEEK_CUR) == 1234);
	CHECK(!fstat(unlinked, &st) && !st.st_nlink && st.st_size == 16);
	CHECK(pread(unlinked, buf, 16, 0) == 16 &&
	      !memcmp(buf, "unlinked content", 16));
	CHECK(lseek(unlinked, 0, SEEK_CUR) == 16);
	CHECK(write(append, "two\n", 4) == 4);
	CHECK(!stat("log", &st) && st.st_size == 8);
	CHECK(lseek(90, 0, SEEK_CUR) == lseek(append, 0, SEEK_CUR));
	CHECK(fcntl(append, F_GETFD) == FD_CLOEXEC && !fcntl(90, F_GETFD));
	CHECK((fcntl(append, F_GETFL) & (O_APPEND | O_ACCMODE)) ==
	      (O_APPEND | O_WRONLY));
	CHECK(!fstat(dir, &st) && S_ISDIR(st.st_mode));
	CHECK(read(p[0], buf, sizeof(buf)) == 11 &&
	      !memcmp(buf, "in the pipe", 11));
	for (fl = 3; fl < 100; fl++)
		if (fl != fd && fl != append && fl != unlinked && fl != dir &&
		    fl != p[0] && fl != p[1] && fl != 90)
			CHECK(fcntl(fl, F_GETFD) < 0);

	CHECK(pthread_mutex_trylock(robust) == EBUSY);
	pthread_mutex_lock(&plain);
	finish = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&plain);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	CHECK(pthread_mutex_lock(robust) == EOWNERDEAD);
	tid = 0;
	CHECK(!pthread_create(&c, NULL, late, &tid));
	pthread_join(c, NULL);
	CHECK(tid);
#ifdef RSEQ_SIG
	if (__rseq_size) {
		struct rseq *rs = (struct rseq *)
			((char *)__builtin_thread_pointer() + __rseq_offset);
		int cpu = (int)rs->cpu_id;

		CHECK(cpu >= 0 && cpu < 4096);
		/* registered: a second registration is refused as such */
		CHECK(syscall(SYS_rseq, rs, 32, 0, RSEQ_SIG) < 0 &&
		      errno == EBUSY);
	}
#endif
	printf(bad ? "%d wrong\n" : "all right\n", bad);
	return bad ? 1 : 5;
}
