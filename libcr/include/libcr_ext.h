/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcr_ext.h - for libraries that keep things which must not be saved
 *
 * A communication library, say, has memory, threads and descriptors that
 * are worth nothing after a restart.  It tells libcr so here, is asked to
 * come to rest before a snapshot, and builds them anew afterwards.  All may
 * be called without cr_init().  Functions return 0 or -errno unless said
 * otherwise.
 */
#ifndef LIBCR_EXT_H
#define LIBCR_EXT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libcr.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Memory, threads and descriptors are omitted until they are kept again or
 * the process is restarted: then they do not exist, and the lists are empty.
 */

/* This process and its children by fork(): from now on, for good. */
int cr_omit_process(void);

/*
 * Memory that is not saved.  After a restart nothing is mapped there.
 * Page-aligned; "keep" takes back exactly what an earlier call named.
 * -ENOSPC: more than 128 ranges; -ENOENT: no such range.
 */
int cr_omit_memory(const void *addr, size_t len);
int cr_keep_memory(const void *addr, size_t len);

/* Threads that are not saved and do not exist after a restart. */
int cr_omit_thread(pid_t tid);
int cr_keep_thread(pid_t tid);
/*
 * All threads whose FS base (thread pointer) lies in [start, start + len),
 * unless they have an active rollback slot.  len 0: none.
 */
int cr_omit_threads_by_fs(const void *start, size_t len);

/*
 * Descriptors that are not saved: after a restart the number is free.
 * Below 8192 (-EBADF).  Async-signal-safe.
 */
int cr_omit_fd(int fd);
int cr_keep_fd(int fd);
/*
 * The same as bits, for code that can call no function (the middle of
 * another library's system call): bit fd % 64 of word fd / 64, changed by
 * atomic operations.  Stays where it is.  NULL with errno on failure.
 */
uint64_t *cr_omit_fd_words(size_t *words);

/*
 * Registers to which a thread goes back at restart if it was inside memory
 * that is not saved: with "active" set, it returns from the function that
 * filled the slot a second time, with 1 in rax (as setjmp(3) does).  Fill
 * everything, then set active, in this order; clear active first on leaving.
 */
#define CR_ROLLBACK_SLOTS 1024
struct cr_rollback {
	uint32_t active;
	int32_t tid; /* set by cr_rollback_slot() */
	uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
	uint64_t fs_base;
};
/*
 * The slot of the calling thread, the same at every call until given back;
 * NULL with errno if there is none left.
 */
struct cr_rollback *cr_rollback_slot(void);
void cr_rollback_put(struct cr_rollback *slot);

/*
 * Signals that were delivered to a thread on top of a call that is rolled
 * back: their frames on its stack are gone with the call.  What is known here
 * is undone: a signal whose handler has not begun waits again in the image,
 * and signal mask, alternate stack and extended registers are those of before
 * the signals.
 *
 * Known is what lies in the slot's list, newest first: records anywhere in
 * memory, begun by the address of the newest in *cr_rollback_delivered(slot),
 * 0 if there is none.  And, before all these, what a thread has in rsi and
 * rdx while its rip is in the code range: the same as info and context.  So
 * the first instructions of a handler, which make the record, and the last
 * ones, which have taken it back, can be in that range.  At most one record
 * may have info.
 */
struct cr_delivery {
	uint64_t older;	  /* address of the next record, 0: the last one */
	uint64_t info;	  /* of its siginfo_t; 0: the handler has begun */
	uint64_t context; /* of its ucontext_t */
};
uint64_t *cr_rollback_delivered(struct cr_rollback *slot);
/* One range in a process; len 0: none. */
int cr_delivery_code(const void *start, size_t len);

/*
 * From now on a checkpoint of this process is refused with this reason; the
 * same text given to cr_checkpointable() takes it back.  Counted.
 */
int cr_not_checkpointable(const char *reason);
int cr_checkpointable(const char *reason);

/*
 * A coordinator comes to rest with its peers in other processes.
 *
 * quiesce: in libcr's thread, after every callback of this process called
 * cr_checkpoint() and the requester said that all processes are that far.
 * Returns 0 at rest; otherwise it has undone what it did, and reason says
 * why: the checkpoint is given up with this text.  It should look at
 * cr_request_cancelled() while it waits.
 *
 * resume: in libcr's thread, once for every quiesce() that returned 0, before
 * the code after cr_checkpoint() of any callback runs.
 *
 * Threads of the program run all the while except during the snapshot.
 */
enum cr_outcome {
	CR_OUTCOME_CONTINUE = 0, /* the snapshot was taken */
	CR_OUTCOME_RESTARTED,	 /* this is the restarted process */
	CR_OUTCOME_ABORTED,	 /* there was no snapshot */
};
struct cr_coordinator {
	int (*quiesce)(void *arg, char *reason, size_t size);
	void (*resume)(void *arg, int outcome);
};
/*
 * At most one in a process (-EBUSY); ops NULL removes it.  Starts libcr's
 * thread, whose signals are all blocked; its id is cr_helper_tid().
 */
int cr_register_coordinator(const struct cr_coordinator *ops, void *arg);
/* In quiesce: true once the requester gave up or died. */
int cr_request_cancelled(void);
/* The thread in which quiesce, resume and callbacks run; 0 if none. */
pid_t cr_helper_tid(void);

/*
 * The child that stands for the processes of a restart which this program
 * asked for (cr_request_restart()); before the handle is reaped.  -1 with
 * errno: EINVAL.
 */
pid_t cr_restart_child(cr_restart_handle_t *handle);

/*
 * Restarts of this process so far: a restarted process can tell by it from
 * any thread.
 */
uint64_t cr_restarts(void);
/*
 * The environment of the last restart command (NAME=VALUE, NULL at the end);
 * NULL before the first restart.  Valid in resume() and callbacks after it;
 * freed at the next restart.
 */
char **cr_restart_environment(void);

#ifdef __cplusplus
}
#endif

#endif
