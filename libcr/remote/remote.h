/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote.h - hold tasks with ptrace, read them, make them call the kernel
 *
 * A cr_task is one thread of a process, held by the calling thread as its
 * tracer (ptrace(2): all calls for a task must come from the thread that
 * seized it).  Ids here are those of the caller's pid namespace.
 *
 * All functions return 0 or -errno and fill err.
 */
#ifndef CR_REMOTE_H
#define CR_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "common/error.h"

struct cr_task {
	pid_t tid, tgid;
	pid_t tid_in_parent;	      /* clone3: its id as the parent sees it */
	bool held;		      /* in a ptrace stop */
	bool group_stop;	      /* it was in a job control stop before */
	struct user_regs_struct regs; /* as the program had them */
	bool gave_eintr; /* the stop ended its call with EINTR: made again */
	int64_t deadline; /* 0, or when its call's time is over: nanoseconds
			     of CLOCK_MONOTONIC in no time namespace */
	uint64_t gadget;  /* address of a "syscall" instruction (in its vdso) */
	uint64_t scratch; /* a page mapped in it for arguments, 0: none */
	size_t scratch_size;
	bool scratch_lent; /* it is the program's: pages never touched */

	uint64_t table; /* writable memory for cr_remote_batch(), 0: none */
	size_t table_size;
	struct cr_guard *guard; /* shared by the tasks of a memory; or NULL */

	/* libremote only, except for child_exitkill */
	bool seized, exitkill;
	int group_signal;    /* group_stop: the signal that stopped it */
	bool child_exitkill; /* what it makes by clone3 dies with the tracer */
	bool unfiltered;     /* its seccomp filters do not see its calls */
	bool filtered;	     /* it has some, as far as the caller may know */
	bool forgets;	     /* its call is made anew: see stop.c */
	bool called;	     /* has made a call for us: not in a signal stop */
	bool masked;	  /* signals blocked by us, sigmask to be put back */
	uint64_t blocked; /* masked: those */
	uint64_t kept;	  /* signals held back, to be sent again: 1 << signo */
	uint64_t sigmask; /* as the program had it */
	int quiet;	  /* a signal that it does not notice, 0: none */
	pid_t own_tgid, own_tid; /* in its own pid namespace; with quiet */
};

/*
 * What the threads of one memory do if their tracer dies in the middle of a
 * call (guard.c).  For libremote only.
 */
struct cr_guard {
	uint64_t at; /* 0: no room was found, and no guard is there */
	bool written;
	struct cr_task *owner; /* who is not where the program was */
};

/* PTRACE_SEIZE: the task runs on. exitkill: it dies if the tracer dies. */
int cr_remote_seize(struct cr_task *t, pid_t tid, bool exitkill,
		    struct cr_error *err);
/*
 * Stops it where no one can see: no signal, no EINTR.  A signal that happens
 * to be delivered meanwhile is delivered first and not lost.  -ESRCH if it
 * is gone (err stays untouched), -ETIMEDOUT if it did not stop within
 * CR_REMOTE_STOP_MS; it can be waited for again then.
 */
#define CR_REMOTE_STOP_MS 2000
int cr_remote_stop(struct cr_task *t, struct cr_error *err);
/* The same in two steps, to stop many at once. */
int cr_remote_interrupt(struct cr_task *t, struct cr_error *err);
int cr_remote_wait_stop(struct cr_task *t, struct cr_error *err);
/* With a limit of its own, in milliseconds; 0 looks once. */
int cr_remote_wait_stop_ms(struct cr_task *t, unsigned int ms,
			   struct cr_error *err);
/*
 * Puts t->regs and the signal mask back and lets go; an interrupted system
 * call is restarted by the kernel as if nothing had happened.  A task that is
 * gone is no error.  A task that never stopped cannot be let go (ptrace(2)):
 * it runs on untouched and is free when the tracer ends.
 */
int cr_remote_release(struct cr_task *t, struct cr_error *err);

/* Finds the system call instruction; needed before cr_remote_syscall(). */
int cr_remote_find_gadget(struct cr_task *t, struct cr_error *err);
/*
 * Has the stopped task make one system call; *ret is its result as the
 * kernel gives it (-errno in the range -4095..-1).  t->regs is not changed.
 * The return value says whether the call could be made.
 */
int cr_remote_syscall(struct cr_task *t, int64_t *ret, long nr, uint64_t a0,
		      uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
		      uint64_t a5, struct cr_error *err);
