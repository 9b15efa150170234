/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcr.h - checkpoint and restart of process trees: the programmer's
 * interface
 *
 * A program needs none of this to be checkpointed.  It is for programs that
 * want to be told (callbacks), to put it off (critical sections) or to ask
 * for it (requests).  Source compatible with BLCR's libcr.h for everything
 * declared here.
 *
 * Unless said otherwise functions return a value >= 0, or -1 with errno set;
 * errno may be a code of this file, see cr_strerror().
 */
#ifndef LIBCR_H
#define LIBCR_H

#include <stddef.h>
#include <sys/time.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CR_RELEASE_MAJOR 0
#define CR_RELEASE_MINOR 9
#define CR_RELEASE_PATCHLEVEL 0

/* Codes in errno beyond those of the C library; new ones go to the end. */
enum {
	CR_ETEMPFAIL = 2354, /* a callback failed for now */
	CR_EPERMFAIL,	     /* a callback failed for good */
	CR_ENOSUPPORT,	     /* the process cannot be checkpointed */
	CR_EVERSION,	     /* versions do not fit */
	CR_EOMITTED,	     /* the process left the checkpoint */
	CR_EBADARCH,	     /* a context file of another architecture */
	CR_EPTRACED,	     /* a process is being traced */
	CR_EPTRACER,	     /* a process is tracing another */
	CR_ERSTRTABRT,	     /* the restart was given up */
	CR_ERESTARTED,	     /* this is the restarted process */
	CR_ENOTCB,	     /* only possible inside a callback */
	CR_ENOINIT /* this thread has not called cr_init() */
};

/* The text for a code of the C library or of this file; never NULL. */
const char *cr_strerror(int errnum);

typedef int cr_version_t;
typedef int cr_client_id_t;
typedef int cr_callback_id_t;
typedef int (*cr_callback_t)(void *arg);

/*
 * cr_init - make the calling thread known to libcr
 *
 * Once in every thread before other calls in it; not needed in
 * thread-context callbacks.  More calls give the same id again.  The first
 * in a process starts libcr's own thread.  Not async-signal-safe.
 */
cr_client_id_t cr_init(void);

/* Callbacks */

#define CR_MAX_CALLBACKS 256 /* of one process, both contexts together */

/* Where a callback runs; exactly one of: */
#define CR_SIGNAL_CONTEXT 0x1 /* in the thread that registered it */
#define CR_THREAD_CONTEXT 0x2 /* in libcr's own thread */

/*
 * cr_register_callback - have func(arg) called at every checkpoint
 *
 * The function does what has to be done before, calls cr_checkpoint(), and
 * does what has to be done after it.  All thread-context callbacks reach
 * cr_checkpoint() before the first signal-context one runs; after it they
 * go on in reverse.  Signal-context callbacks run in reverse order of
 * registration in a signal handler of their thread: only async-signal-safe
 * functions may be called, and a thread that blocks signal 64 puts the
 * checkpoint off.  The value returned by func is ignored.
 *
 * Errors: CR_ENOINIT, EINVAL, ENOMEM, ENOSPC (CR_MAX_CALLBACKS), EBUSY (in
 * a callback).
 */
cr_callback_id_t cr_register_callback(cr_callback_t func, void *arg, int flags);
/*
 * Replaces function and argument at once, from the next checkpoint on.  The
 * context must stay the same.  func NULL disables the callback; its id stays
 * valid.
 */
int cr_replace_callback(cr_callback_id_t id, cr_callback_t func, void *arg,
			int flags);
/* The same for the callback that is running; CR_ENOTCB elsewhere. */
int cr_replace_self(cr_callback_t func, void *arg, int flags);

/* Flags of cr_checkpoint(); exactly one of: */
#define CR_CHECKPOINT_READY 0x0	       /* go on */
#define CR_CHECKPOINT_OMIT 0x1	       /* go on without this process */
#define CR_CHECKPOINT_TEMP_FAILURE 0x2 /* not now: all run on */
#define CR_CHECKPOINT_PERM_FAILURE 0x4 /* all involved are killed */
/* The same with a code of 16 bits for the one who asked. */
#define CR_CHECKPOINT_TEMP_FAILURE_CODE(code) \
	(CR_CHECKPOINT_TEMP_FAILURE | (((code)&0xffff) << 8))
