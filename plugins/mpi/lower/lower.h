/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lower.h - the discardable MPI library: a second dynamic linker in the process
 *
 * The upper half is the program with its libc; the lower half is the real MPI
 * library with a libc, threads, descriptors and memory of its own, brought in
 * by a private copy of ld.so.  All memory of the lower half lies in the
 * arena, a fixed range of addresses; its descriptors are recorded as they
 * come and go; a thread whose FS base lies in the arena is the lower half's
 * own or inside it.  None of it is saved in a checkpoint.
 *
 * A thread of the program has a thread control block (with errno, TLS and
 * pthread_self) in each half.  The lower half's code finds its own through
 * GS, so that a crossing is a plain call; where that is not possible, a
 * crossing sets FS (pointer.c).  The stack stays.  Rules for code around a
 * crossing, which hold in both cases:
 *
 * - between cr_lower_enter() and cr_lower_leave() nothing but the call of a
 *   lower half's function with plain values: no TLS, no errno, no libc of
 *   ours.  CR_LOWER(call) does exactly that.
 * - pointers to functions handed to the lower half must be thunks that begin
 *   with cr_lower_callback_begin() and end with cr_lower_callback_end().
 * - no C++ exception and no longjmp may pass from one half to the other.
 */
#ifndef CR_LOWER_H
#define CR_LOWER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "include/libcr_ext.h"

#define CR_LOWER_START 0x200000000000UL /* 1 TiB of addresses, not reserved */
#define CR_LOWER_SIZE 0x010000000000UL

/* The lower half that is up; read by the inline functions only. */
struct cr_lower {
	unsigned int generation; /* 0: none; never the same number again */
	bool fsgsbase;		 /* the kernel allows wrfsbase */
	bool switching;		 /* crossings set FS (see pointer.c) */
	long upper_offset;	 /* of struct cr_lower_tls from the FS base */
};

/* What a thread of the program knows of its crossing (in its own TLS). */
struct cr_lower_thread {
	unsigned int generation; /* of the lower half lower_fs belongs to */
	unsigned long lower_fs, upper_fs;
	struct cr_rollback *slot; /* of this thread; NULL: none */
	uint64_t *delivered;	  /* its list of signals (trampoline.S) */
	unsigned int begun; /* handlers that run on top of a call */

	/*
	 * For cr_lower_rolled_back(): the lower half has changed the signal
	 * mask for a moment, and this is the thread's own.
	 */
	unsigned int masked;
	uint64_t signal_mask;
};

#define CR_LOWER_HIDDEN __attribute__((visibility("hidden")))

extern struct cr_lower cr_lower CR_LOWER_HIDDEN;
extern __thread struct cr_lower_thread cr_lower_self
	__attribute__((tls_model("initial-exec"))) CR_LOWER_HIDDEN;

/* ---- bring-up ---- */

/*
 * Finds the MPI library that the program is linked with (or has opened) and
 * puts its path in path.  -ENOENT if there is none.
 */
int cr_lower_library(char *path, size_t size, struct cr_error *err);

/*
 * Brings up a lower half: ld.so, lh_main and library (NULL: none, for tests),
 * with the environment envp (LD_PRELOAD and the like are left out, switches
 * that registration caches need are put in).  MPI is not yet initialised.
 * The calling thread is attached.  Tells libcr to leave out arena, threads
 * and descriptors.  On failure nothing is left, the lower half is down.
 *
 * No checkpoint may fall in here nor in MPI_Init (critical section), and no
 * other thread may be in any function of this header.
 */
int cr_lower_boot(const char *library, char *const envp[],
		  struct cr_error *err);

/*
 * MPI is initialised, what the lower half needs is loaded: from now on
 * crossings need not set FS, if all its code can do without.  No thread may
 * be inside.
 */
void cr_lower_settled(void);

/* Address of a lower half's function or variable, NULL if it has none. */
void *cr_lower_symbol(const char *name);