/*
 * Many at the price of one: the results go into the calls.  That needs a
 * table in scratch memory and a guard; else they are made one by one.
 */
struct cr_remote_call {
	int64_t nr;
	uint64_t arg[6];
	int64_t ret;
};
int cr_remote_batch(struct cr_task *t, struct cr_remote_call *calls, size_t n,
		    struct cr_error *err);
/*
 * From now on the task runs on as the program had it if the tracer dies in
 * the middle of a call; not for tasks that die with the tracer.  Tasks of the
 * same memory share g by copying "guard".
 */
int cr_remote_guard(struct cr_task *t, struct cr_guard *g,
		    struct cr_error *err);
/*
 * A held task that is still on its way out of a guard, because a tracer died
 * a moment ago, gets there; for every task of a memory before the first call
 * in one of them.
 */
int cr_remote_leave_guard(struct cr_task *t, const struct cr_guard *g,
			  struct cr_error *err);
/* For a task made by a fork of one that has a guard: the copy is its own. */
void cr_remote_guard_inherit(struct cr_task *t, struct cr_guard *g,
			     const struct cr_guard *from);
/* Takes it out of the memory again, until the next call. */
int cr_remote_unguard(struct cr_task *t, struct cr_error *err);
/*
 * The task is where the program was again, still held: the death of the
 * tracer would mean the same as cr_remote_release().
 */
int cr_remote_settle(struct cr_task *t);
/*
 * clone3 in the task; the new task is seized by the caller as well (EXITKILL
 * iff the parent has it), stopped before its first instruction, and
 * returned in *child.  args: struct clone_args, copied through scratch.
 */
struct clone_args;
int cr_remote_clone3(struct cr_task *t, const struct clone_args *args,
		     struct cr_task *child, struct cr_error *err);
/*
 * Ends the stopped task by exit(2) with status (one thread, not its process)
 * and waits until it is gone for the tracer.
 */
int cr_remote_exit(struct cr_task *t, int status, struct cr_error *err);
/*
 * Lets it go in such a way that it ends by exit(2) at once, without taking a
 * signal, whatever mask it then has.  For a main thread that ends before its
 * process, of which a tracer would not be told.
 */
int cr_remote_leave(struct cr_task *t, int status, uint64_t mask,
		    struct cr_error *err);
/*
 * Maps / unmaps t->scratch.  Where the program's limits leave no room, they
 * are raised for that moment; where that may not be, pages of its stack that
 * it has never touched are lent, and are as untouched afterwards.
 */
int cr_remote_map_scratch(struct cr_task *t, size_t size, struct cr_error *err);
int cr_remote_unmap_scratch(struct cr_task *t, struct cr_error *err);

/*
 * Seccomp filters (seccomp.c).  A task that is stopped is not subject to any
 * as long as it is held, if the caller may have that; t->unfiltered tells, and
 * so do these, for a held task and in general.
 */
bool cr_remote_suspend_filters(struct cr_task *t);
void cr_remote_resume_filters(struct cr_task *t);
bool cr_remote_can_suspend_filters(void);
/*
 * Filter i of a held task, the oldest is 0: its program, struct sock_filter[],
 * malloc'ed.  -ENOENT, without err: there are not so many.
 */
struct cr_remote_filter {
	void *code;
	size_t len; /* bytes */
	bool log;   /* SECCOMP_FILTER_FLAG_LOG */
};
int cr_remote_get_filter(struct cr_task *t, unsigned int i,
			 struct cr_remote_filter *f, struct cr_error *err);

/*
 * Has a held task that dies with its tracer run on with these registers, one
 * instruction at a time, until it is outside of [start, end): the registers
 * that it has there.  false: that cannot be done (a fault, say), and they are
 * as they were.
 */
bool cr_remote_step_out(struct cr_task *t, struct user_regs_struct *regs,
			uint64_t start, uint64_t end);

/* Memory of the task's process, readable or not as far as the kernel lets. */
int cr_remote_read(pid_t pid, uint64_t addr, void *buf, size_t len,
		   struct cr_error *err);
int cr_remote_write(pid_t pid, uint64_t addr, const void *buf, size_t len,
		    struct cr_error *err);

/* Register sets and signal state of a stopped task (ptrace(2)). */
int cr_remote_get_xstate(struct cr_task *t, void **data, size_t *len,
			 struct cr_error *err); /* malloc'ed */