#define CR_CHECKPOINT_PERM_FAILURE_CODE(code) \
	(CR_CHECKPOINT_PERM_FAILURE | (((code)&0xffff) << 8))

/*
 * cr_checkpoint - in a callback: I am ready
 *
 * Returns 0 where the program continues, > 0 where it was restarted, and a
 * negative code where the checkpoint failed or the process is left out of
 * it: -CR_ETEMPFAIL, -CR_EPERMFAIL, -CR_EOMITTED, -CR_ENOTCB (not in a
 * callback, or a second time), -EINVAL.  A callback that returns without
 * calling it has it called on its behalf.
 */
int cr_checkpoint(int flags);

/*
 * cr_inc_persist, cr_dec_persist - outlive destructors
 *
 * libcr forgets a thread in a destructor of thread-specific data.  While the
 * count of a thread is above zero this is put off to the next round of
 * destructors, so that those of other libraries can still leave critical
 * sections; the last round that the C library makes ends it in any case.
 *
 * Errors: CR_ENOINIT, ERANGE (more decrements than increments, or more
 * increments than an int holds).
 */
int cr_inc_persist(void);
int cr_dec_persist(void);

/* Hooks */

typedef enum {
	/* The checkpoint is taken and the program goes on; it is restarted: */
	CR_HOOK_CONT_SIGNAL_CONTEXT = 0,
	CR_HOOK_CONT_THREAD_CONTEXT,
	CR_HOOK_CONT_NO_CALLBACKS,
	CR_HOOK_RSTRT_SIGNAL_CONTEXT,
	CR_HOOK_RSTRT_THREAD_CONTEXT,
	CR_HOOK_RSTRT_NO_CALLBACKS,
	CR_NUM_HOOKS
} cr_hook_event_t;
typedef void (*cr_hook_fn_t)(cr_hook_event_t event);
#define CR_HOOK_FN_ERROR ((cr_hook_fn_t)-1)

/*
 * cr_register_hook - have func called when a checkpoint or restart is over
 *
 * One function for each event, as with signal(2): it takes the place of the
 * one before, which is returned; NULL: none.  A hook runs as soon as it is
 * known that the program continues or was restarted, before the code after
 * cr_checkpoint() in the callbacks of its context: *_SIGNAL_CONTEXT in each
 * thread that has signal-context callbacks (only async-signal-safe functions
 * may be called), *_THREAD_CONTEXT in libcr's thread, if there are
 * thread-context callbacks, *_NO_CALLBACKS in libcr's thread, if the process
 * has no callbacks at all.  It does not run where the checkpoint failed.
 *
 * Returns CR_HOOK_FN_ERROR with errno set: CR_ENOINIT, EINVAL.
 */
cr_hook_fn_t cr_register_hook(cr_hook_event_t event, cr_hook_fn_t func);

/* Holding threads */

/* Whom a setting is for: */
enum {
	CR_HOLD_SCOPE_THREAD = 0, /* the calling thread */
	CR_HOLD_SCOPE_INIT,	  /* threads that called cr_init() */
	CR_HOLD_SCOPE_UNINIT /* threads that did not */
};
#define CR_HOLD_NONE 0x0 /* not held: the default */
#define CR_HOLD_CONT 0x1 /* when the program continues */
#define CR_HOLD_RSTRT 0x2 /* when it is restarted */
#define CR_HOLD_BOTH 0x3
#define CR_HOLD_READ 0x4 /* change nothing */
#define CR_HOLD_DFLT 0x8 /* THREAD: as INIT says; others: CR_HOLD_NONE */

