/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timeout.c - who waits for a limited time waits for what remains of it
 *
 * A call that is made again has all of its time-out before it.  The kernel
 * goes on with some by itself when they were only stopped (restart.c), but
 * of others it has forgotten when they began, and of none is this known after
 * a restart.  So at a stop we find out when the time is over, and such a call
 * is made again from a piece of memory of ours (rest.c) with what is left
 * then.  The end is noted there, for the next stop.
 *
 * What is known of the end, best first:
 *  - it was noted at an earlier stop, and the thread is in that call still
 *  - the kernel wrote down what is left, as nanosleep does where asked to
 *  - the thread has slept since (sleep.c): it began no later than then
 *  - nothing: the call begins with the stop
 * In each case the call may end too late but not too early.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/getfd.h"
#include "common/procfs.h"
#include "remote/timed.h"

/* Who waits no longer than this in all may begin anew. */
#define LEAST_NS 1000000000LL
#define SIGSET_SIZE 8 /* the kernel's sigset_t */

/* In no time namespace. */
static int64_t machine_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec -
	       cr_procfs_clock_offset(getpid(), "monotonic");
}

/*
 * Of a socket; -1 where ppoll() would wait for something else than a receive
 * waits for.
 */
static int64_t socket_timeout(const struct cr_task *t, int fd)
{
	struct timeval v = { 0 };
	int64_t ns = -1;
	int lowat = 0, copy = cr_getfd(t->tgid, fd);
	socklen_t len = sizeof(v), lowat_len = sizeof(lowat);

	if (copy < 0)
		copy = cr_getfd(t->tid, fd);
	if (copy < 0)
		return -1;
	if (!getsockopt(copy, SOL_SOCKET, SO_RCVTIMEO, &v, &len) &&
	    !getsockopt(copy, SOL_SOCKET, SO_RCVLOWAT, &lowat, &lowat_len) &&
	    lowat <= 1)
		ns = v.tv_sec * 1000000000LL + v.tv_usec * 1000;
	close(copy);
	return ns;
}

/* All that the program asked for; less than LEAST_NS: not worth it. */
static int64_t whole(const struct cr_task *t, const struct cr_timed *c)
{
	const uint64_t arg = cr_timed_arg(&t->regs, c->arg);

	switch (c->format) {
	case CR_TIME_MS:
		return cr_timed_from_ms(arg);
	case CR_TIME_SOCKET:
		return socket_timeout(t, (int)arg);
	default:
		return cr_timed_read(t->tid, c->format, arg);
	}
}

/*
 * The call that it was interrupted in, of those in the table.  A filter need
 * not allow the ppoll() of a receive.
 */
static const struct cr_timed *find_call(const struct cr_task *t)
{
	struct user_regs_struct r = t->regs;
	const struct cr_timed *c;

	if (cr_remote_resolve_restart(t->tid, &r, NULL))
		return NULL;
	c = cr_timed_find((long)r.orig_rax, &r);
	return c && c->format == CR_TIME_SOCKET && t->filtered ? NULL : c;
}

static bool is_interrupted(const struct cr_task *t)
{
	return t->held && ((int64_t)t->regs.rax == -ERESTARTNOHAND ||
			   (int64_t)t->regs.rax == -ERESTART_RESTARTBLOCK);
}

bool cr_remote_note_timeout(struct cr_task *t, const struct cr_sleep *s)
{
	const bool kept = (int64_t)t->regs.rax == -ERESTART_RESTARTBLOCK ||
			  t->forgets;
	const struct cr_timed *c;
	int64_t left = -1, lasted = -1;
	long nr;

	t->deadline = is_interrupted(t) ? cr_rest_deadline(t, &nr) : 0;
	if (t->deadline) {
		/* not restart_syscall(2), whatever brought it here */
		t->regs.orig_rax = (uint64_t)nr;
		return false;
	}
	c = is_interrupted(t) ? find_call(t) : NULL;
	if (!c)
		return false;
	if (kept && c->left)
		left = cr_timed_read(t->tid, c->format,
				     cr_timed_arg(&t->regs, c->left));
	if (left >= 0) { /* and it will tell again */
		t->deadline = machine_ns() + left;
		return t->forgets;
	}
	/* what ended with nothing but a wish to be restarted is as it was */
	if (t->group_stop || (!kept && !t->gave_eintr))
		return false;
	left = whole(t, c);
	if (left < (t->forgets ? 0 : LEAST_NS))
		return false;
	if (s)
		lasted = cr_sleep_lasted(t->tgid, s);
	/* who has slept longer is in another call: the first one was over */
	if (lasted > 0 && lasted < left)
		left -= lasted;
	t->deadline = machine_ns() + left;
	return true;
}

