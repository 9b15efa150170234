/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree-ended.c - processes whose main thread has ended while others run on */
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "state.h"

static pthread_t main_thread;
static int up[2];
static pid_t pid;

/* Without it nobody is given the descriptors of such a process. */
static void need_pidfds_of_threads(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL);

	if (fd < 0)
		skip("PIDFD_THREAD (Linux 6.9)");
	close(fd);
}

/* What a line of a status file of a thread begins with, behind its name. */
static char *status_of(pid_t pid, pid_t tid, const char *name)
{
	static char line[256];
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	f = fopen(path, "re");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name))) {
			fclose(f);
			line[strcspn(line, "\n")] = 0;
			return line + strlen(name) + 1 +
			       strspn(line + strlen(name) + 1, " \t");
		}
	CHECK(!"such a line");
	return NULL;
}

static bool main_is_zombie(pid_t pid)
{
	return status_of(pid, pid, "State")[0] == 'Z';
}

static void until_main_has_ended(pid_t pid)
{
	while (!main_is_zombie(pid))
		usleep(1000);
}

/* As before in everything that can be seen of the main thread. */
static void check_main(pid_t pid)
{
	CHECK(main_is_zombie(pid));
	CHECK(!strcmp(status_of(pid, pid, "TracerPid"), "0"));
	CHECK(!strcmp(status_of(pid, pid, "Name"), "state"));
}

/* Runs fn in another thread and ends this one, which is the main thread. */
static void end_main(void *(*fn)(void *), int status)
{
	pthread_t t;

	main_thread = pthread_self();
	CHECK(!pthread_create(&t, NULL, fn, NULL));
	CHECK(!pthread_setname_np(t, "another"));
	syscall(SYS_exit, status);
}

static void bare(void)
{
}

static void *no_more(void *arg)
{
	return arg;
}

static volatile sig_atomic_t got;

static void on_usr1(int sig)
{
	got++;
}