/*
 * Self-test: is everything that the lower half has known, so that it can be
 * left out?  Call it after MPI_Init with after_init: then, nothing of the
 * program having run since cr_lower_boot(), descriptors, threads, mappings
 * and children that the process has got meanwhile are looked at too.  In
 * quiesce without.  0, or -errno with the reason, with which the process is
 * to be marked not checkpointable (it runs on all the same).  Drops records
 * of descriptors that are no longer the lower half's.
 */
int cr_lower_check(bool after_init, struct cr_error *err);

/*
 * Forgets the lower half: its memory, descriptors and records.
 * restored: the process comes from an image, where nothing of it exists any
 * more, so that no descriptor is closed.  Else its threads must have ended
 * (after MPI_Finalize or in a child of fork()), -EBUSY if some have not.  The
 * calling thread and all others must be outside; cr_lower_boot() may follow.
 */
int cr_lower_abandon(bool restored);

/*
 * Writes out what the lower half's stdio holds, for the end of the program.
 */
void cr_lower_flush(void);

/* Writes a script for gdb that loads the symbols of the lower half. */
int cr_lower_gdb_script(const char *path, struct cr_error *err);

/* ---- crossing ---- */

static inline bool cr_lower_owns(const void *addr)
{
	return (unsigned long)addr - CR_LOWER_START < CR_LOWER_SIZE;
}

/* The FS base: the first word of a thread control block is its address. */
static inline unsigned long cr_lower_get_fs(void)
{
	unsigned long fs;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(fs));
	return fs;
}

static inline __attribute__((always_inline)) void
cr_lower_set_fs(unsigned long fs)
{
	if (__builtin_expect(cr_lower.fsgsbase, 1)) {
		__asm__ volatile("wrfsbase %0" : : "r"(fs) : "memory");
	} else {
		long r = 158; /* arch_prctl(ARCH_SET_FS, fs) */

		__asm__ volatile("syscall"
				 : "+a"(r)
				 : "D"(0x1002L), "S"(fs)
				 : "rcx", "r11", "memory");
	}
}

/* Is the calling thread inside?  Async-signal-safe. */
static inline bool cr_lower_inside(void)
{
	return cr_lower_owns((void *)cr_lower_get_fs());
}

/*
 * Gives the calling thread a thread control block of the lower half (from
 * the pool, or a new one); it goes back when the thread ends.  -ENXIO: no
 * lower half is up (in a child of fork(), say).  Holds the pool's lock.
 */
int cr_lower_attach(void);
/* cr_lower_attach(), but ends the process with a message if it fails */
void cr_lower_attach_or_die(void);
/* Gives it back now. */
void cr_lower_detach(void);
/*
 * The calling thread's rollback slot, NULL for none, before it is active for
 * the first time: signals on top of it are looked after from now on.
 */
void cr_lower_set_slot(struct cr_rollback *slot);

/*
 * The last step of quiesce: no thread with an active rollback slot is doing
 * anything that could not be undone, until cr_lower_release() (or, after a
 * restart, cr_lower_abandon()).  Such are signal handlers of the program on
 * top of a call (new ones wait; after a rollback they run then) and the way
 * to a control block.  -EBUSY if a handler does not end, -ECANCELED when
 * cancelled() turned true; then nothing is held.
 */
int cr_lower_hold(bool (*cancelled)(void *arg), void *arg,
		  struct cr_error *err);
void cr_lower_release(void);

/* Enters the lower half; returns what cr_lower_leave() needs. */
static inline __attribute__((always_inline)) unsigned long
cr_lower_enter(void)
{
	unsigned long upper = 0;

	if (__builtin_expect(cr_lower_self.generation != cr_lower.generation,
			     0))
		cr_lower_attach_or_die();
	if (__builtin_expect(cr_lower.switching, 0)) {
		upper = cr_lower_self.upper_fs;
		cr_lower_set_fs(cr_lower_self.lower_fs);
	}
	return upper;
}

static inline __attribute__((always_inline)) void
cr_lower_leave(unsigned long upper)
{
	if (__builtin_expect(upper != 0, 0))
		cr_lower_set_fs(upper);
}

