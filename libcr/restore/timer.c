/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* timer.c - interval timers and POSIX timers, with what remained of them */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "restore/build.h"

/* prctl of Linux 6.15: timer_create() takes the id it is given */
#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS 77
#endif

/* Without it ids are counted up, by making timers and deleting them. */
#define MOST_TRIES 65536

#define NS 1000000000LL

/*
 * The kernel starts ITIMER_REAL anew when the program takes its signal.  As
 * long as that waits, nothing remains of it; here it starts at once.
 */
static bool waits_for_alarm(const struct cr_process *p)
{
	int32_t signo;

	for (size_t i = 0; i < p->n_pending; i++) {
		memcpy(&signo, p->pending[i].raw, sizeof(signo));
		if (signo == SIGALRM)
			return p->itimer[0].interval_ns > 0;
	}
	return false;
}

static int restore_itimers(struct cr_restore_context *ctx, struct cr_stub *s,
			   struct cr_error *err)
{
	struct cr_task *t = cr_stub_task(s);

	for (int i = 0; i < 3; i++) {
		const struct cr_itimer *it = &s->p->itimer[i];
		struct itimerval v = {
			.it_interval = { it->interval_ns / NS,
					 it->interval_ns % NS / 1000 },
			.it_value = { it->value_ns / NS,
				      it->value_ns % NS / 1000 },
		};
		uint64_t at;
		int64_t ret;

		if (it->value_ns <= 0 && (i || !waits_for_alarm(s->p)))
			continue;
		if (it->value_ns <= 0)
			v.it_value = v.it_interval;
		if (!v.it_value.tv_sec && !v.it_value.tv_usec)
			v.it_value.tv_usec = 1;
		at = cr_stub_put(ctx, t, 0, &v, sizeof(v), err);
		if (!at)
			return err->code;
		ret = cr_stub_call(t, "interval timer", SYS_setitimer,
				   (uint64_t[6]){ (uint64_t)i, at, 0 }, err);
		if (ret < 0)
			return (int)ret;
	}
	return 0;
}

struct timer_args {
	struct sigevent event;
	int id;
	struct itimerspec when;
};

static int create_timer(struct cr_task *t, const struct cr_posix_timer *pt,
			uint64_t at, bool ids, struct cr_error *err)
{
	uint64_t id_at = at + offsetof(struct timer_args, id);
	int64_t ret;

	for (int tries = 0; tries < MOST_TRIES; tries++) {
		int id;

		ret = cr_stub_call(
			t, "timer", SYS_timer_create,
			(uint64_t[6]){ (uint64_t)pt->clockid, at, id_at }, err);
		if (ret < 0)
			return (int)ret;
		ret = cr_remote_read(t->tid, id_at, &id, sizeof(id), err);
		if (ret < 0)
			return (int)ret;
		if (id == pt->id)
			return 0;
		if (ids || id > pt->id)
			break;
		ret = cr_stub_call(t, "timer", SYS_timer_delete,
				   (uint64_t[6]){ (uint64_t)id }, err);
		if (ret < 0)
			return (int)ret;
	}
	return cr_error_set(err, -ENOTSUP,
			    "process %d: its timer %d cannot have this id "
			    "again on this kernel",
			    t->tgid, pt->id);
}

/* It signals a thread that has ended: nobody, which has a name of its own. */
static bool signals_nobody(const struct cr_process *p,
			   const struct cr_posix_timer *pt)
{
	if (!(pt->notify & SIGEV_THREAD_ID))
		return false;
	for (size_t i = 0; i < p->n_threads; i++)
		if (p->threads[i].tid == pt->tid)
			return false;
	return true;
}

static int restore_timer(struct cr_restore_context *ctx, struct cr_stub *s,
			 const struct cr_posix_timer *pt, bool ids,
			 struct cr_error *err)
{
	struct cr_task *t = cr_stub_task(s);
	struct timer_args args = {
		.id = pt->id,
		.when.it_value = { pt->it_value_ns / NS, pt->it_value_ns % NS },
		.when.it_interval = { pt->it_interval_ns / NS,
				      pt->it_interval_ns % NS },
	};
	uint64_t at;
	int64_t ret;

	memset(&args.event, 0, sizeof(args.event));
	args.event.sigev_value.sival_ptr = (void *)(uintptr_t)pt->sigev_value;
	args.event.sigev_signo = pt->signo;
	args.event.sigev_notify =
		signals_nobody(s->p, pt) ? SIGEV_NONE : pt->notify;
	args.event._sigev_un._tid = pt->tid;
	at = cr_stub_put(ctx, t, 0, &args, sizeof(args), err);
	if (!at)
		return err->code;
	ret = create_timer(t, pt, at, ids, err);
	if (ret < 0)
		return (int)ret;
	if (pt->it_value_ns <= 0)
		return 0;
	ret = cr_stub_call(
		t, "timer", SYS_timer_settime,
		(uint64_t[6]){ (uint64_t)pt->id, 0,
			       at + offsetof(struct timer_args, when), 0 },
		err);
	return ret < 0 ? (int)ret : 0;
}

static int by_id(const void *a, const void *b)
{
	const struct cr_posix_timer *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Kernels list them as they like, and count ids upwards only. */
static int restore_timers(struct cr_restore_context *ctx, struct cr_stub *s,
			  bool ids, struct cr_error *err)
{
	size_t n = s->p->n_timers;
	struct cr_posix_timer *sorted = calloc(n, sizeof(*sorted));
	int ret = 0;

	if (!sorted)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memcpy(sorted, s->p->timers, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_id);
	for (size_t i = 0; !ret && i < n; i++)
		ret = restore_timer(ctx, s, &sorted[i], ids, err);
	free(sorted);
	return ret;
}

int cr_timers_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		      struct cr_error *err)
{
	struct cr_task *t = cr_stub_task(s);
	int64_t ids = -1, off;
	int ret = restore_itimers(ctx, s, err);

	if (ret < 0 || !s->p->n_timers)
		return ret;
	ret = cr_stub_try(t, &ids, SYS_prctl,
			  (uint64_t[6]){ PR_TIMER_CREATE_RESTORE_IDS, 1 }, err);
	if (!ret)
		ret = restore_timers(ctx, s, ids >= 0, err);
	if (!ret && ids >= 0)
		ret = cr_stub_try(
			t, &off, SYS_prctl,
			(uint64_t[6]){ PR_TIMER_CREATE_RESTORE_IDS, 0 }, err);
	return ret;
}