/*
 * cr_hold_ctrl - who waits until all callbacks are done
 *
 * A thread goes on as soon as its own callbacks are done.  One that is held
 * goes on only when those of all threads of the process are, libcr's own
 * included.  For this it is interrupted by signal 64, as if it had a
 * signal-context callback: a thread of INIT, or with a setting of its own,
 * that blocks the signal puts the checkpoint off; one of UNINIT that does is
 * not held.  After a checkpoint that failed nobody is held.
 *
 * Returns the setting before (CR_HOLD_DFLT: the thread has none of its own),
 * or -1 with errno: CR_ENOINIT, EINVAL, EBUSY (in a callback), CR_ENOSUPPORT
 * (UNINIT in a process whose communication library has threads that are left
 * out).
 */
int cr_hold_ctrl(int scope, int flags);

/* Critical sections */

/* The id to use in callbacks. */
#define CR_ID_CALLBACK ((cr_client_id_t)-2)

/*
 * cr_enter_cs, cr_leave_cs - no checkpoint from here, to here
 *
 * Sections may be nested; a request that arrives meanwhile waits until no
 * thread is in one.  cr_enter_cs() waits while a checkpoint takes place;
 * cr_tryenter_cs() returns a value > 0 instead, and also while a request is
 * waiting.  The leaving of the last section lets a waiting request begin.  In a
 * callback sections are counted but have no effect.  Async-signal-safe.
 *
 * Errors: CR_ENOINIT, EINVAL (not this thread's id), EPERM (leaving a section
 * that was not entered).
 */
int cr_enter_cs(cr_client_id_t id);
int cr_leave_cs(cr_client_id_t id);
int cr_tryenter_cs(cr_client_id_t id);

enum {
	CR_STATE_IDLE = 0, /* nothing going on */
	CR_STATE_PENDING,  /* a request waits for critical sections */
	CR_STATE_ACTIVE /* from the first callback to the end of the last */
};
/* One of CR_STATE_*.  Async-signal-safe. */
int cr_status(void);

/* Locks that may be used in signal handlers. */
typedef struct {
	unsigned int owner;
} cr_spinlock_t;
#define CR_SPINLOCK_INITIALIZER { 0 }

void cr_spinlock_init(cr_spinlock_t *lock);
void cr_spinlock_lock(cr_spinlock_t *lock);
/* True if it was taken. */
int cr_spinlock_trylock(cr_spinlock_t *lock);
void cr_spinlock_unlock(cr_spinlock_t *lock);

/* What is known in a callback */

typedef enum {
	CR_SCOPE_PROC = 0, /* one process */
	CR_SCOPE_PGRP,	   /* a process group */
	CR_SCOPE_SESS,	   /* a session */
	CR_SCOPE_TREE /* a process and its descendants */
} cr_scope_t;

struct cr_checkpoint_info {
	int signal;	  /* sent to the processes afterwards, or 0 */
	const char *dest; /* path of the context file, or NULL */
	pid_t requester;  /* 0 if not visible from here */
	pid_t target;	  /* what was asked for */
	cr_scope_t scope;
};
/* Before cr_checkpoint() in a callback, else NULL. */
const struct cr_checkpoint_info *cr_get_checkpoint_info(void);

/*
 * cr_forward_checkpoint - in a callback: more processes for this request
 *
 * Before cr_checkpoint() only.  The processes named, by ids as this process
 * sees them (0: its own), become part of the same checkpoint: their callbacks
 * run as well, and may forward in their turn; all are saved at one moment to
 * the one context file, and restarted together.  Who is in the request
 * already stays in it once.  Returns 0 once they are in.
 *
 * They must belong to the user this process runs as, unless that is root, and
 * the requester must be able to checkpoint them.  Async-signal-safe.
 *
 * Errors: CR_ENOTCB, EINVAL, ESRCH (nobody there), EPERM, EDEADLK (the
 * requester itself), CR_ETEMPFAIL (the request was given up meanwhile).
 */
int cr_forward_checkpoint(cr_scope_t scope, pid_t target);

