/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seize.c - take the threads of a process, without waking one for nothing
 *
 * To a thread that is traced the kernel tells of every signal, even of one
 * that the program ignores, as it does with SIGCHLD by default.  While it is
 * stopped, one that is for the whole process wakes another thread instead; if
 * that is traced, too, nothing comes of it (remote/stop.c), and if not, calls
 * like epoll_wait(2) end with EINTR.  So all threads are seized in one go, with
 * what takes time done before, and none is stopped until all are.
 */
#include <errno.h>
#include <stdlib.h>

#include "capture/internal.h"

struct found {
	struct cap_thread *t;
	pid_t tid;
};

static bool is_known(const struct cap_proc *p, pid_t tid)
{
	size_t i;

	for (i = 0; i < p->n_threads; i++)
		if (p->threads[i]->task.tid == tid)
			return true;
	return false;
}

/* The threads of p that are not known yet. */
static int find_new(const struct cap_proc *p, struct found **found, size_t *n)
{
	struct found *f;
	int32_t *tids;
	size_t all, i;

	*found = NULL;
	*n = 0;
	if (cr_procfs_numbers(p->pid, "task", &tids, &all))
		return 0; /* gone */
	*found = f = calloc(all + 1, sizeof(*f));
	for (i = 0; f && i < all; i++) {
		if (is_known(p, tids[i]))
			continue;
		f[*n].tid = tids[i];
		f[*n].t = calloc(1, sizeof(*f[*n].t));
		if (!f[*n].t)
			break;
		f[*n].t->slept = cr_sleep_read(p->pid, tids[i],
					       &f[*n].t->sleep);
		++*n;
	}
	free(tids);
	return f && i == all ? 0 : -ENOMEM;
}

/* One more; the main thread is the first, whenever it was found. */
static void append(struct cap_proc *p, struct cap_thread *t)
{
	p->threads[p->n_threads++] = t;
	if (t->task.tid == p->pid) {
		p->threads[p->n_threads - 1] = p->threads[0];
		p->threads[0] = t;
	}
}

/* Those that have ended meanwhile stay in found. */
static int seize(struct cap_proc *p, struct found *found, size_t n,
		 struct cr_error *err)
{
	struct found *f;
	int ret;

	for (f = found; f < found + n; f++) {
		ret = cr_remote_seize(&f->t->task, f->tid, false, err);
		if (ret == -ESRCH)
			continue;
		if (ret)
			return ret;
		append(p, f->t);
		f->t = NULL;
	}
	return 0;
}

int cap_seize_new(struct cap_proc *p, size_t *added, struct cr_error *err)
{
	const size_t before = p->n_threads;
	struct cap_thread **more;
	struct found *found;
	size_t n, i;
	int ret;

	ret = find_new(p, &found, &n);
	more = ret ? NULL
		   : realloc(p->threads, (before + n + 1) * sizeof(*more));
	if (more)
		p->threads = more;
	ret = more ? seize(p, found, n, err)
		   : cr_error_set(err, -ENOMEM, "out of memory");
	*added += p->n_threads - before;
	for (i = 0; i < p->n_threads && !ret; i++) {
		if (p->threads[i]->interrupted)
			continue;
		p->threads[i]->interrupted = true;
		ret = cr_remote_interrupt(&p->threads[i]->task, err);
		p->threads[i]->gone = ret == -ESRCH;
		ret = p->threads[i]->gone ? 0 : ret;
	}
	for (i = 0; i < n; i++)
		free(found[i].t);
	free(found);
	return ret ? cr_error_prefix(err, "process %d", p->vpid) : 0;
}
