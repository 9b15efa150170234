/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread.c - gives the program's threads control blocks of the lower half
 *
 * Blocks are made by the lower half (lh_main.c), used by one thread of the
 * program at a time, and go back to a pool when the thread ends.
 */
#include "mpi/lower/boot.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mpi/lower/hook.h"

#define POLL_NS 200000
#define HANDLER_POLLS 25000 /* five seconds and more */

__thread struct cr_lower_thread cr_lower_self
	__attribute__((tls_model("initial-exec")));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long pool; /* FS base of the first free block, 0: none */

static void thread_ends(void *arg)
{
	cr_lower_detach();
}

static pthread_key_t key;

static void make_key(void)
{
	pthread_key_create(&key, thread_ends);
}

static void bind(unsigned long lower_fs)
{
	struct cr_lower_thread *self = &cr_lower_self;
	struct cr_lower_tls *tls = cr_lower_tls(lower_fs);

	self->upper_fs = cr_lower_get_fs();
	self->lower_fs = lower_fs;
	cr_pointer_set(lower_fs);
	*(int *)(lower_fs + (unsigned long)cr_lower_link.tid_offset) =
		(int)syscall(SYS_gettid);
	tls->next = 0;
	tls->upper = self;
	tls->upper_fs = self->upper_fs;
	self->generation = cr_lower.generation;
}

/* Calls the lower half before the thread has a control block of its own. */
static unsigned long make_tcb(void)
{
	unsigned long (*make)(void) = cr_lower_link.make_tcb;
	unsigned long upper = cr_lower_get_fs(), before = cr_pointer_get(), fs;
	uint64_t all = ~0ULL, old;

	/* a handler would not find its way back from the factory's block */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	cr_pointer_set(cr_lower_link.factory_fs);
	cr_lower_set_fs(cr_lower_link.factory_fs);
	fs = make();
	cr_lower_set_fs(upper);
	cr_pointer_set(before);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
	return fs;
}

void cr_lower_set_slot(struct cr_rollback *slot)
{
	struct cr_lower_thread *self = &cr_lower_self;

	if (slot)
		self->delivered = cr_rollback_delivered(slot);
	/* a handler may come at any moment */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	self->slot = slot;
}

int cr_lower_attach(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned long fs;
	int rc = 0;

	/* everything under the lock: the thread's slot may be active */
	pthread_mutex_lock(&lock);
	pthread_once(&once, make_key);
	pthread_setspecific(key, &cr_lower_self);
	cr_lower_set_slot(cr_rollback_slot());
	if (!cr_lower.generation) {
		rc = -ENXIO;
	} else if (!cr_pointer_is_free()) {
		rc = -EADDRINUSE;
	} else if (cr_lower_self.generation != cr_lower.generation) {
		fs = pool;
		if (fs)
			pool = cr_lower_tls(fs)->next;
		else
			fs = make_tcb();
		if (fs)
			bind(fs);
		else
			rc = -EAGAIN;
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

void cr_lower_attach_or_die(void)
{
	int rc = cr_lower_attach();

	if (!rc)
		return;
	fprintf(stderr,
		"stillpoint: process %d, thread %ld: cannot call MPI: %s\n",
		getpid(), syscall(SYS_gettid),
		rc == -ENXIO ? "it is not initialised here (in a child of "
			       "fork() it cannot be used)" :
		rc == -EADDRINUSE ? "the thread uses the GS segment itself; "
				    "set CR_MPI_GS=0" :
				    strerror(-rc));
	abort();
}

void cr_lower_detach(void)
{
	struct cr_lower_thread *self = &cr_lower_self;
	struct cr_lower_tls *tls;

	pthread_mutex_lock(&lock);
	if (cr_lower.generation && self->generation == cr_lower.generation) {
		tls = cr_lower_tls(self->lower_fs);
		tls->upper_fs = 0;
		tls->upper = NULL;
		tls->next = pool;
		pool = self->lower_fs;
		cr_pointer_set(0);
	}
	self->generation = 0;
	cr_lower_set_slot(NULL);
	pthread_mutex_unlock(&lock);
}

int cr_lower_hold(bool (*cancelled)(void *arg), void *arg,
		  struct cr_error *err)
{
	const struct timespec poll = { 0, POLL_NS };
	unsigned int i;

	cr_signals_close();
	for (i = 0; cr_signals_running(); i++) {
		if (cancelled(arg)) {
			cr_signals_open();
			return -ECANCELED;
		}
		if (i == HANDLER_POLLS) {
			cr_signals_open();
			return cr_error_set(err, -EBUSY,
					    "a signal handler of the program "
					    "that interrupted an MPI call "
					    "does not end");
		}
		nanosleep(&poll, NULL);
	}
	pthread_mutex_lock(&lock);
	return 0;
}

void cr_lower_release(void)
{
	pthread_mutex_unlock(&lock);
	cr_signals_open();
}

void cr_thread_init(void)
{
	cr_lower_tls(cr_lower_link.spare_fs)->next = 0;
	pool = cr_lower_link.spare_fs;
	bind(cr_lower_link.main_fs);
}

void cr_thread_reset(void)
{
	static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

	pool = 0;
	memcpy(&lock, &fresh, sizeof(lock));
	cr_signals_reset();
}

/*
 * The x87 stack may hold values and the direction flag may be set; control
 * words are the program's, no call changes them for long.
 */
void cr_lower_rolled_back(void)
{
	struct cr_lower_thread *self = &cr_lower_self;
	uint16_t control;

	__asm__ volatile("cld\n\tfnstcw %0\n\tfninit\n\tfldcw %0"
			 : "=m"(control));
	if (self->masked) {
		self->masked = 0;
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &self->signal_mask,
			NULL, sizeof(self->signal_mask));
	}
}
