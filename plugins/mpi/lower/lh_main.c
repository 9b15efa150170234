/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lh_main.c - the program that the lower half's ld.so runs
 *
 * Loads the MPI library, tells the upper half where things are and gives
 * control back by a change of stack; main() never returns.  Stands first in
 * the lower half's global scope, so that what it defines (pthread_create,
 * exit) is what the MPI library gets.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mpi/lower/lh_probe.h"
#include "mpi/lower/link.h"

#define TCB_STACK (128 << 10) /* carries the TLS and nothing else */
#define TCB_SEARCH 0x900      /* struct pthread is about so long */

static struct cr_lower_link *lnk;
static void *library;
static int (*real_pthread_create)(pthread_t *, const pthread_attr_t *,
				  void *(*)(void *), void *);
static void (*real_exit)(int) __attribute__((noreturn));

__thread struct cr_lower_tls cr_tls __attribute__((tls_model("initial-exec")));

/* ---- signals: none reaches a thread of ours ---- */

/* All of them, those that libc keeps for itself included. */
static void block_signals(uint64_t *old)
{
	uint64_t all = ~0ULL;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, old, sizeof(all));
}

/*
 * The same on a thread of the program, for a while.  Its mask is kept in the
 * upper half, in case that the thread is rolled back from here.
 */
static void block_program_signals(uint64_t *old)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, old, sizeof(*old));
	if (cr_tls.upper) {
		cr_tls.upper->signal_mask = *old;
		__atomic_store_n(&cr_tls.upper->masked, 1, __ATOMIC_SEQ_CST);
	}
	block_signals(old);
}

static void unblock_program_signals(const uint64_t *old)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, old, NULL, sizeof(*old));
	if (cr_tls.upper)
		__atomic_store_n(&cr_tls.upper->masked, 0, __ATOMIC_SEQ_CST);
}

/* ---- thread control blocks for threads of the program ---- */

/*
 * Only pthread_create() can make one.  The new kernel thread leaves by a bare
 * exit with its exit address turned elsewhere and without a robust list, so
 * that this libc never hears of it: the block stays, the thread is gone.
 */
struct ghost {
	unsigned long fs;
	int tid;
	int alive; /* zeroed by the kernel when the thread is really gone */
};

static void *be_ghost(void *arg)
{
	struct ghost *g = arg;

	g->fs = cr_lower_get_fs();
	g->tid = (int)syscall(SYS_gettid);
	syscall(SYS_set_robust_list, NULL, 24);
	syscall(SYS_set_tid_address, &g->alive);
	__asm__ volatile("syscall" : : "a"(SYS_exit), "D"(0)
			 : "rcx", "r11", "memory");
	__builtin_unreachable();
}

/* The caller sees to it that there is one at a time. */
static bool make_ghost(struct ghost *g)
{
	pthread_attr_t attr;
	uint64_t old;
	pthread_t t;
	int rc, alive;

	g->alive = 1;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, TCB_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	block_signals(&old);
	rc = real_pthread_create(&t, &attr, be_ghost, g);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
	pthread_attr_destroy(&attr);
	if (rc)
		return false;
	while ((alive = __atomic_load_n(&g->alive, __ATOMIC_ACQUIRE)))
		syscall(SYS_futex, &g->alive, 0 /* FUTEX_WAIT */, alive, NULL,
			NULL, 0);
	return true;
}

static unsigned long make_tcb(void)
{
	struct ghost g;

	return make_ghost(&g) ? g.fs : 0;
}

/*
 * Where libc keeps the thread's id: the offset at which three control blocks
 * have their own.
 */
static long find_tid_offset(const struct ghost *a, const struct ghost *b)
{
	unsigned long main_fs = cr_lower_get_fs();
	int tid = (int)syscall(SYS_gettid);
	long o;

	for (o = 0; o < TCB_SEARCH; o += (long)sizeof(int))
		if (*(int *)(a->fs + (unsigned long)o) == a->tid &&
		    *(int *)(b->fs + (unsigned long)o) == b->tid &&
		    *(int *)(main_fs + (unsigned long)o) == tid)
			return o;
	return -1;
}

