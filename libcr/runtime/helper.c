/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper.c - libcr's thread, and what becomes of all in a child
 *
 * The thread has every signal blocked and takes CR_SIGNUM, which requesters
 * direct at it, with sigwaitinfo(); nobody else in the program notices.  It
 * is started by the first use of libcr.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/runtime.h"

/* Callbacks and a library's quiesce and resume run on it. */
#define STACK_SIZE (1u << 20)
#define BACK_OFF_NS 20000000

static bool have_atfork;
static sigset_t fork_saved; /* registry locked */

static bool is_request(const siginfo_t *info)
{
	return info->si_code == SI_QUEUE && info->si_errno == CR_SIGNAL_MARK;
}

static uint64_t token_of(const siginfo_t *info)
{
	return (uintptr_t)info->si_value.sival_ptr;
}

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, CR_SIGNUM);
}

/* Is CR_SIGNUM pending at the process, and at this thread? */
static void pending(bool *process, bool *thread)
{
	unsigned long long mask;
	char line[256];
	FILE *f = fopen("/proc/thread-self/status", "re");

	*process = *thread = false;
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "ShdPnd: %llx", &mask) == 1)
			*process = mask >> (CR_SIGNUM - 1) & 1;
		else if (sscanf(line, "SigPnd: %llx", &mask) == 1)
			*thread = mask >> (CR_SIGNUM - 1) & 1;
	}
	fclose(f);
}

/*
 * The program uses the same signal for itself, and sigwaitinfo() took it from
 * its threads: give it back, and do not wait for it until one of them, or a
 * request for us, has come.
 */
static void give_back(const siginfo_t *info)
{
	const struct timespec pause = { .tv_nsec = BACK_OFF_NS };
	bool process, thread;

	/* the kernel lets only the main thread pass on what kill() sent */
	if (syscall(SYS_rt_sigqueueinfo, getpid(), CR_SIGNUM, info))
		kill(getpid(), CR_SIGNUM);
	do {
		nanosleep(&pause, NULL);
		pending(&process, &thread);
	} while (process && !thread);
}

bool cr_helper_next(uint64_t *token)
{
	const struct timespec none = { 0 };
	siginfo_t info;
	sigset_t set;

	signal_set(&set);
	if (sigtimedwait(&set, &info, &none) < 0)
		return false;
	if (!is_request(&info)) {
		give_back(&info);
		return false;
	}
	*token = token_of(&info);
	return true;
}

void cr_helper_put_back(uint64_t token)
{
	siginfo_t info = { .si_signo = CR_SIGNUM, .si_code = SI_QUEUE };

	info.si_errno = CR_SIGNAL_MARK;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = (void *)(uintptr_t)token;
	syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), CR_SIGNUM,
		&info);
}

static void *helper_main(void *arg)
{
	pid_t pid = getpid();
	siginfo_t info;
	sigset_t set;

	prctl(PR_SET_NAME, "libcr");
	__atomic_store_n(&cr_control->helper_tid, syscall(SYS_gettid),
			 __ATOMIC_RELEASE);
	cr_futex_wake((_Atomic uint32_t *)&cr_control->helper_tid);
	signal_set(&set);
	while (getpid() == pid) { /* not in a child that a callback made */
		if (sigwaitinfo(&set, &info) < 0)
			continue;
		if (is_request(&info))
			cr_answer(token_of(&info));
		else
			give_back(&info);
	}
	return NULL;
}

static void fork_prepare(void)
{
	cr_registry_lock(&fork_saved);
}

static void fork_parent(void)
{
	sigset_t saved = fork_saved;

	cr_registry_unlock(&saved);
}

/*
 * The child has callbacks and sections of the thread that forked, but no
 * thread of libcr; it is started at once where they matter.
 */
static void fork_child(void)
{
	sigset_t saved = fork_saved, locked;
	bool needed;

	needed = cr_clients_forked();
	cr_gate_forked(cr_self ? cr_self->depth : 0);
	cr_answer_forked();
	cr_ask_forked();
	cr_hold_forked();
	cr_control_forked();
	cr_frame = NULL;
	if (needed) {
		cr_registry_lock(&locked);
		cr_helper_start();
		cr_registry_unlock(&locked);
	}
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

int cr_helper_watch_fork(void)
{
	int rc;

	if (have_atfork)
		return 0;
	rc = pthread_atfork(fork_prepare, fork_parent, fork_child);
	have_atfork = !rc;
	return -rc;
}

static int helper_create(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	rc = pthread_attr_init(&attr);
	if (rc)
		return -rc;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	rc = pthread_create(&thread, &attr, helper_main, NULL);
	if (rc == EINVAL) { /* much thread-local data: the default stack */
		pthread_attr_destroy(&attr);
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		rc = pthread_create(&thread, &attr, helper_main, NULL);
	}
	pthread_attr_destroy(&attr);
	return -rc;
}

int cr_helper_start(void)
{
	_Atomic uint32_t *tid;
	int rc;

	rc = cr_control_create();
	if (rc)
		return rc;
	tid = (_Atomic uint32_t *)&cr_control->helper_tid;
	if (*tid)
		return 0;
	/* signals are blocked by cr_registry_lock(), the thread inherits it */
	rc = helper_create();
	while (!rc && !*tid)
		cr_futex_wait(tid, 0, -1);
	return rc;
}

pid_t cr_helper_tid(void)
{
	return cr_control ? cr_control->helper_tid : 0;
}