static void *look(void *arg)
{
	pid_t me = getpid(), tid = gettid();
	struct sigaction sa = { .sa_handler = on_usr1 };
	pthread_t t;
	char c, dir[600];
	void *value;
	int fd;

	until_main_has_ended(me);
	CHECK(getcwd(dir, sizeof(dir)));
	fd = open("main_ended.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(write(fd, "abc", 3) == 3 && lseek(fd, 1, SEEK_SET) == 1);
	CHECK(!pipe(up) && write(up[1], "x", 1) == 1);
	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	checkpoint();
	CHECK(getpid() == me && gettid() == tid);
	check_main(me);
	CHECK(read(fd, &c, 1) == 1 && c == 'b');
	CHECK(read(up[0], &c, 1) == 1 && c == 'x');
	CHECK(!kill(me, SIGUSR1) && got == 1);
	CHECK(!pthread_create(&t, NULL, no_more, &c));
	CHECK(!pthread_join(t, &value) && value == &c);
	join(child(bare));
	CHECK(getcwd(dir, sizeof(dir)));
	exit(0);
}

STATE(main_ended)
{
	need_pidfds_of_threads();
	end_main(look, 3);
}

/*
 * The status of a process whose threads end one by one: that of the main
 * thread, or with newer kernels of the last; as without a checkpoint.
 */
static bool at_once;

static void *go_on(void *arg)
{
	until_main_has_ended(getpid());
	CHECK(write(up[1], "x", 1) == 1);
	if (!at_once)
		await_checkpoint();
	check_main(getpid());
	syscall(SYS_exit, 5);
	return arg;
}

static void ends_with_7(void)
{
	end_main(go_on, 7);
}

STATE(main_ended_status)
{
	int status, other;
	char c;

	need_pidfds_of_threads();
	CHECK(!pipe(up));
	at_once = true;
	pid = child(ends_with_7);
	CHECK(read(up[0], &c, 1) == 1);
	CHECK(waitpid(pid, &other, 0) == pid);
	at_once = false;
	pid = child(ends_with_7);
	CHECK(read(up[0], &c, 1) == 1);
	checkpoint();
	CHECK(waitpid(pid, &status, 0) == pid && status == other);
	CHECK(WIFEXITED(status) &&
	      (WEXITSTATUS(status) == 5 || WEXITSTATUS(status) == 7));
	CHECK(waitpid(pid, &status, 0) == -1 && errno == ECHILD);
}

/* What the end of the main thread told others is not told again. */
static pthread_mutex_t held;
static volatile int word;

static void *join_main(void *arg)
{
	until_main_has_ended(getpid());
	checkpoint();
	check_main(getpid());
	CHECK(!pthread_join(main_thread, NULL));
	CHECK(pthread_mutex_lock(&held) == EOWNERDEAD);
	CHECK(!pthread_mutex_consistent(&held));
	CHECK(!pthread_mutex_unlock(&held));
	exit(0);
}

STATE(main_ended_held)
{
	pthread_mutexattr_t a;
	pthread_t t;

	need_pidfds_of_threads();
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	CHECK(!pthread_mutex_init(&held, &a));
	CHECK(!pthread_mutex_lock(&held));
	main_thread = pthread_self();
	CHECK(!pthread_create(&t, NULL, join_main, NULL));
	pthread_exit(NULL);
}

static void *watch_word(void *arg)
{
	until_main_has_ended(getpid());
	CHECK(word == 0);
	word = 4711;
	checkpoint();
	check_main(getpid());
	CHECK(word == 4711);
	exit(0);
}

STATE(main_ended_tid_word)
{
	need_pidfds_of_threads();
	word = 1;
	syscall(SYS_set_tid_address, &word);
	end_main(watch_word, 0);
}

/* A child of the main thread is told of its end, once. */
static void bereaved(void)
{
	int sig = 0;

	CHECK(!prctl(PR_SET_PDEATHSIG, SIGUSR1));
	CHECK(write(up[1], "x", 1) == 1);
	while (!got)
		usleep(1000);
	CHECK(write(up[1], "x", 1) == 1);
	await_checkpoint();
	CHECK(!prctl(PR_GET_PDEATHSIG, &sig) && sig == SIGUSR1);
	CHECK(got == 1);
}

static void *parent(void *arg)
{
	siginfo_t info;
	pid_t ended;
	char c;

	until_main_has_ended(getpid());
	CHECK(read(up[0], &c, 1) == 1);
	ended = child(bare);
	CHECK(!waitid(P_PID, (id_t)ended, &info, WEXITED | WNOWAIT));
	checkpoint();
	check_main(getpid());
	join(ended);
	join(pid);
	CHECK(wait(NULL) == -1 && errno == ECHILD);
	exit(0);
}

STATE(main_ended_children)
{
	char c;

	need_pidfds_of_threads();
	CHECK(!pipe(up));
	signal(SIGUSR1, on_usr1);
	pid = child(bereaved);
	CHECK(read(up[0], &c, 1) == 1);
	end_main(parent, 0);
}

/* Stopped by job control, as its child is, and signals wait for it. */
static pid_t stopped;

static void *stop_here(void *arg)
{
	sigset_t set;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGUSR2);
	until_main_has_ended(getpid());
	CHECK(write(up[1], "x", 1) == 1);
	CHECK(sigwaitinfo(&set, &info) == SIGUSR2);
	CHECK(info.si_code == SI_USER && info.si_pid == getppid());
	CHECK(sigwaitinfo(&set, &info) == SIGRTMIN);
	CHECK(info.si_value.sival_int == 23);
	CHECK(!sigpending(&set) && !sigismember(&set, SIGCHLD));
	check_main(getpid());
	CHECK(!kill(stopped, SIGCONT));
	join(stopped);
	exit(0);
}

static void stop_me(void)
{
	raise(SIGSTOP);
}

static void stops(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	stopped = child(stop_me);
	CHECK(waitpid(stopped, NULL, WUNTRACED) == stopped);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	CHECK(sigwaitinfo(&set, NULL) == SIGCHLD);
	end_main(stop_here, 0);
}

STATE(main_ended_stopped)
{
	int status;
	char c;

	need_pidfds_of_threads();
	CHECK(!pipe(up));
	pid = child(stops);
	CHECK(read(up[0], &c, 1) == 1);
	CHECK(!kill(pid, SIGSTOP));
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	CHECK(!kill(pid, SIGUSR2));
	CHECK(!sigqueue(pid, SIGRTMIN, (union sigval){ .sival_int = 23 }));
	checkpoint();
	CHECK(main_is_zombie(pid));
	CHECK(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
	CHECK(!kill(pid, SIGCONT));
	join(pid);
}

/* Timers of the process. */
static void *timed(void *arg)
{
	struct itimerval soon = { .it_value = { 0, 1000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGUSR1 };
	struct itimerspec when = { .it_value = { 0, 1000000 } };
	timer_t timer;

	until_main_has_ended(getpid());
	signal(SIGUSR1, on_usr1);
	signal(SIGALRM, on_usr1);
	CHECK(!timer_create(CLOCK_MONOTONIC, &ev, &timer));
	checkpoint();
	check_main(getpid());
	CHECK(!timer_settime(timer, 0, &when, NULL));
	while (got < 1)
		usleep(1000);
	CHECK(!setitimer(ITIMER_REAL, &soon, NULL));
	while (got < 2)
		usleep(1000);
	exit(0);
}

STATE(main_ended_timers)
{
	need_pidfds_of_threads();
	end_main(timed, 0);
}