struct cr_restart_info {
	pid_t requester; /* the restart command, as this process sees it */
	const char *src; /* path of the context file, or NULL */
};
/* After cr_checkpoint() returned > 0 in a callback, else NULL. */
const struct cr_restart_info *cr_get_restart_info(void);

/* Requests */

#define CR_DEST_CWD (-2) /* cr_fd: context.ID in the current directory */

typedef struct {
	cr_version_t cr_version;
	cr_scope_t cr_scope;
	pid_t cr_target; /* 0: this process, its group, session or tree */
	int cr_fd;	 /* open for writing, or CR_DEST_CWD; closed in
			    restarted processes */
	int cr_signal;	 /* to the processes afterwards; 0: none */
	unsigned int cr_timeout; /* seconds, 0: no limit */
	int cr_flags;
} cr_checkpoint_args_t;

/* cr_flags: */
#define CR_CHKPT_PROHIBIT_SELF 0x001 /* EDEADLK if I would be in it */
#define CR_CHKPT_ASYNC_ERR 0x010     /* errors are told by the reap */
/* A traced or tracing process fails it with CR_EPTRACED, CR_EPTRACER, or: */
#define CR_CHKPT_PTRACED_SKIP 0x002 /* leave out traced processes */
#define CR_CHKPT_PTRACED_ALLOW                                                 \
	0x004 /* save them: CR_EPTRACED if there are any, since no second      \
		 tracer can look at them */
#define CR_CHKPT_PTRACER_SKIP 0x008 /* leave out tracing processes */
/* The content of files that memory shows, so that they need not be there: */
#define CR_CHKPT_DUMP_EXEC 0x100    /* of the executable, */
#define CR_CHKPT_DUMP_PRIVATE 0x200 /* of other private mappings, */
#define CR_CHKPT_DUMP_SHARED 0x400  /* of shared mappings */
#define CR_CHKPT_DUMP_ALL 0x700

typedef struct cr_request_state *cr_checkpoint_handle_t;

/*
 * Fills in version and defaults: the tree of this process, CR_DEST_CWD.
 */
int cr_initialize_checkpoint_args_t(cr_checkpoint_args_t *args);
/*
 * cr_request_checkpoint - start a checkpoint
 *
 * It is made by the command cr_checkpoint, started outside the scope, while
 * the caller runs on.  This, waiting, the log and the reaping are
 * async-signal-safe once the process has called cr_init() (but for
 * cr_poll_checkpoint_msg(), whose messages come from malloc(3)).  Errors:
 * ESRCH, EPERM, EBADF, EINVAL, EDEADLK, CR_EVERSION, CR_ENOSUPPORT, and
 * whatever keeps the command from starting.
 */
int cr_request_checkpoint(cr_checkpoint_args_t *args,
			  cr_checkpoint_handle_t *handle);
/* > 0: finished, 0: timeout passed (NULL: no limit), -1: error. */
int cr_wait_checkpoint(cr_checkpoint_handle_t *handle,
		       struct timeval *timeout);
/*
 * Copies what the command said so far, at most len bytes with the final
 * '\0', to msg (len 0: nothing).  Returns the bytes needed for all of it.
 */
int cr_log_checkpoint(cr_checkpoint_handle_t *handle, unsigned int len,
		      char *msg);
/*
 * The result: 0, or -1 with errno: EAGAIN while it is not finished (the
 * handle stays), CR_ERESTARTED in the restarted process, CR_ETEMPFAIL,
 * CR_EPERMFAIL, CR_ENOSUPPORT and what else went wrong.  Frees the handle.
 */
int cr_reap_checkpoint(cr_checkpoint_handle_t *handle);

#define CR_POLL_CHKPT_ERR_PRE (-1)  /* waiting failed, the handle stays */
#define CR_POLL_CHKPT_ERR_POST (-2) /* the checkpoint failed: errno */
#define CR_POLL_CHKPT_ERR_LOG (-3)  /* done, but the messages are lost */
/*
 * Wait, log and reap in one: > 0 done, 0 time-out, or the above.  *msg gets
 * the messages (to be freed) if there were any, else NULL.
 */