/* ---- threads of the lower half's own ---- */

struct start {
	void *(*run)(void *);
	void *arg;
};

static int record_thread(int tid)
{
	int i, free_slot;

	for (i = 0; i < CR_LOWER_THREADS; i++) {
		free_slot = 0;
		if (__atomic_compare_exchange_n(&lnk->thread[i], &free_slot,
						tid, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return i;
	}
	__atomic_add_fetch(&lnk->threads_lost, 1, __ATOMIC_SEQ_CST);
	return -1;
}

static void forget_thread(void *slot)
{
	__atomic_store_n((int *)slot, 0, __ATOMIC_SEQ_CST);
}

static void *start_thread(void *arg)
{
	struct start s = *(struct start *)arg;
	int slot = record_thread((int)syscall(SYS_gettid));
	uint64_t old;
	void *r;

	free(arg);
	block_signals(&old); /* libc left its own two open */
	if (slot < 0)
		return s.run(s.arg);
	pthread_cleanup_push(forget_thread, &lnk->thread[slot]);
	r = s.run(s.arg);
	pthread_cleanup_pop(1);
	return r;
}

int pthread_create(pthread_t *t, const pthread_attr_t *attr,
		   void *(*run)(void *), void *arg)
{
	struct start *s = malloc(sizeof(*s));
	uint64_t old;
	int rc;

	if (!s)
		return EAGAIN;
	s->run = run;
	s->arg = arg;
	block_program_signals(&old);
	rc = real_pthread_create(t, attr, start_thread, s);
	unblock_program_signals(&old);
	if (rc)
		free(s);
	return rc;
}

/* ---- the end of the process, decided by the MPI library ---- */

/* The program's own exit: its handlers run, its stdio is written out. */
void exit(int status)
{
	fflush(NULL);
	lnk->leave(status);
	real_exit(status);
}

/* ---- what the upper half calls ---- */

static void *symbol(const char *name)
{
	return dlsym(library ? library : RTLD_DEFAULT, name);
}

static void flush(void)
{
	fflush(NULL);
}

static void boot(const char *path)
{
	struct ghost a, b;

	if (lnk->version != CR_LOWER_LINK_VERSION) {
		snprintf(lnk->error, sizeof(lnk->error),
			 "lh_main is of another version than the library");
		return;
	}
	real_pthread_create = dlsym(RTLD_NEXT, "pthread_create");
	real_exit = dlsym(RTLD_NEXT, "exit");
	if (path && !(library = dlopen(path, RTLD_NOW | RTLD_GLOBAL))) {
		snprintf(lnk->error, sizeof(lnk->error), "%s", dlerror());
		return;
	}
	if (!make_ghost(&a) || !make_ghost(&b)) {
		snprintf(lnk->error, sizeof(lnk->error),
			 "no thread can be created");
		return;
	}
	lnk->tid_offset = find_tid_offset(&a, &b);
	if (lnk->tid_offset < 0) {
		snprintf(lnk->error, sizeof(lnk->error),
			 "this libc's thread control block is unknown");
		return;
	}
	lnk->main_fs = cr_lower_get_fs();
	lnk->factory_fs = a.fs;
	lnk->spare_fs = b.fs;
	lnk->upper_offset = (long)((unsigned long)&cr_tls - lnk->main_fs);
	lnk->symbol = symbol;
	lnk->make_tcb = make_tcb;
	lnk->flush = flush;
	lnk->probe = cr_lh_probe;
	lnk->r_debug = &_r_debug;
}

int main(int argc, char **argv)
{
	const char *at = getenv(CR_LOWER_LINK_ENV);

	if (!at) {
		fprintf(stderr, "lh_main is started by libcr_mpi.so only\n");
		return 2;
	}
	lnk = (struct cr_lower_link *)strtoul(at, NULL, 16);
	unsetenv(CR_LOWER_LINK_ENV);
	boot(argc > 1 ? argv[1] : NULL);
	lnk->back();
	return 2;
}
