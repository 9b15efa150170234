/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pending.c - signals that were waiting for the program */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "restore/build.h"

/* Where si_code and, for timers, the kernel's own word lie in a siginfo. */
#define SI_SIGNO_OFFSET 0
#define SI_CODE_OFFSET 8
#define SI_SYS_PRIVATE_OFFSET 32
#define SI_TIMER_CODE (-2)

/*
 * Takes out what the building itself has caused: SIGCHLD of zombies and
 * helpers.  Everything is blocked in a stub, so all of it is still there.
 */
static int flush(struct cr_restore_context *ctx, struct cr_task *t,
		 uint64_t mask, struct cr_error *err)
{
	struct {
		uint64_t mask;
		struct timespec now;
	} arg = { mask, { 0, 0 } };
	uint64_t at = cr_stub_put(ctx, t, 0, &arg, sizeof(arg), err);
	int64_t sig;

	if (!at)
		return err->code;
	do {
		int ret = cr_stub_try(t, &sig, SYS_rt_sigtimedwait,
				      (uint64_t[6]){ at, 0, at + 8, 8 }, err);

		if (ret < 0)
			return ret;
	} while (sig > 0 || sig == -EINTR);
	return 0;
}

static int32_t signo_of(const struct cr_siginfo *info)
{
	int32_t signo;

	memcpy(&signo, info->raw + SI_SIGNO_OFFSET, sizeof(signo));
	return signo;
}

/*
 * A task may queue any siginfo, whatever its origin says, for itself.
 */
static int queue(struct cr_restore_context *ctx, struct cr_task *t,
		 const struct cr_siginfo *info, bool thread,
		 struct cr_error *err)
{
	struct cr_siginfo copy = *info;
	int32_t signo = signo_of(info), code;
	uint64_t at;
	int64_t ret;

	memcpy(&code, copy.raw + SI_CODE_OFFSET, sizeof(code));
	if (code == SI_TIMER_CODE)
		memset(copy.raw + SI_SYS_PRIVATE_OFFSET, 0, 4);
	at = cr_stub_put(ctx, t, 0, &copy, sizeof(copy), err);
	if (!at)
		return err->code;
	if (thread)
		ret = cr_stub_call(t, "pending signal of the thread",
				   SYS_rt_tgsigqueueinfo,
				   (uint64_t[6]){ (uint64_t)t->tgid,
						  (uint64_t)t->tid,
						  (uint64_t)signo, at },
				   err);
	else
		ret = cr_stub_call(
			t, "pending signal", SYS_rt_sigqueueinfo,
			(uint64_t[6]){ (uint64_t)t->tgid, (uint64_t)signo, at },
			err);
	return ret < 0 ? (int)ret : 0;
}

/* The kernel lets only the main thread queue what others had sent. */
int cr_signals_of_process(struct cr_restore_context *ctx, struct cr_stub *s,
			  struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < s->n_tasks; i++)
		ret = flush(ctx, &s->tasks[i], ~0ULL, err);
	for (size_t i = 0; !ret && i < s->p->n_pending; i++)
		ret = queue(ctx, &s->tasks[0], &s->p->pending[i], false, err);
	return ret;
}

/* What children have caused since then; a second SIGCHLD is none. */
static int flush_child(struct cr_restore_context *ctx, struct cr_stub *s,
		       struct cr_error *err)
{
	for (size_t i = 0; i < s->p->n_pending; i++)
		if (signo_of(&s->p->pending[i]) == SIGCHLD)
			return 0;
	return flush(ctx, cr_stub_task(s), 1ULL << (SIGCHLD - 1), err);
}

int cr_signals_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		       struct cr_error *err)
{
	int ret = s->first ? flush_child(ctx, s, err)
			   : cr_signals_of_process(ctx, s, err);

	/* a respawned process has a task, but no thread was recorded */
	for (size_t i = s->first; !ret && i < s->p->n_threads; i++)
		for (size_t k = 0; !ret && k < s->p->threads[i].n_pending; k++)
			ret = queue(ctx, &s->tasks[i],
				    &s->p->threads[i].pending[k], true, err);
	return ret;
}