int cr_poll_checkpoint(cr_checkpoint_handle_t *handle, struct timeval *timeout);
int cr_poll_checkpoint_msg(cr_checkpoint_handle_t *handle,
			   struct timeval *timeout, char **msg);

/*
 * Deprecated: checkpoint this process to context.PID in the current
 * directory, to a path, to a descriptor.  Each returns when it is done; in a
 * critical section at once, and it is done after the section.  0 on continue,
 * > 0 on restart.
 */
int cr_request(void);
int cr_request_file(const char *path);
int cr_request_fd(int fd);

/* At most so many path changes at a restart. */
#define CR_MAX_RSTRT_RELOC 16
struct cr_rstrt_relocate_pair {
	char *oldpath;
	char *newpath;
};
struct cr_rstrt_relocate {
	int count;
	struct cr_rstrt_relocate_pair path[CR_MAX_RSTRT_RELOC];
};

typedef struct {
	cr_version_t cr_version;
	int cr_fd;     /* the context file, open for reading */
	int cr_signal; /* to the processes afterwards; 0: none */
	int cr_flags;
	struct cr_rstrt_relocate *cr_relocate; /* NULL: none */
} cr_restart_args_t;

/* cr_flags; the first is the default: */
#define CR_RSTRT_RESTORE_PID 0x001  /* the same ids on this host if they are
				       free and permitted, else (and always
				       without the flag) the same in a
				       namespace of their own */
#define CR_RSTRT_RESTORE_PGID 0x002 /* group and session of the first */
#define CR_RSTRT_RESTORE_SID 0x004  /* process, where nobody leads them */
#define CR_RSTRT_ASYNC_ERR 0x010    /* errors are told by the reap */

typedef struct cr_request_state *cr_restart_handle_t;

/* Fills in version and defaults. */
int cr_initialize_restart_args_t(cr_restart_args_t *args);
/*
 * cr_request_restart - start a restart
 *
 * It is made by the command cr_restart, which becomes a child of the caller
 * and has its standard input, output and error.  As long as the restarted
 * processes run it is their parent's parent: it hands on signals and ends as
 * the first of them ends, so that the caller can wait(2) for it.  The request
 * is finished when they run, or cannot.  Async-signal-safe as
 * cr_request_checkpoint().
 *
 * Errors: EBADF, EINVAL (cr_relocate: more than CR_MAX_RSTRT_RELOC, or a path
 * that is not absolute), CR_EVERSION, and whatever keeps the command from
 * starting.
 */
int cr_request_restart(cr_restart_args_t *args, cr_restart_handle_t *handle);
/* As the functions of a checkpoint. */
int cr_wait_restart(cr_restart_handle_t *handle, struct timeval *timeout);
int cr_log_restart(cr_restart_handle_t *handle, unsigned int len, char *msg);
/*
 * 0: they run; or -1 with errno: EAGAIN while it is not finished,
 * CR_ERSTRTABRT (it was killed), CR_EBADARCH, CR_EVERSION (of the file),
 * and what else went wrong.
 */
int cr_reap_restart(cr_restart_handle_t *handle);

#define CR_POLL_RSTRT_ERR_PRE (-1)  /* as for a checkpoint */
#define CR_POLL_RSTRT_ERR_POST (-2)
#define CR_POLL_RSTRT_ERR_LOG (-3)
/* > 0: they run, and this is the id of the child that stands for them. */
int cr_poll_restart(cr_restart_handle_t *handle, struct timeval *timeout);
int cr_poll_restart_msg(cr_restart_handle_t *handle, struct timeval *timeout,
			char **msg);

/* Refer to one of these to be sure that the library is linked. */
extern int cr_link_me;	    /* libcr */
extern int cr_run_link_me;  /* libcr_run: what cr_run preloads */
extern int cr_omit_link_me; /* libcr_omit: leaves checkpoints */

#ifdef __cplusplus
}
#endif

#endif
