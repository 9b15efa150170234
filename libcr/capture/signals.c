/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* signals.c - timers, and the signals that wait, as of one moment */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "capture/internal.h"

#define MOST_TRIES 16

static int64_t ns_of_timeval(const struct timeval *tv)
{
	return (int64_t)tv->tv_sec * 1000000000 + tv->tv_usec * 1000;
}

static int64_t ns_of_timespec(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

static int read_itimers(struct cr_task *t, struct cr_process *m,
			struct cr_error *err)
{
	struct {
		struct itimerval v[3];
		int32_t subreaper;
	} out;
	struct cr_remote_call c[4];
	int i, ret;

	for (i = 0; i < 3; i++)
		c[i] = (struct cr_remote_call){
			.nr = SYS_getitimer,
			.arg = { (uint64_t)i,
				 t->scratch + (uint64_t)i * sizeof(out.v[0]) }
		};
	c[3] = (struct cr_remote_call){
		.nr = SYS_prctl,
		.arg = { PR_GET_CHILD_SUBREAPER,
			 t->scratch + offsetof(typeof(out), subreaper) }
	};
	ret = cr_remote_batch(t, c, 4, err);
	if (!ret)
		ret = cap_check_calls(c, 4, err);
	if (!ret)
		ret = cr_remote_read(t->tid, t->scratch, &out, sizeof(out),
				     err);
	if (ret)
		return ret;
	for (i = 0; i < 3; i++) {
		m->itimer[i].value_ns = ns_of_timeval(&out.v[i].it_value);
		m->itimer[i].interval_ns = ns_of_timeval(&out.v[i].it_interval);
	}
	m->child_subreaper = out.subreaper != 0;
	return 0;
}

static int read_timer(struct cap_proc *p, struct cr_posix_timer *timer,
		      struct cr_error *err)
{
	struct cr_task *t = &p->threads[0]->task;
	struct cr_remote_call c[2] = {
		{ .nr = SYS_timer_gettime,
		  .arg = { (uint64_t)timer->id, t->scratch } },
		{ .nr = SYS_timer_getoverrun, .arg = { (uint64_t)timer->id } },
	};
	struct itimerspec v;
	int ret;

	ret = cr_remote_batch(t, c, 2, err);
	if (!ret)
		ret = cap_check_calls(c, 2, err);
	if (!ret)
		ret = cr_remote_read(t->tid, t->scratch, &v, sizeof(v), err);
	if (ret)
		return ret;
	timer->it_value_ns = ns_of_timespec(&v.it_value);
	timer->it_interval_ns = ns_of_timespec(&v.it_interval);
	timer->overrun = (int32_t)c[1].ret;
	return 0;
}

/* It counts the processor time of the thread that has made it. */
static bool is_of_maker(int clock)
{
	return clock == CLOCK_THREAD_CPUTIME_ID ||
	       (clock < 0 && clock >> 3 == -1 && clock & 4);
}

static const char maker_text[] =
	"process %d: timer %d is of a thread's processor time, and the kernel "
	"does not tell which thread's; have the program take the thread's "
	"clock (pthread_getcpuclockid(3))";

void cap_check_timers(struct cr_capture *c, struct cap_proc *p,
		      size_t n_threads)
{
	char *list = cr_procfs_read(p->pid, NULL, "timers");
	char *line, *save = NULL;
	int id = 0, clock;

	for (line = list && n_threads > 1 ? strtok_r(list, "\n", &save) : NULL;
	     line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "ID: %d", &id) != 1 &&
		    sscanf(line, "ClockID: %d", &clock) == 1 &&
		    is_of_maker(clock))
			cap_report(c, maker_text, p->vpid, id);
	free(list);
}

/* /proc/PID/timers: "ID: 0", "signal: 34/0000...", "notify: signal/pid.7",
   "ClockID: 1" for each. */
static int read_timers(struct cr_capture *c, struct cap_proc *p,
		       struct cr_error *err)
{
	char *list = cr_procfs_read(p->pid, NULL, "timers");
	struct cr_posix_timer *timer = NULL;
	char *line, *save = NULL, how[16], what[8];
	unsigned long long value;
	int id, signo, pid, clock, ret = 0;

	if (!list)
		return cr_error_set(err, -errno, "timers: %s", strerror(errno));
	for (line = strtok_r(list, "\n", &save); line && !ret;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "ID: %d", &id) == 1) {
			timer = cr_process_add_timer(cap_model(c, p));
			if (!timer) {
				ret = cr_error_set(err, -ENOMEM,
						   "out of memory");
				break;
			}
			timer->id = id;
		} else if (!timer) {
			continue;
		} else if (sscanf(line, "signal: %d/%llx", &signo, &value) ==
			   2) {
			timer->signo = signo;
			timer->sigev_value = value;
		} else if (sscanf(line, "notify: %15[^/]/%7[^.].%d", how, what,
				  &pid) == 3) {
			timer->notify = !strcmp(how, "none") ? SIGEV_NONE
							     : SIGEV_SIGNAL;
			if (!strcmp(what, "tid")) {
				timer->notify |= 4; /* SIGEV_THREAD_ID */
				timer->tid = cap_thread_vtid(p, pid);
			}
		} else if (sscanf(line, "ClockID: %d", &clock) == 1) {
			timer->clockid = clock;
			ret = read_timer(p, timer, err);
			if (!ret && p->n_threads > 1 && is_of_maker(clock))
				ret = cr_error_set(err, -ENOTSUP, maker_text,
						   p->vpid, timer->id);
		}
	}
	free(list);
	return ret;
}

