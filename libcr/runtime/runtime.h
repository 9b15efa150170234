/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * runtime.h - the parts of libcr inside a program, among themselves
 *
 *	control.c   the control block: what is told to the outside
 *	gate.c      critical sections
 *	client.c    threads that called cr_init(), registered callbacks
 *	helper.c    libcr's thread, fork
 *	answer.c    one request in that thread, from connection to outcome
 *	round.c     the callbacks of one request, in both contexts
 *	hold.c      threads that wait until all callbacks are done
 *	hook.c      functions that run when it is over
 *	info.c      what callbacks may ask
 *	asked.c     a request of the program, from its start to the reaping
 *	ask.c       cr_request_checkpoint(), ask_run.c the command that serves
 *	            it; ask_restart.c, restart_run.c: the same for restarts
 *	spawn.c     starts the command
 *
 * One mutex, the registry's, guards everything that is not atomic; it is
 * held only by cr_registry_lock(), which blocks signals, and never while
 * code of the program runs.
 */
#ifndef CR_RUNTIME_H
#define CR_RUNTIME_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "libcr.h"
#include "libcr_ext.h"
#include "runtime/control.h"
#include "runtime/protocol.h"

/* control.c */
extern struct cr_control *cr_control; /* NULL until libcr is used */
/* Makes it if need be; registry locked.  0 or -errno. */
int cr_control_create(void);
/* In the child after fork(): what is true of it. */
void cr_control_forked(void);

/* gate.c */
bool cr_gate_close(bool (*cancelled)(void)); /* false: cancelled */
void cr_gate_open(void);
int cr_gate_state(void); /* CR_STATE_* */
void cr_gate_leave(void);
void cr_gate_forked(unsigned int depth);
void cr_futex_wait(_Atomic uint32_t *word, uint32_t value, long timeout_ms);
void cr_futex_wake(_Atomic uint32_t *word);

/* client.c */
/* A thread in a round that has signal-context callbacks, or is held. */
enum cr_party {
	CR_PARTY_NONE = 0,
	CR_PARTY_SENT,	  /* the signal is on its way */
	CR_PARTY_RUNNING, /* its callbacks run */
	CR_PARTY_ARRIVED, /* all called cr_checkpoint() */
	CR_PARTY_HELD,	  /* all ended, it waits for those of others */
};
struct cr_client { /* a thread that called cr_init() */
	struct cr_client *next;
	cr_client_id_t id;
	pid_t tid;
	unsigned int depth; /* of critical sections */
	volatile sig_atomic_t at_gate; /* between gate and depth */
	_Atomic uint32_t party;
	unsigned int first, n; /* its callbacks in the round */
	int hold;	       /* CR_HOLD_* */
	int persist;	       /* cr_inc_persist() */
	int destructors;       /* times that its destructor ran */
};
struct cr_callback {
	cr_callback_id_t id;
	cr_callback_t func; /* NULL: disabled */
	void *arg;
	int context;	      /* 0: unused */
	cr_client_id_t owner; /* signal context */
	unsigned long order;  /* of registration */
};
extern __thread struct cr_client *cr_self;
extern struct cr_client *cr_clients; /* registry locked */
void cr_registry_lock(sigset_t *saved);
void cr_registry_unlock(const sigset_t *saved);
/*
 * Copies the enabled callbacks of one owner in the order in which they run
 * (owner < 0: thread context); registry locked.  Returns their number.
 */
unsigned int cr_callbacks_of(cr_client_id_t owner, struct cr_callback *out);
bool cr_clients_forked(void); /* true: the child needs a helper */
/* The handler of CR_SIGNUM; registry locked.  0 or -errno. */
int cr_signal_handler_install(void);
/* Has it run in a thread for the round. */
int cr_signal_thread(pid_t tid);

/* helper.c */
/* Starts libcr's thread if need be; registry locked. */
int cr_helper_start(void);
/* Watches for fork(); registry locked. */
int cr_helper_watch_fork(void);
/* The next request's token if there is one already. */
bool cr_helper_next(uint64_t *token);
/* That request is to come again. */
void cr_helper_put_back(uint64_t token);

/* answer.c */
void cr_answer(uint64_t token);
/* The talk with the requester, after the callbacks; the outcome. */
int cr_answer_finish(int verdict);
bool cr_answer_cancelled(void);
/* More processes for the request; async-signal-safe.  0 or -errno. */
int cr_answer_forward(cr_scope_t scope, pid_t target);
const struct cr_message *cr_answer_request(pid_t *requester);
void cr_answer_forked(void);

/* asked.c */
void cr_ask_forked(void);

/* hold.c */
int cr_hold_of(const struct cr_client *c); /* CR_HOLD_* */
bool cr_hold_any(void); /* threads without cr_init() are held */
/* Is the calling thread, in the handler, to be held?  outcome: the round's. */
bool cr_hold_now(int outcome);
/* Asks threads without cr_init() to come; false: all have been asked. */
bool cr_hold_invite(void);
/* The place of the calling thread among those; NULL: none. */
_Atomic uint32_t *cr_hold_party(void);
bool cr_hold_busy(enum cr_party last, bool give_up);
void cr_hold_reset(void);
void cr_hold_forked(void);

/* hook.c */
void cr_hook_run(int outcome, cr_hook_event_t cont, cr_hook_event_t rstrt);

/* round.c */
struct cr_frame { /* a callback that is running in this thread */
	struct cr_frame *outer;
	unsigned int index;
	bool signal_context, called;
	int result;
	unsigned int depth; /* critical sections, without effect */
	struct cr_callback *callback;
};
extern __thread struct cr_frame *cr_frame;
/* Runs all callbacks up to and after cr_checkpoint(). */
void cr_round_run(void);
/* In the handler; party: the thread's place in the round. */
void cr_round_signal(_Atomic uint32_t *party);
/* Is that thread on its way to a state after "last"? */
bool cr_party_busy(_Atomic uint32_t *party, pid_t tid, enum cr_party last,
		   bool give_up);
/* A thread ended: it cannot arrive any more. */
void cr_round_party_gone(void);

/* info.c */
void cr_info_restarted(void);

#endif
