/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rendezvous.h - the requester's side of the talk with libcr in a program
 *
 * One cr_rendezvous is one request at one process that has libcr's thread:
 *
 *	create -> (CONNECTING) -> PREPARING -> PREPARED
 *	quiesce -> QUIESCING -> READY	[snapshot]	resume or abort
 *
 * with OMITTED and FAILED as the other ends.  Nothing blocks except
 * cr_rendezvous_wait(), which serves any number at once.  Destroying one, or
 * the death of the requester, aborts: the program runs on.  How it works on
 * the wire is in protocol.h.
 */
#ifndef CR_RENDEZVOUS_H
#define CR_RENDEZVOUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "libcr.h"
#include "runtime/control.h"

enum cr_rendezvous_state {
	CR_RENDEZVOUS_CONNECTING, /* its thread was told, has not answered */
	CR_RENDEZVOUS_PREPARING,  /* critical sections, callbacks */
	CR_RENDEZVOUS_PREPARED,	  /* every callback called cr_checkpoint() */
	CR_RENDEZVOUS_QUIESCING,
	CR_RENDEZVOUS_READY,   /* may be snapshotted */
	CR_RENDEZVOUS_RESUMED, /* resume or abort was sent */
	CR_RENDEZVOUS_OMITTED, /* wants to be left out, runs on */
	CR_RENDEZVOUS_FAILED,  /* cr_rendezvous_error() says why */
};

struct cr_rendezvous;

struct cr_rendezvous_request { /* what callbacks are told about it */
	cr_scope_t scope;
	pid_t target;	  /* as the user named it */
	int signal;	  /* afterwards, 0: none */
	const char *dest; /* path of the context file or NULL */
	/* seconds until a thread of libcr must have answered at all; 0: 10 */
	double connect_timeout;
	/*
	 * A callback of process "from" wants more processes in the request;
	 * target is an id of its pid namespace.  It is told the result, 0 or
	 * -errno.  NULL: -CR_ENOSUPPORT.
	 */
	int (*forward)(void *arg, pid_t from, cr_scope_t scope, pid_t target);
	void *forward_arg;
};

/*
 * Finds the control block of a process and reads it, without stopping it.
 * 0, or -EPROTO if it is of a version unknown here; quietly, err untouched,
 * -ENOENT if it has none, and -ECHILD if that is still its parent's, copied by
 * fork(2) or shared by vfork(2), which is read all the same.  addr may be NULL.
 */
int cr_control_read(pid_t pid, uint64_t *addr, struct cr_control *control,
		    struct cr_error *err);
/*
 * The same for who may not read the process's memory himself, but has somebody
 * who may: 0 or -errno.
 */
typedef int (*cr_memory_reader)(void *arg, pid_t pid, uint64_t addr, void *buf,
				size_t len);
int cr_control_read_by(pid_t pid, uint64_t *addr, struct cr_control *control,
		       cr_memory_reader reader, void *arg,
		       struct cr_error *err);
/* A thread of pid by the id that it has for itself; -ESRCH. */
pid_t cr_control_thread(pid_t pid, int32_t vtid);

/*
 * Starts a request at pid (in the caller's namespace), whose control block
 * says helper_tid != 0.
 */
int cr_rendezvous_create(struct cr_rendezvous **r, pid_t pid,
			 const struct cr_control *control,
			 const struct cr_rendezvous_request *request,
			 struct cr_error *err);
/* Becomes readable when cr_rendezvous_step() has something to do. */
int cr_rendezvous_fd(const struct cr_rendezvous *r);
/* Does what can be done at once and returns the state. */
enum cr_rendezvous_state cr_rendezvous_step(struct cr_rendezvous *r);
enum cr_rendezvous_state cr_rendezvous_state(const struct cr_rendezvous *r);
pid_t cr_rendezvous_pid(const struct cr_rendezvous *r);
/*
 * FAILED: -CR_ETEMPFAIL, -CR_EPERMFAIL (all involved are to be killed),
 * -EBUSY (another request is on), -ESRCH (it ended), -ETIMEDOUT and so on;
 * err, if not NULL, gets the text.  Otherwise 0.
 */
int cr_rendezvous_error(const struct cr_rendezvous *r, struct cr_error *err);
/* The 16 bits that a callback gave with its failure. */
unsigned int cr_rendezvous_user_code(const struct cr_rendezvous *r);

/*
 * Waits until each of the n is at goal (PREPARED or READY) or OMITTED.  0, or
 * the code of the first that failed, -ETIMEDOUT after timeout seconds (0: no
 * limit), -ECANCELED once cancelled() is true (polled ten times a second;
 * may be NULL).  Entries may be NULL.  1: not all are there, but forward()
 * has let in more processes, which are to be asked at once.
 */
int cr_rendezvous_wait(struct cr_rendezvous **r, size_t n,
		       enum cr_rendezvous_state goal, double timeout,
		       bool (*cancelled)(void *arg), void *arg,
		       struct cr_error *err);

/* PREPARED -> QUIESCING. */
int cr_rendezvous_quiesce(struct cr_rendezvous *r, struct cr_error *err);
/* READY -> RESUMED: the snapshot exists, callbacks continue with 0. */
int cr_rendezvous_resume(struct cr_rendezvous *r, struct cr_error *err);
/* From any state: callbacks continue with -CR_ETEMPFAIL. */
void cr_rendezvous_abort(struct cr_rendezvous *r);
/* Aborts unless resumed; NULL is fine. */
void cr_rendezvous_destroy(struct cr_rendezvous *r);

#endif