/* The signal that was delivered and waits again: it came before the others. */
static int put_back(const struct cap_thread *t, struct cr_thread *th,
		    struct cr_error *err)
{
	struct cr_siginfo *more;

	more = realloc(th->pending, (th->n_pending + 1) * sizeof(*more));
	if (!more)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memmove(more + 1, more, th->n_pending * sizeof(*more));
	more[0] = t->undone;
	th->pending = more;
	th->n_pending++;
	return 0;
}

static int read_pending(struct cr_capture *c, struct cap_proc *p,
			struct cr_error *err)
{
	struct cr_process *m = cap_model(c, p);
	struct cr_thread *th = m->threads;
	void *data;
	size_t i;
	int ret;

	free(m->pending);
	m->pending = NULL;
	ret = cr_remote_get_pending(&p->threads[0]->task, true, &data,
				    &m->n_pending, err);
	if (ret)
		return ret;
	m->pending = data;
	if (cap_main_ended(p)) /* nobody takes what waits for it */
		th++;
	for (i = 0; i < p->n_threads; i++) {
		if (p->threads[i]->omitted)
			continue;
		free(th->pending);
		th->pending = NULL;
		ret = cr_remote_get_pending(&p->threads[i]->task, false, &data,
					    &th->n_pending, err);
		if (ret)
			return ret;
		th->pending = data;
		if (p->threads[i]->has_undone)
			ret = put_back(p->threads[i], th, err);
		if (ret)
			return ret;
		th++;
	}
	return 0;
}

struct timers {
	struct cr_itimer itimer[3];
	struct cr_posix_timer *posix;
	size_t n;
};

/* A copy of the model's timers, for a comparison. */
static int copy_timers(const struct cr_process *m, struct timers *t,
		       struct cr_error *err)
{
	memcpy(t->itimer, m->itimer, sizeof(t->itimer));
	t->n = m->n_timers;
	t->posix = calloc(t->n ? t->n : 1, sizeof(*t->posix));
	if (!t->posix)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (t->n)
		memcpy(t->posix, m->timers, t->n * sizeof(*t->posix));
	return 0;
}

enum moved { NOT, TICKED, EXPIRED };

static enum moved compare_one(int64_t before, int64_t now)
{
	if (before <= 0 || (now > 0 && now <= before))
		return NOT;
	return now > 0 ? TICKED : EXPIRED;
}

/* Did a timer run out since? */
static enum moved compare(const struct timers *t, const struct cr_process *m)
{
	enum moved worst = NOT, one;
	size_t i;

	for (i = 0; i < 3; i++) {
		one = compare_one(t->itimer[i].value_ns, m->itimer[i].value_ns);
		worst = one > worst ? one : worst;
	}
	for (i = 0; i < t->n && i < m->n_timers; i++) {
		one = compare_one(t->posix[i].it_value_ns,
				  m->timers[i].it_value_ns);
		worst = one > worst ? one : worst;
	}
	return worst;
}

static int read_both(struct cr_capture *c, struct cap_proc *p,
		     struct cr_error *err)
{
	struct cr_process *m = cap_model(c, p);
	int ret;

	m->n_timers = 0;
	ret = read_itimers(&p->threads[0]->task, m, err);
	return ret ? ret : read_timers(c, p, err);
}

/*
 * Timers run on under the stop.  One that ran out between a look at it and a
 * look at the pending signals would be lost, or come twice, so that it must
 * be seen to be the same before and after.  Timers that tick faster than we
 * look may gain or lose a tick.
 */
int cap_read_signals(struct cr_capture *c, struct cap_proc *p,
		     struct cr_error *err)
{
	struct cr_process *m = cap_model(c, p);
	enum moved moved = EXPIRED;
	struct timers before;
	int ret, i;

	ret = read_both(c, p, err);
	for (i = 0; !ret && moved != NOT; i++) {
		if (moved == TICKED && i == MOST_TRIES)
			break;
		ret = copy_timers(m, &before, err);
		if (ret)
			break;
		ret = read_pending(c, p, err);
		if (!ret)
			ret = read_both(c, p, err);
		if (!ret)
			moved = compare(&before, m);
		free(before.posix);
	}
	if (ret)
		cr_error_prefix(err, "process %d", p->vpid);
	return ret;
}
