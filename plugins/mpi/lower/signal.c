/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signal.c - the program's signal handlers always run in the upper half
 *
 * A handler may interrupt its thread while that is inside the lower half;
 * errno, pthread_self() and all TLS would be the lower half's.  So what the
 * kernel gets is a trampoline that switches, and the program is told what it
 * had set.
 *
 * A handler may not be half done either when a checkpoint rolls back the
 * call that it interrupted: for the moment of the snapshot handlers wait at
 * their beginning, and are begun anew after a rollback.
 */
#include "mpi/lower/boot.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef void (*handler_fn)(int);
typedef void (*action_fn)(int, siginfo_t *, void *);

/* What the program had set last for each signal; the kernel knows if still. */
static action_fn handler[NSIG];
static bool wants_info[NSIG]; /* we always do */

/* Handlers on top of calls with an active rollback slot. */
static int closed;  /* new ones wait (futex) */
static int running; /* have begun */

static long set_mask(const void *set, void *old)
{
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, set, old,
		       sizeof(uint64_t));
}

/*
 * Waits, in a state that cr_signals_again() can make good: the signal is
 * kept, and the mask that was before it.
 */
static void wait_open(struct cr_lower_thread *self, const siginfo_t *info,
		      const ucontext_t *context)
{
	unsigned int n = self->signals, masked = self->masked;
	uint64_t all = ~0ULL, mask;

	set_mask(&all, &mask);
	if (n < CR_LOWER_SIGNALS)
		self->signal[n] = *info;
	if (!masked)
		memcpy(&self->signal_mask, &context->uc_sigmask,
		       sizeof(self->signal_mask));
	self->masked = 1;
	__atomic_store_n(&self->signals, n + 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&closed, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &closed, FUTEX_WAIT_PRIVATE, 1, NULL, NULL,
			0);
	self->signals = n;
	self->masked = masked;
	set_mask(&mask, NULL);
}

static void begin_handler(struct cr_lower_thread *self, const siginfo_t *info,
			  const ucontext_t *context)
{
	for (;;) {
		__atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&closed, __ATOMIC_SEQ_CST))
			return;
		__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
		wait_open(self, info, context);
	}
}

static void trampoline(int sig, siginfo_t *info, void *context)
{
	action_fn run = __atomic_load_n(&handler[sig], __ATOMIC_RELAXED);
	unsigned long fs = cr_lower_callback_begin();
	struct cr_lower_thread *self;
	bool on_top;
	int saved;

	if (!fs)
		return; /* a lower half's own thread: they block signals */
	self = &cr_lower_self;
	on_top = self->slot && self->slot->active;
	if (on_top) {
		saved = errno;
		begin_handler(self, info, context);
		errno = saved;
	}
	run(sig, info, context); /* one that wants less takes no notice */
	if (on_top)
		__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
	cr_lower_callback_end(fs);
}

void cr_signals_close(void)
{
	__atomic_store_n(&closed, 1, __ATOMIC_SEQ_CST);
}

bool cr_signals_running(void)
{
	return __atomic_load_n(&running, __ATOMIC_SEQ_CST) != 0;
}

void cr_signals_open(void)
{
	__atomic_store_n(&closed, 0, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &closed, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL,
		0);
}

void cr_signals_reset(void)
{
	__atomic_store_n(&running, 0, __ATOMIC_SEQ_CST);
	cr_signals_open();
}

/* All signals are still blocked: they come when the mask is restored. */
void cr_signals_again(void)
{
	struct cr_lower_thread *self = &cr_lower_self;
	unsigned int i;

	for (i = 0; i < self->signals && i < CR_LOWER_SIGNALS; i++)
		syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(),
			self->signal[i].si_signo, &self->signal[i]);
	self->signals = 0;
}

typedef int (*sigaction_fn)(int, const struct sigaction *,
			    struct sigaction *);

/*
 * The C library's own.  Async-signal-safe once it was found, and it is found
 * by the constructor.
 */
static int libc_sigaction(int sig, const struct sigaction *act,
			  struct sigaction *old)
{
	static sigaction_fn real;

	if (!real)
		real = (sigaction_fn)dlsym(RTLD_NEXT, "sigaction");
	return real(sig, act, old);
}

static __attribute__((constructor)) void find_sigaction(void)
{
	libc_sigaction(SIGCHLD, NULL, NULL);
}

