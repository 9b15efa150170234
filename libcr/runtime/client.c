/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client.c - threads that called cr_init(), and the callbacks registered */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/runtime.h"

__thread struct cr_client *cr_self;
struct cr_client *cr_clients;

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t exit_key; /* its destructor tells that a thread ends */
static bool have_exit_key;
static cr_client_id_t last_client;

/* An id is its index plus CR_MAX_CALLBACKS times the uses before. */
static struct cr_callback callbacks[CR_MAX_CALLBACKS];
static unsigned long registrations;

static bool have_handler;
static struct sigaction program_action; /* what CR_SIGNUM had before */

void cr_registry_lock(sigset_t *saved)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, saved);
	pthread_mutex_lock(&registry);
}

void cr_registry_unlock(const sigset_t *saved)
{
	pthread_mutex_unlock(&registry);
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

static void forget_callbacks(cr_client_id_t owner)
{
	int i;

	for (i = 0; i < CR_MAX_CALLBACKS; i++)
		if (callbacks[i].context == CR_SIGNAL_CONTEXT &&
		    callbacks[i].owner == owner)
			callbacks[i].context = 0;
}

/* The thread ends. */
static void client_exit(void *arg)
{
	struct cr_client *self = arg, **p;
	sigset_t saved;

	/* after the last round there is nobody to end it */
	if (self->persist > 0 &&
	    ++self->destructors < PTHREAD_DESTRUCTOR_ITERATIONS &&
	    !pthread_setspecific(exit_key, self))
		return;
	if (self->depth)
		cr_gate_leave();
	cr_registry_lock(&saved);
	for (p = &cr_clients; *p && *p != self; p = &(*p)->next)
		;
	if (*p)
		*p = self->next;
	forget_callbacks(self->id);
	cr_self = NULL;
	/* CR_SIGNUM stays blocked: nothing of this thread can run any more */
	sigaddset(&saved, CR_SIGNUM);
	cr_registry_unlock(&saved);
	cr_round_party_gone();
	free(self);
}

static bool has_thread_callbacks(void)
{
	int i;

	for (i = 0; i < CR_MAX_CALLBACKS; i++)
		if (callbacks[i].context == CR_THREAD_CONTEXT)
			return true;
	return false;
}

bool cr_clients_forked(void)
{
	struct cr_client *c, *next;

	pthread_mutex_init(&registry, NULL);
	for (c = cr_clients; c; c = next) {
		next = c->next;
		if (c == cr_self)
			continue;
		forget_callbacks(c->id);
		free(c);
	}
	cr_clients = cr_self;
	if (cr_self) {
		cr_self->next = NULL;
		cr_self->tid = syscall(SYS_gettid);
		cr_self->party = CR_PARTY_NONE;
	}
	return cr_self || has_thread_callbacks();
}

static struct cr_client *client_create(void)
{
	struct cr_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->tid = syscall(SYS_gettid);
	c->id = ++last_client;
	c->hold = CR_HOLD_DFLT;
	if (pthread_setspecific(exit_key, c)) {
		free(c);
		return NULL;
	}
	c->next = cr_clients;
	cr_clients = c;
	return c;
}

static int client_init(void)
{
	int rc;

	rc = cr_helper_start();
	if (rc || cr_self)
		return rc;
	if (!have_exit_key) {
		rc = pthread_key_create(&exit_key, client_exit);
		if (rc)
			return -rc;
		have_exit_key = true;
	}
	cr_self = client_create();
	return cr_self ? 0 : -ENOMEM;
}

cr_client_id_t cr_init(void)
{
	sigset_t saved;
	int rc;

	cr_registry_lock(&saved);
	rc = client_init();
	cr_registry_unlock(&saved);
	if (rc) {
		errno = -rc;
		return -1;
	}
	return cr_self->id;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

int cr_inc_persist(void)
{
	if (!cr_self)
		return fail(CR_ENOINIT);
	if (cr_self->persist == INT_MAX)
		return fail(ERANGE);
	cr_self->persist++;
	return 0;
}

int cr_dec_persist(void)
{
	if (!cr_self)
		return fail(CR_ENOINIT);
	if (!cr_self->persist)
		return fail(ERANGE);
	cr_self->persist--;
	return 0;
}

/* Ours if its time has come, else the program's. */
static void handle_signal(int signo, siginfo_t *info, void *context)
{
	bool marked = info->si_code == SI_QUEUE &&
		      info->si_errno == CR_SIGNAL_MARK;
	_Atomic uint32_t *party = NULL;

	if (cr_self && atomic_load(&cr_self->party) == CR_PARTY_SENT)
		party = &cr_self->party;
	else if (marked) /* it may have called cr_init() since it was asked */
		party = cr_hold_party();
	if (party && atomic_load(party) == CR_PARTY_SENT)
		cr_round_signal(party);
	else if (marked)
		return; /* came after its request was given up */
	else if (program_action.sa_flags & SA_SIGINFO)
		program_action.sa_sigaction(signo, info, context);
	else if (program_action.sa_handler != SIG_DFL &&
		 program_action.sa_handler != SIG_IGN)
		program_action.sa_handler(signo);
}

int cr_signal_handler_install(void)
{
	struct sigaction sa = { .sa_sigaction = handle_signal,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction now;

	if (sigaction(CR_SIGNUM, NULL, &now))
		return -errno;
	if (have_handler && (now.sa_flags & SA_SIGINFO) &&
	    now.sa_sigaction == handle_signal)
		return 0;
	program_action = now;
	if (sigaction(CR_SIGNUM, &sa, NULL))
		return -errno;
	have_handler = true;
	return 0;
}

static int context_of(int flags)
{
	return flags == CR_SIGNAL_CONTEXT || flags == CR_THREAD_CONTEXT ? flags
									: 0;
}

static int free_callback(void)
{
	int i;

	for (i = 0; i < CR_MAX_CALLBACKS; i++)
		if (!callbacks[i].context)
			return i;
	return -ENOSPC;
}

cr_callback_id_t cr_register_callback(cr_callback_t func, void *arg, int flags)
{
	struct cr_callback *cb;
	sigset_t saved;
	int i, rc = 0;

	if (cr_frame)
		return fail(EBUSY);
	if (!cr_self)
		return fail(CR_ENOINIT);
	if (!context_of(flags))
		return fail(EINVAL);
	cr_registry_lock(&saved);
	i = free_callback();
	if (i < 0)
		rc = i;
	else if (flags == CR_SIGNAL_CONTEXT)
		rc = cr_signal_handler_install();
	if (!rc) {
		cb = &callbacks[i];
		if (!cb->order)
			cb->id = i;
		else /* used before: the old id must not mean this one */
			cb->id = (cb->id + CR_MAX_CALLBACKS) & 0x7fffffff;
		cb->func = func;
		cb->arg = arg;
		cb->context = flags;
		cb->owner = cr_self->id;
		cb->order = ++registrations;
		rc = cb->id;
	}
	if (rc >= 0 && flags == CR_SIGNAL_CONTEXT)
		sigdelset(&saved, CR_SIGNUM);
	cr_registry_unlock(&saved);
	return rc < 0 ? fail(-rc) : rc;
}

static int replace(cr_callback_id_t id, cr_callback_t func, void *arg,
		   int flags)
{
	struct cr_callback *cb = NULL;
	sigset_t saved;
	int rc = 0;

	cr_registry_lock(&saved);
	if (id >= 0)
		cb = &callbacks[id % CR_MAX_CALLBACKS];
	if (!cb || !cb->context || cb->id != id ||
	    cb->context != context_of(flags)) {
		rc = -EINVAL;
	} else {
		cb->func = func;
		cb->arg = arg;
	}
	cr_registry_unlock(&saved);
	return rc ? fail(-rc) : 0;
}

int cr_replace_callback(cr_callback_id_t id, cr_callback_t func, void *arg,
			int flags)
{
	if (!cr_self && !cr_frame)
		return fail(CR_ENOINIT);
	return replace(id, func, arg, flags);
}

int cr_replace_self(cr_callback_t func, void *arg, int flags)
{
	if (!cr_frame || !cr_frame->callback)
		return fail(CR_ENOTCB);
	return replace(cr_frame->callback->id, func, arg, flags);
}

static int by_order(const void *a, const void *b)
{
	const struct cr_callback *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

static int by_order_reversed(const void *a, const void *b)
{
	return by_order(b, a);
}

unsigned int cr_callbacks_of(cr_client_id_t owner, struct cr_callback *out)
{
	int context = owner < 0 ? CR_THREAD_CONTEXT : CR_SIGNAL_CONTEXT;
	unsigned int n = 0;
	int i;

	for (i = 0; i < CR_MAX_CALLBACKS; i++)
		if (callbacks[i].context == context && callbacks[i].func &&
		    (owner < 0 || callbacks[i].owner == owner))
			out[n++] = callbacks[i];
	qsort(out, n, sizeof(*out), owner < 0 ? by_order : by_order_reversed);
	return n;
}
