/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc-facts.c - what the kernel keeps about a process and its threads */
#include <pthread.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "state.h"

STATE(dumpable)
{
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	checkpoint();
	CHECK(prctl(PR_GET_DUMPABLE) == 1);
}

STATE(pdeath_signal)
{
	int sig = 0;

	CHECK(!prctl(PR_SET_PDEATHSIG, SIGUSR1));
	signal(SIGUSR1, SIG_IGN);
	checkpoint();
	CHECK(!prctl(PR_GET_PDEATHSIG, &sig) && sig == SIGUSR1);
}

STATE(no_new_privs)
{
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	checkpoint();
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

STATE(keep_caps)
{
	CHECK(!prctl(PR_SET_KEEPCAPS, 1));
	checkpoint();
	CHECK(prctl(PR_GET_KEEPCAPS) == 1);
}

STATE(persona)
{
	int was = personality(0xffffffff);

	CHECK(personality((unsigned long)was | ADDR_NO_RANDOMIZE) >= 0);
	checkpoint();
	CHECK(personality(0xffffffff) == (was | ADDR_NO_RANDOMIZE));
}

static long number_in(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return atol(text);
}

STATE(oom_score)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	CHECK(write(fd, "321", 3) == 3);
	close(fd);
	checkpoint();
	CHECK(number_in("/proc/self/oom_score_adj") == 321);
}

STATE(nice_value)
{
	CHECK(!setpriority(PRIO_PROCESS, 0, 7));
	checkpoint();
	CHECK(getpriority(PRIO_PROCESS, 0) == 7);
}

STATE(sched_batch)
{
	struct sched_param p = { 0 };

	CHECK(!sched_setscheduler(0, SCHED_BATCH, &p));
	checkpoint();
	CHECK(sched_getscheduler(0) == SCHED_BATCH);
}

STATE(sched_idle)
{
	struct sched_param p = { 0 };

	CHECK(!sched_setscheduler(0, SCHED_IDLE | SCHED_RESET_ON_FORK, &p));
	checkpoint();
	CHECK(sched_getscheduler(0) == (SCHED_IDLE | SCHED_RESET_ON_FORK));
}

STATE(io_priority)
{
	int prio = 2 << 13 | 6; /* best effort, 6 */

	CHECK(!syscall(SYS_ioprio_set, 1, 0, prio));
	checkpoint();
	CHECK(syscall(SYS_ioprio_get, 1, 0) == prio);
}

STATE(timer_slack)
{
	CHECK(!prctl(PR_SET_TIMERSLACK, 777777));
	checkpoint();
	CHECK(prctl(PR_GET_TIMERSLACK) == 777777);
}

STATE(limits)
{
	struct rlimit l, is;
	int i;

	for (i = 0; i < 16; i++) {
		if (i == RLIMIT_AS || i == RLIMIT_DATA || i == RLIMIT_STACK ||
		    i == RLIMIT_NPROC || i == RLIMIT_CPU)
			continue;
		CHECK(!getrlimit(i, &l));
		if (l.rlim_cur == RLIM_INFINITY || l.rlim_cur > 1000) {
			l.rlim_cur = (rlim_t)(900 + i);
			CHECK(!setrlimit(i, &l));
		}
	}
	checkpoint();
	for (i = 0; i < 16; i++) {
		CHECK(!getrlimit(i, &is));
		if (i != RLIMIT_AS && i != RLIMIT_DATA && i != RLIMIT_STACK &&
		    i != RLIMIT_NPROC && i != RLIMIT_CPU)
			CHECK(is.rlim_cur <= 1000);
	}
}

STATE(directories)
{
	struct stat a, b;
	char dir[600];

	CHECK(!mkdir("directories.sub", 0777) && !chdir("directories.sub"));
	CHECK(!stat(".", &a) && getcwd(dir, sizeof(dir)));
	umask(0137);
	CHECK(!chdir(".."));
	checkpoint();
	CHECK(!chdir(dir) && !stat(".", &b) && a.st_ino == b.st_ino);
	CHECK(umask(0) == 0137);
}

/* The kernel takes whatever it is. */
STATE(strange_name)
{
	const char *name = "state) R 1 (\n\xff";
	char is[16] = "";

	CHECK(!prctl(PR_SET_NAME, name));
	checkpoint();
	CHECK(!prctl(PR_GET_NAME, is) && !strcmp(is, name));
	prctl(PR_SET_NAME, "state");
}

/* Each thread with a name, a mask and a nice value of its own. */
static pthread_barrier_t bar;
static int failed, own_nice;

static void *facts(void *arg)
{
	int n = (int)(long)arg;
	char name[16], is[16] = "";
	sigset_t set, got;

	snprintf(name, sizeof(name), "fact %d", n);
	prctl(PR_SET_NAME, name);
	sigemptyset(&set);
	sigaddset(&set, 10 + n);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), own_nice + n);
	pthread_barrier_wait(&bar);
	pthread_barrier_wait(&bar);
	prctl(PR_GET_NAME, is);
	pthread_sigmask(SIG_SETMASK, NULL, &got);
	if (strcmp(name, is) || memcmp(&set, &got, 8) ||
	    getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid)) !=
		    own_nice + n)
		failed = n + 1;
	return NULL;
}

STATE(thread_facts)
{
	pthread_t t[8];
	long i;

	/* who is no root may only go up */
	own_nice = getpriority(PRIO_PROCESS, 0);
	pthread_barrier_init(&bar, NULL, 9);
	for (i = 0; i < 8; i++)
		CHECK(!pthread_create(&t[i], NULL, facts, (void *)i));
	pthread_barrier_wait(&bar);
	checkpoint();
	pthread_barrier_wait(&bar);
	for (i = 0; i < 8; i++)
		CHECK(!pthread_join(t[i], NULL));
	CHECK(!failed);
}

/* A mutex whose owner dies is given on. */
static pthread_mutex_t robust;

static void *dies(void *arg)
{
	pthread_mutex_lock(&robust);
	pthread_barrier_wait(&bar);
	pthread_barrier_wait(&bar);
	return NULL;
}

STATE(robust_mutex)
{
	pthread_mutexattr_t a;
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &a);
	pthread_barrier_init(&bar, NULL, 2);
	CHECK(!pthread_create(&t, NULL, dies, NULL));
	pthread_barrier_wait(&bar);
	checkpoint();
	pthread_barrier_wait(&bar);
	CHECK(pthread_mutex_lock(&robust) == EOWNERDEAD);
	CHECK(!pthread_join(t, NULL));
}

/* Threads go on, and new ones get ids. */
static void *quick(void *arg)
{
	return arg;
}

STATE(more_threads)
{
	pthread_t t;
	void *got;
	long i;

	checkpoint();
	for (i = 0; i < 50; i++) {
		CHECK(!pthread_create(&t, NULL, quick, (void *)i));
		CHECK(!pthread_join(t, &got) && got == (void *)i);
	}
}
