/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.c - waits for descriptors and for time, calls back */
#include "plugins/slurm/agent/loop.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

struct loop_watch {
	cr_loop_fd_cb cb; /* NULL: unwatched, to be swept */
	void *arg;
};

struct loop_timer {
	struct loop_timer *next;
	long when;
	int id;
	cr_loop_timer_cb cb;
	void *arg;
};

struct cr_loop {
	struct pollfd *pfds;
	struct loop_watch *watches; /* side by side with pfds */
	size_t n, size;
	struct loop_timer *timers; /* by time */
	int last_id;
	bool stop;
};

long cr_loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000L + ts.tv_nsec / 1000000;
}

struct cr_loop *cr_loop_create(void)
{
	return calloc(1, sizeof(struct cr_loop));
}

void cr_loop_destroy(struct cr_loop *l)
{
	if (!l)
		return;
	while (l->timers) {
		struct loop_timer *t = l->timers;

		l->timers = t->next;
		free(t);
	}
	free(l->pfds);
	free(l->watches);
	free(l);
}

int cr_loop_watch(struct cr_loop *l, int fd, short events, cr_loop_fd_cb cb,
		  void *arg)
{
	if (l->n == l->size) {
		size_t size = l->size ? 2 * l->size : 16;
		struct pollfd *p = realloc(l->pfds, size * sizeof(*p));
		struct loop_watch *w;

		if (!p)
			return -ENOMEM;
		l->pfds = p;
		w = realloc(l->watches, size * sizeof(*w));
		if (!w)
			return -ENOMEM;
		l->watches = w;
		l->size = size;
	}
	l->pfds[l->n] = (struct pollfd){ .fd = fd, .events = events };
	l->watches[l->n++] = (struct loop_watch){ .cb = cb, .arg = arg };
	return 0;
}

/* Only marks: the arrays may be being walked through. */
void cr_loop_unwatch(struct cr_loop *l, int fd)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->watches[i].cb && l->pfds[i].fd == fd) {
			l->watches[i].cb = NULL;
			l->pfds[i].fd = -1;
		}
	}
}

static void loop_sweep(struct cr_loop *l)
{
	size_t to = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (!l->watches[i].cb)
			continue;
		l->pfds[to] = l->pfds[i];
		l->watches[to++] = l->watches[i];
	}
	l->n = to;
}

int cr_loop_after(struct cr_loop *l, long ms, cr_loop_timer_cb cb, void *arg)
{
	struct loop_timer *t = calloc(1, sizeof(*t)), **at;

	if (!t)
		return -ENOMEM;
	t->when = cr_loop_now() + ms;
	t->id = ++l->last_id;
	t->cb = cb;
	t->arg = arg;
	for (at = &l->timers; *at && (*at)->when <= t->when; at = &(*at)->next)
		;
	t->next = *at;
	*at = t;
	return t->id;
}

void cr_loop_cancel(struct cr_loop *l, int timer)
{
	for (struct loop_timer **at = &l->timers; *at; at = &(*at)->next) {
		struct loop_timer *t = *at;

		if (t->id == timer) {
			*at = t->next;
			free(t);
			return;
		}
	}
}

static void loop_run_timers(struct cr_loop *l)
{
	long now = cr_loop_now();

	while (l->timers && l->timers->when <= now && !l->stop) {
		struct loop_timer *t = l->timers;

		l->timers = t->next;
		t->cb(t->arg);
		free(t);
	}
}

void cr_loop_run(struct cr_loop *l)
{
	while (!l->stop) {
		long wait = -1;
		size_t n;
		int ready;

		loop_sweep(l);
		if (l->timers) {
			wait = l->timers->when - cr_loop_now();
			if (wait < 0)
				wait = 0;
			if (wait > INT_MAX)
				wait = INT_MAX;
		}
		n = l->n; /* those added by callbacks wait for their turn */
		ready = poll(l->pfds, n, wait);
		for (size_t i = 0; i < n && ready > 0 && !l->stop; i++) {
			short revents = l->pfds[i].revents;

			if (l->watches[i].cb && revents)
				l->watches[i].cb(l->pfds[i].fd, revents,
						 l->watches[i].arg);
		}
		loop_run_timers(l);
	}
}

void cr_loop_stop(struct cr_loop *l)
{
	l->stop = true;
}