int64_t cr_remote_time_left(const struct cr_task *t)
{
	int64_t left = t->deadline ? t->deadline - machine_ns() : -1;

	return t->deadline && left < 0 ? 0 : left;
}

/* The call with this time-out; memory at "extra" is ours. */
static int put(struct cr_task *t, const struct cr_timed *c,
	       struct cr_rest *rest, uint64_t extra, int64_t left,
	       struct cr_error *err)
{
	struct {
		uint64_t time[2];
		struct pollfd fd;
	} out = { .fd = { .fd = (int)rest->arg[0], .events = POLLIN } };
	size_t len = cr_timed_pack(c->format, left, out.time);

	switch (c->format) {
	case CR_TIME_MS:
		rest->arg[c->arg] = cr_timed_to_ms(left);
		return 0;
	case CR_TIME_SOCKET:
		*rest = (struct cr_rest){
			.nr = SYS_ppoll,
			.arg = { extra + sizeof(out.time), 1, extra, 0,
				 SIGSET_SIZE },
			.poll_first = true,
			.deadline = rest->deadline,
		};
		len = sizeof(out);
		break;
	default:
		rest->arg[c->arg] = extra;
	}
	return cr_remote_write(t->tid, extra, &out, len, err);
}

static int enter(struct cr_task *t, uint64_t at, const struct cr_timed *c,
		 struct cr_error *err)
{
	const struct user_regs_struct *r = &t->regs;
	struct cr_rest rest = {
		.nr = c->nr,
		.arg = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 },
		.deadline = t->deadline,
	};
	int ret = put(t, c, &rest, at + CR_REST_EXTRA, cr_remote_time_left(t),
		      err);

	return ret ? ret : cr_rest_enter(t, at, &rest, err);
}

int cr_remote_keep_timeout(struct cr_task *t, struct cr_places *places,
			   struct cr_error *err)
{
	const struct cr_timed *c;
	int ret;

	c = is_interrupted(t) ? find_call(t) : NULL;
	if (!c || !places->n)
		return 0;
	ret = enter(t, places->at[--places->n], c, err);
	return ret ? ret : cr_rest_settle(t, err);
}

void cr_remote_renew_timeout(struct cr_task *t)
{
	const struct cr_timed *c;
	uint64_t time[2];
	size_t len;
	long nr;

	if (!is_interrupted(t) || !t->deadline || !cr_rest_deadline(t, &nr))
		return;
	c = find_call(t);
	if (c && c->format == CR_TIME_MS) {
		cr_timed_set_arg(&t->regs, c->arg,
				 cr_timed_to_ms(cr_remote_time_left(t)));
	} else if (c) {
		len = cr_timed_pack(c->format, cr_remote_time_left(t), time);
		cr_remote_write(t->tid, cr_timed_arg(&t->regs, c->arg), time,
				len, NULL);
	}
}

/* Does the program's own memory say what is left? */
static bool is_told(const struct cr_task *t, const struct cr_timed *c)
{
	return c->left && c->left != c->arg &&
	       cr_timed_arg(&t->regs, c->left) ==
		       cr_timed_arg(&t->regs, c->arg);
}

bool cr_remote_wants_place(const struct cr_task *t)
{
	const struct cr_timed *c = is_interrupted(t) ? find_call(t) : NULL;

	return c && !is_told(t, c) && !cr_rest_inside(t);
}

int cr_remote_restart_timeout(struct cr_task *t, int64_t left,
			      struct cr_places *places, struct cr_error *err)
{
	const struct cr_timed *c = is_interrupted(t) ? find_call(t) : NULL;
	uint64_t at = cr_rest_inside(t);

	if (!c || is_told(t, c) || left > CR_TIMED_MOST)
		return 0;
	if (!at && places->n)
		at = places->at[--places->n];
	t->deadline = machine_ns() + left;
	return at ? enter(t, at, c, err) : 0;
}