/*
 * CR_LOWER(f(a, b)): calls f in the lower half, its value is f's.  Arguments
 * must be plain values computed before.
 */
#define CR_LOWER(call)                                      \
	({                                                  \
		unsigned long cr_upper_ = cr_lower_enter(); \
		__typeof__(call) cr_result_ = (call);       \
		cr_lower_leave(cr_upper_);                  \
		cr_result_;                                 \
	})
#define CR_LOWER_VOID(call)                                 \
	do {                                                \
		unsigned long cr_upper_ = cr_lower_enter(); \
		(call);                                     \
		cr_lower_leave(cr_upper_);                  \
	} while (0)

/* ---- callbacks from the lower half into the program ---- */

/* What a control block of the lower half knows of the thread on it. */
struct cr_lower_tls {
	unsigned long upper_fs; /* 0: a thread of the lower half's own */
	struct cr_lower_thread *upper;
	unsigned long next; /* FS base of the next one in the pool */
};

static inline struct cr_lower_tls *cr_lower_tls(unsigned long lower_fs)
{
	return (struct cr_lower_tls *)(lower_fs + cr_lower.upper_offset);
}

/*
 * First statement of a thunk: switches to the upper half and returns the FS
 * base for cr_lower_callback_end().  0: a thread of the lower half's own,
 * which cannot run the program's code; the thunk must return at once.
 */
static inline __attribute__((always_inline)) unsigned long
cr_lower_callback_begin(void)
{
	unsigned long lower = cr_lower_get_fs(), upper;

	if (!cr_lower_owns((void *)lower))
		return lower; /* called by the upper half directly */
	upper = cr_lower_tls(lower)->upper_fs;
	if (!upper)
		return 0;
	cr_lower_set_fs(upper);
	return lower;
}

static inline __attribute__((always_inline)) void
cr_lower_callback_end(unsigned long lower)
{
	if (cr_lower_owns((void *)lower))
		cr_lower_set_fs(lower);
}

/* ---- rollback ---- */

/*
 * Fills the registers of slot (not active, nor tid) so that the thread can
 * be made to return from here once more.  Call it in the upper half.
 * Returns 0; returns again with 1 at restart, then cr_lower_rolled_back()
 * must come first.  As with setjmp(3): the function that calls it must not
 * have returned, and its local variables that change afterwards must be
 * volatile.
 */
int cr_lower_save(struct cr_rollback *slot)
	__attribute__((returns_twice)) CR_LOWER_HIDDEN;

/*
 * After the second return, with the slot no longer active: gives the thread
 * back what the call that it was torn out of may have changed (x87 stack,
 * direction flag, signal mask).
 */
void cr_lower_rolled_back(void);

/* ---- token: who may be inside, without MPI_THREAD_MULTIPLE ---- */

/*
 * Registers the hook by which a thread that waits inside (Open MPI calls it
 * while it makes progress) lends the lower half.  Call it once after
 * MPI_Init, unless the lower half gives MPI_THREAD_MULTIPLE.  The lower half
 * must then have been initialised with MPI_THREAD_SINGLE (-EINVAL if not;
 * see token.c).  -ENOSYS with a reason if this MPI library has no such hook.
 */
int cr_lower_token_init(struct cr_error *err);

/*
 * For libcr's helper thread: returns 0 when it may call the lower half: the
 * thread inside is parked in the hook, or inside() is false.  The caller has
 * closed its border before (threads outside stay outside until it opens
 * it), so that inside() once false stays false.  -ECANCELED when cancelled()
 * turned true; then the token is not held.
 * inside: is a thread of the program (other than the caller) inside?
 */
int cr_lower_token_take(bool (*inside)(void *arg),
			bool (*cancelled)(void *arg), void *arg);
/* Lets the parked thread go on. */
void cr_lower_token_give(void);
/* Has somebody the token, or waits for it?  Any thread, any FS base. */
bool cr_lower_token_asked(void) CR_LOWER_HIDDEN;

#endif
