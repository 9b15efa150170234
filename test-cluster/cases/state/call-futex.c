/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call-futex.c - threads that wait for each other */
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <time.h>

#include "blocked.h"

static int futex_word;

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