static bool is_function(handler_fn h)
{
	return h != SIG_DFL && h != SIG_IGN && h != SIG_HOLD && h != SIG_ERR;
}

EXPORT int sigaction(int sig, const struct sigaction *act,
		     struct sigaction *old)
{
	struct sigaction ours, was;
	bool previous_info;
	action_fn previous;
	int rc;

	if (sig <= 0 || sig >= NSIG)
		return libc_sigaction(sig, act, old);
	previous = __atomic_load_n(&handler[sig], __ATOMIC_RELAXED);
	previous_info = wants_info[sig];
	if (act && is_function(act->sa_handler)) {
		ours = *act;
		/* before the kernel may call it */
		__atomic_store_n(&handler[sig], ours.sa_sigaction,
				 __ATOMIC_RELAXED);
		wants_info[sig] = ours.sa_flags & SA_SIGINFO;
		ours.sa_flags |= SA_SIGINFO;
		ours.sa_sigaction = trampoline;
		act = &ours;
	}
	rc = libc_sigaction(sig, act, &was);
	if (rc < 0) {
		__atomic_store_n(&handler[sig], previous, __ATOMIC_RELAXED);
		wants_info[sig] = previous_info;
		return rc;
	}
	if (was.sa_sigaction == trampoline) {
		was.sa_sigaction = previous;
		if (!previous_info)
			was.sa_flags &= ~SA_SIGINFO;
	}
	if (old)
		*old = was;
	return 0;
}

int __sigaction(int sig, const struct sigaction *act, struct sigaction *old);
EXPORT int __sigaction(int sig, const struct sigaction *act,
		       struct sigaction *old)
{
	return sigaction(sig, act, old);
}

/* ---- the older interfaces, by sigaction() ---- */

/* Signals for which siginterrupt() was called; signal() must heed it. */
static sigset_t interrupting;

static handler_fn set(int sig, handler_fn h, int flags)
{
	struct sigaction act, old;

	if (h == SIG_ERR || sig <= 0 || sig >= NSIG) {
		errno = EINVAL;
		return SIG_ERR;
	}
	memset(&act, 0, sizeof(act));
	act.sa_handler = h;
	act.sa_flags = flags;
	if (!(flags & SA_NODEFER))
		sigaddset(&act.sa_mask, sig);
	return sigaction(sig, &act, &old) < 0 ? SIG_ERR : old.sa_handler;
}

EXPORT handler_fn signal(int sig, handler_fn h)
{
	bool interrupt = sigismember(&interrupting, sig) == 1;

	return set(sig, h, interrupt ? 0 : SA_RESTART);
}

EXPORT handler_fn ssignal(int sig, handler_fn h)
{
	return signal(sig, h);
}

handler_fn bsd_signal(int sig, handler_fn h);
EXPORT handler_fn bsd_signal(int sig, handler_fn h)
{
	return signal(sig, h);
}

EXPORT handler_fn __sysv_signal(int sig, handler_fn h)
{
	return set(sig, h, (int)(SA_RESETHAND | SA_NODEFER));
}

EXPORT handler_fn sysv_signal(int sig, handler_fn h)
{
	return __sysv_signal(sig, h);
}

EXPORT int siginterrupt(int sig, int interrupt)
{
	struct sigaction act;

	if (sigaction(sig, NULL, &act) < 0)
		return -1;
	if (interrupt) {
		sigaddset(&interrupting, sig);
		act.sa_flags &= ~SA_RESTART;
	} else {
		sigdelset(&interrupting, sig);
		act.sa_flags |= SA_RESTART;
	}
	return sigaction(sig, &act, NULL);
}

EXPORT handler_fn sigset(int sig, handler_fn h)
{
	struct sigaction old;
	sigset_t one, mask;
	handler_fn was;

	sigemptyset(&one);
	if (sigaddset(&one, sig) < 0)
		return SIG_ERR;
	if (h == SIG_HOLD) {
		if (sigprocmask(SIG_BLOCK, &one, &mask) < 0 ||
		    sigaction(sig, NULL, &old) < 0)
			return SIG_ERR;
		return sigismember(&mask, sig) ? SIG_HOLD : old.sa_handler;
	}
	was = set(sig, h, 0);
	if (was == SIG_ERR || sigprocmask(SIG_UNBLOCK, &one, &mask) < 0)
		return SIG_ERR;
	return sigismember(&mask, sig) ? SIG_HOLD : was;
}
