/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sig-pending.c - signals that wait, masks, actions, stacks */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "state.h"

static const struct timespec none;

static void block_all(void)
{
	sigset_t set;

	sigfillset(&set);
	CHECK(!sigprocmask(SIG_SETMASK, &set, NULL));
}

/* The next waiting signal of the set {sig}; 0: none. */
static int take(int sig, siginfo_t *info)
{
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, sig);
	got = sigtimedwait(&set, info, &none);
	return got < 0 ? 0 : got;
}

/* Real-time signals queue, each with its value, in order. */
STATE(pending_queue)
{
	siginfo_t info;
	int i;

	block_all();
	for (i = 0; i < 50; i++)
		CHECK(!sigqueue(getpid(), SIGRTMIN + i % 3,
				(union sigval){ .sival_int = i }));
	checkpoint();
	for (i = 0; i < 50; i++) {
		if (i % 3 != 1)
			continue;
		CHECK(take(SIGRTMIN + 1, &info) == SIGRTMIN + 1);
		CHECK(info.si_value.sival_int == i &&
		      info.si_code == SI_QUEUE && info.si_uid == getuid());
	}
	CHECK(!take(SIGRTMIN + 1, &info));
	CHECK(take(SIGRTMIN, &info) && info.si_value.sival_int == 0);
	CHECK(take(SIGRTMIN + 2, &info) && info.si_value.sival_int == 2);
}

/* Those for one thread stay its own, beside those for the process. */
static pthread_barrier_t bar;
static int thread_failed;

static void *waiter(void *arg)
{
	siginfo_t info;
	sigset_t set;
	int i;

	pthread_barrier_wait(&bar);
	pthread_barrier_wait(&bar);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 5);
	for (i = 0; i < 10; i++)
		if (sigtimedwait(&set, &info, &none) != SIGRTMIN + 5 ||
		    info.si_value.sival_int != i)
			thread_failed = 1;
	if (sigtimedwait(&set, &info, &none) != -1)
		thread_failed = 2;
	return NULL;
}

STATE(pending_thread)
{
	siginfo_t info;
	pthread_t t;
	int i;

	block_all();
	pthread_barrier_init(&bar, NULL, 2);
	CHECK(!pthread_create(&t, NULL, waiter, NULL));
	pthread_barrier_wait(&bar);
	for (i = 0; i < 10; i++)
		CHECK(!pthread_sigqueue(t, SIGRTMIN + 5,
					(union sigval){ .sival_int = i }));
	CHECK(!pthread_sigqueue(pthread_self(), SIGRTMIN + 6,
				(union sigval){ .sival_int = 99 }));
	checkpoint();
	CHECK(!take(SIGRTMIN + 5, &info));
	CHECK(take(SIGRTMIN + 6, &info) && info.si_value.sival_int == 99);
	pthread_barrier_wait(&bar);
	CHECK(!pthread_join(t, NULL));
	CHECK(!thread_failed);
}

/* A standard signal waits once, with who sent it. */
STATE(pending_standard)
{
	siginfo_t info;

	block_all();
	CHECK(!kill(getpid(), SIGUSR2) && !kill(getpid(), SIGUSR2));
	CHECK(!raise(SIGTERM));
	checkpoint();
	CHECK(take(SIGUSR2, &info) && info.si_code == SI_USER &&
	      info.si_pid == getpid());
	CHECK(!take(SIGUSR2, &info));
	/* the C library shows SI_TKILL so */
	CHECK(take(SIGTERM, &info) && info.si_code == SI_USER);
}

static volatile int handled, nested;
static char stack[65536];

static void on_stack(int sig)
{
	char here;

	handled = &here > stack && &here < stack + sizeof(stack);
	checkpoint();
	handled += &here > stack && &here < stack + sizeof(stack);
}

/* In the middle of a handler on its alternate stack. */
STATE(altstack_in_use)
{
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) }, is;
	struct sigaction sa = { .sa_handler = on_stack,
				.sa_flags = SA_ONSTACK };

	CHECK(!sigaltstack(&ss, NULL));
	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	CHECK(handled == 2);
	CHECK(!sigaltstack(NULL, &is));
	CHECK(is.ss_sp == stack && is.ss_flags == 0);
}

STATE(altstack_autodisarm)
{
	stack_t ss = { .ss_sp = stack,
		       .ss_size = sizeof(stack),
		       .ss_flags = (int)(1u << 31) },
		is;

	CHECK(!sigaltstack(&ss, NULL));
	checkpoint();
	CHECK(!sigaltstack(NULL, &is));
	CHECK(is.ss_sp == stack && is.ss_flags == (int)(1u << 31));
}

static void nest(int sig)
{
	sigset_t set;

	sigprocmask(SIG_SETMASK, NULL, &set);
	nested = sigismember(&set, SIGHUP) && sigismember(&set, SIGUSR1) &&
		 sigismember(&set, SIGUSR2) == (sig == SIGUSR2);
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	else
		checkpoint();
}

/* Handlers inside one another: the masks come back one by one. */
STATE(nested_handlers)
{
	struct sigaction sa = { .sa_handler = nest };
	sigset_t set;

	sigaddset(&sa.sa_mask, SIGHUP);
	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	CHECK(!sigaction(SIGUSR2, &sa, NULL));
	raise(SIGUSR1);
	CHECK(nested);
	CHECK(!sigprocmask(SIG_SETMASK, NULL, &set));
	CHECK(!sigismember(&set, SIGHUP) && !sigismember(&set, SIGUSR1) &&
	      !sigismember(&set, SIGUSR2));
}

static void handler(int sig, siginfo_t *info, void *uc)
{
}

/* Every action with its flags and mask. */
STATE(actions)
{
	struct sigaction sa = { .sa_sigaction = handler }, is;
	int i;

	for (i = 1; i < 65; i++) {
		if (i == SIGKILL || i == SIGSTOP || i == 32 || i == 33)
			continue;
		sa.sa_flags = SA_SIGINFO | (i % 2 ? SA_RESTART : SA_NODEFER) |
			      (i % 3 ? SA_ONSTACK : 0) |
			      (i == SIGCHLD ? SA_NOCLDWAIT : 0);
		sigemptyset(&sa.sa_mask);
		sigaddset(&sa.sa_mask, 1 + (i + 20) % 31);
		CHECK(!sigaction(i, &sa, NULL));
	}
	checkpoint();
	for (i = 1; i < 65; i++) {
		if (i == SIGKILL || i == SIGSTOP || i == 32 || i == 33)
			continue;
		CHECK(!sigaction(i, NULL, &is));
		CHECK(is.sa_sigaction == handler);
		CHECK((is.sa_flags & ~0x04000000) ==
		      (SA_SIGINFO | (i % 2 ? SA_RESTART : SA_NODEFER) |
		       (i % 3 ? SA_ONSTACK : 0) |
		       (i == SIGCHLD ? SA_NOCLDWAIT : 0)));
		if (1 + (i + 20) % 31 != SIGKILL &&
		    1 + (i + 20) % 31 != SIGSTOP)
			CHECK(sigismember(&is.sa_mask, 1 + (i + 20) % 31));
	}
}