int cr_remote_set_xstate(struct cr_task *t, const void *data, size_t len,
			 struct cr_error *err);
int cr_remote_get_sigmask(struct cr_task *t, uint64_t *mask,
			  struct cr_error *err);
int cr_remote_set_sigmask(struct cr_task *t, uint64_t mask,
			  struct cr_error *err);
/*
 * What the registers must be in a process that starts anew from them and is
 * let go by cr_remote_release(): the kernel goes on with an interrupted call
 * as if it had been interrupted here (for -ERESTART_RESTARTBLOCK see the .c).
 */
void cr_remote_regs_for_restart(struct user_regs_struct *regs);
/*
 * A thread that was interrupted twice in the same sleep shows
 * restart_syscall(2) as its call, whose meaning only its kernel knows.  Finds
 * the call that the program made and puts its number into regs->orig_rax, so
 * that it can be made again.  -ENOTSUP if it cannot be told.
 */
int cr_remote_resolve_restart(pid_t pid, struct user_regs_struct *regs,
			      struct cr_error *err);

/*
 * Places in a memory from which its threads make calls again (rest.c); all 0
 * at first.  With the gadget, and a guard.
 */
struct cr_places {
	uint64_t *at;
	size_t n;
	bool looked;
};
/* Finds or makes n that nobody uses. */
int cr_remote_make_places(struct cr_task *t, struct cr_places *places, size_t n,
			  struct cr_error *err);
void cr_remote_forget_places(struct cr_places *places);

/* A sleep that a thread is in, before it is stopped (sleep.c). */
struct cr_sleep {
	pid_t tid;
	int cpu;	   /* that it slept in on */
	int64_t since;	   /* in nanoseconds of that processor's clock */
	uint64_t switches; /* how often it had left a processor then */
};
/* false: it does not sleep, or this kernel does not tell. */
bool cr_sleep_read(pid_t pid, pid_t tid, struct cr_sleep *s);
/*
 * It is stopped: how long it has slept at least, in nanoseconds; -1: nothing
 * is known.  Before it makes a call for us.
 */
int64_t cr_sleep_lasted(pid_t pid, const struct cr_sleep *s);

/*
 * When is the time-out of the held task's call over (timeout.c)?  That goes
 * to t->deadline.  true: it is to be kept by cr_remote_keep_timeout().  s: as
 * it slept before the stop, or NULL.
 */
bool cr_remote_note_timeout(struct cr_task *t, const struct cr_sleep *s);
/* It will wait for no longer, if there is a place; as cr_remote_make_rest(). */
int cr_remote_keep_timeout(struct cr_task *t, struct cr_places *places,
			   struct cr_error *err);
/* Nanoseconds until the deadline, 0 if it is over; -1: there is none. */
int64_t cr_remote_time_left(const struct cr_task *t);
/* Shortly before it is let go: the stop has taken time, too. */
void cr_remote_renew_timeout(struct cr_task *t);
/*
 * For a process that starts anew, after cr_remote_regs_for_restart(): its call
 * waits for what was left, if there is a place.  Makes no call.
 */
bool cr_remote_wants_place(const struct cr_task *t);
int cr_remote_restart_timeout(struct cr_task *t, int64_t left,
			      struct cr_places *places, struct cr_error *err);

/*
 * Did the stop end a transfer half-way, perhaps?  Then cr_remote_make_rest()
 * finds out, and if so the task goes on with what is left of it, as if it had
 * not been stopped (short.c).  It needs the gadget and a guard.
 */
bool cr_remote_is_short(const struct cr_task *t);
int cr_remote_make_rest(struct cr_task *t, struct cr_places *places,
			struct cr_error *err);

/* Rseq of a stopped task (rseq(2)); all 0 if it has none. */
struct cr_remote_rseq {
	uint64_t addr;
	uint32_t len, sig, flags;
	bool unknown; /* this kernel, before 5.13, does not tell */
};
int cr_remote_get_rseq(struct cr_task *t, struct cr_remote_rseq *rseq,
		       struct cr_error *err);
/*
 * Pending signals of a stopped task, in order, as 128-byte siginfos in a
 * malloc'ed array: directed at the thread, or (shared) at its process.
 */
int cr_remote_get_pending(struct cr_task *t, bool shared, void **infos,
			  size_t *n, struct cr_error *err);

#endif
