/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signal.c - the program's signal handlers always run in the upper half
 *
 * A handler may interrupt its thread while that is inside the lower half;
 * errno, pthread_self() and all TLS would be the lower half's.  So what the
 * kernel gets is cr_deliver (trampoline.S), with all signals blocked and no
 * "one shot", both of which cr_deliver makes good, and the program is told
 * what it had set.
 */
#include "mpi/lower/deliver.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/* What the kernel is not told. */
#define OURS (SA_SIGINFO | (int)SA_RESETHAND)

typedef void (*handler_fn)(int);

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
	struct cr_action previous, action;
	struct sigaction ours, was;
	int rc;

	if (sig <= 0 || sig >= NSIG)
		return libc_sigaction(sig, act, old);
	previous = cr_action_get(sig);
	if (act && is_function(act->sa_handler)) {
		action.run = act->sa_sigaction;
		action.flags = act->sa_flags;
		memcpy(&action.mask, &act->sa_mask, sizeof(action.mask));
		/* before the kernel may call it */
		if (cr_action_set(sig, &action)) {
			cr_not_checkpointable("more different signal handlers "
					      "than can be remembered");
		} else {
			ours = *act;
			ours.sa_flags = (act->sa_flags & ~OURS) | SA_SIGINFO;
			ours.sa_sigaction = cr_deliver;
			/* sigfillset() would leave libc's own out */
			memset(&ours.sa_mask, 0xff, sizeof(ours.sa_mask));
			act = &ours;
		}
	}
	rc = libc_sigaction(sig, act, &was);
	if (rc < 0) {
		cr_action_set(sig, &previous);
		return rc;
	}
	if (was.sa_sigaction == cr_deliver) {
		was.sa_sigaction = previous.run;
		was.sa_flags = (was.sa_flags & ~OURS) |
			       (previous.flags & OURS);
		memcpy(&was.sa_mask, &previous.mask, sizeof(previous.mask));
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
