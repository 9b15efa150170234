/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request.c - the callbacks of processes that have libcr */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/internal.h"

#define LEAST_WAIT 0.001 /* seconds; 0 would be no limit */
#define CHECKS 4
#define CHECK_PAUSE_US 50000
#define TRIES 200 /* of those who end just now */
#define TRY_PAUSE_MS 1

static int begin(struct cr_capture *c, struct cap_proc *p, struct cr_error *err)
{
	struct cr_rendezvous_request req = {
		.scope = c->opt.scope,
		.target = c->opt.target,
		.signal = c->opt.afterwards,
		.dest = c->opt.dest,
		.forward = cap_forward,
		.forward_arg = c,
	};
	struct cr_rendezvous **more;
	int ret;

	more = realloc(c->rendezvous, (c->n_rendezvous + 1) * sizeof(*more));
	if (!more)
		return cr_error_set(err, -ENOMEM, "out of memory");
	c->rendezvous = more;
	ret = cr_rendezvous_create(&p->rendezvous, p->pid, p->control, &req,
				   err);
	if (ret) {
		cr_error_prefix(err, "process %d", p->vpid);
		return ret;
	}
	more[c->n_rendezvous++] = p->rendezvous;
	return 0;
}

/* Without it there is nothing to save. */
static bool is_wanted(const struct cr_capture *c, const struct cap_proc *p)
{
	return p->pid == c->opt.target || p->pid == c->roots[p->root].target;
}

/*
 * Of a tree some may end while they are asked, or execute another program: who
 * is left is asked anew.  False: nobody of those.
 */
static bool forget_gone(struct cr_capture *c)
{
	struct cap_proc *p;
	bool some = false;
	size_t i, k;

	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		if (!p->rendezvous || is_wanted(c, p) ||
		    cr_rendezvous_error(p->rendezvous, NULL) != -ESRCH)
			continue;
		for (k = 0; c->rendezvous[k] != p->rendezvous; k++)
			;
		c->rendezvous[k] = c->rendezvous[--c->n_rendezvous];
		cr_rendezvous_destroy(p->rendezvous);
		p->rendezvous = NULL;
		some = true;
	}
	return some;
}

/*
 * Until it has ended, of which the kernel tells; that it executes another
 * program instead is seen by looking again.
 */
static void await_end(pid_t pid)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0),
			    .events = POLLIN };

	if (p.fd < 0)
		return; /* it has */
	poll(&p, 1, TRY_PAUSE_MS);
	close(p.fd);
}

/*
 * Processes that were not asked yet; *n is their number.  Those that are about
 * to end are looked at again.
 */
static int begin_new(struct cr_capture *c, size_t *n, struct cr_error *err)
{
	struct cap_proc *p;
	size_t i, added;
	int ret;

	*n = 0;
	ret = cap_scope_scan(c, &added, err);
	for (i = 0; i < c->n_procs && !ret; i++) {
		p = c->procs[i];
		if (!cap_live(p) || p->rendezvous)
			continue;
		cap_read_control(c, p, NULL);
		if (cap_wants_out(c, p)) {
			p->omitted = true;
			continue;
		}
		if (!p->has_control || !p->control->helper_tid)
			continue;
		ret = begin(c, p, err);
		++*n;
		if (ret == -ESRCH && !is_wanted(c, p) && ++p->tries < TRIES) {
			cr_error_clear(err);
			ret = 0;
			await_end(p->pid);
		}
	}
	return ret;
}

static void note_omitted(struct cr_capture *c)
{
	size_t i;

	for (i = 0; i < c->n_procs; i++)
		if (c->procs[i]->rendezvous &&
		    cr_rendezvous_state(c->procs[i]->rendezvous) ==
			    CR_RENDEZVOUS_OMITTED)
			c->procs[i]->omitted = true;
}

/* What a callback asks for that fails for good: all involved have to end. */
static void kill_all(struct cr_capture *c)
{
	size_t i;

	for (i = 0; i < c->n_procs; i++)
		if (cap_live(c->procs[i]))
			kill(c->procs[i]->pid, SIGKILL);
}

/*
 * The time allowed began at t0.  1: callbacks have added processes, or some
 * have gone: once more.
 */
static int wait_for(struct cr_capture *c, enum cr_rendezvous_state goal,
		    const struct timespec *t0, struct cr_error *err)
{
	double left = c->opt.timeout;
	int ret;

	if (left > 0)
		left = left > cap_since(t0) ? left - cap_since(t0) : LEAST_WAIT;
	ret = cr_rendezvous_wait(c->rendezvous, c->n_rendezvous, goal, left,
				 c->opt.cancelled, c->opt.cancelled_arg, err);

	if (!ret)
		note_omitted(c);
	if (ret == -ESRCH && forget_gone(c)) {
		cr_error_clear(err);
		return 1;
	}
	/* a job runs on whatever one of its ranks says */
	if (ret == -CR_EPERMFAIL && !c->opt.coordinated)
		kill_all(c);
	return ret;
}

static void keep_first(const char *line, void *arg)
{
	struct cr_error *first = arg;

	if (!first->code)
		cr_error_set(first, -ENOTSUP, "%s", line);
}

/*
 * What stands in the way is refused here for those who did not ask before.
 * A file of /proc or a socket may be open for a moment only, and a process
 * in the middle of execve(2) is for a moment nobody's to look at.
 */
static int check_before(struct cr_capture *c, struct cr_error *err)
{
	struct cr_error first, why;
	int i, n = 0;

	for (i = 0; !c->checked && i < CHECKS; i++) {
		if (i)
			usleep(CHECK_PAUSE_US);
		cr_error_clear(&first);
		cr_error_clear(&why);
		n = cr_capture_check(c, keep_first, &first, &why);
		if (n < 0 && n != -EACCES && n != -EPERM)
			break;
	}
	if (n < 0)
		return cr_error_set(err, n, "%s", why.text);
	if (n > 0 && cr_capture_obstacle(c) == -CR_EOMITTED)
		first.code = -CR_EOMITTED;
	return n > 0 ? cr_error_set(err, first.code, "%s", first.text) : 0;
}

int cr_capture_request(struct cr_capture *c, struct cr_error *err)
{
	struct timespec t0;
	size_t n;
	int ret;

	ret = check_before(c, err);
	if (ret)
		return ret;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	do {
		ret = begin_new(c, &n, err);
		if (!ret)
			ret = wait_for(c, CR_RENDEZVOUS_PREPARED, &t0, err);
	} while (ret > 0 || (!ret && n));
	if (!ret)
		ret = check_before(c, err); /* what callbacks have added */
	c->requested = !ret;
	c->stats.callbacks_s += cap_since(&t0);
	if (!ret && !c->opt.coordinated)
		ret = cr_capture_quiesce(c, err);
	return ret;
}

int cr_capture_quiesce(struct cr_capture *c, struct cr_error *err)
{
	struct timespec t0;
	size_t i;
	int ret = 0;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (i = 0; i < c->n_rendezvous; i++)
		/* who is gone by now is seen by wait_for() */
		if (cr_rendezvous_state(c->rendezvous[i]) ==
		    CR_RENDEZVOUS_PREPARED)
			cr_rendezvous_quiesce(c->rendezvous[i], NULL);
	do {
		if (c->n_rendezvous)
			ret = wait_for(c, CR_RENDEZVOUS_READY, &t0, err);
	} while (ret > 0 && c->n_rendezvous);
	ret = ret > 0 ? 0 : ret;
	c->quiesced = !ret;
	c->stats.callbacks_s += cap_since(&t0);
	return ret;
}
