/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files_walk.c - all descriptors of the tree, one after the other */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "capture/files.h"
#include "capture/smaps.h"
#include "objects/unix.h"

/* A descriptor on its way, and the socket that will receive it. */
struct cap_queued {
	int fd, to;
	int32_t vpid;
};

static bool omitted(const struct cap_proc *p, int fd)
{
	return (p->has_control || p->borrows_control) &&
	       fd < CR_CONTROL_OMIT_FDS &&
	       p->control->omit_fd[fd / 64] >> (fd % 64) & 1;
}

/* Before the stop threads are not known, but the kernel tells whose it is. */
static int32_t thread_in_tree(struct cr_capture *c, pid_t tid)
{
	char *status = cr_procfs_read(tid, NULL, "status");
	pid_t pid = status ? (pid_t)cr_procfs_last(status, "Tgid", 0) : 0;
	struct cap_proc *p = pid ? cap_scope_find(c, pid) : NULL;

	free(status);
	return p && !p->omitted ? cap_thread_vtid(p, tid) : 0;
}

int32_t cap_files_owner(struct cr_capture *c, int type, pid_t id)
{
	size_t i, k;

	if (type == F_OWNER_TID && !c->img)
		return thread_in_tree(c, id);
	for (i = 0; i < c->n_procs; i++) {
		struct cap_proc *p = c->procs[i];

		if (p->omitted)
			continue;
		if (type == F_OWNER_PID && p->pid == id)
			return p->vpid;
		/* nor is what the program calls its groups */
		if (type == F_OWNER_PGRP && p->stat.pgrp == id)
			return c->img ? cap_model(c, p)->pgid : id;
		for (k = 0; type == F_OWNER_TID && k < p->n_threads; k++)
			if (p->threads[k]->task.tid == id)
				return p->threads[k]->vtid;
	}
	return 0;
}

static int32_t number_in_tree(const struct cr_object_source *src, pid_t pid,
			      bool thread)
{
	return cap_files_owner(src->arg, thread ? F_OWNER_TID : F_OWNER_PID,
			       pid);
}

static int32_t group_in_tree(const struct cr_object_source *src, pid_t pgid)
{
	return cap_files_owner(src->arg, F_OWNER_PGRP, pgid);
}

static int keep_shared(const struct cr_object_source *src, int fd,
		       uint64_t size, uint32_t *shm, struct cr_error *err)
{
	int ret = cap_copy_file(src->arg, &src->st, fd, size, shm, err);

	return ret ? cr_error_prefix(err, "%s", cr_object_label(src)) : 0;
}

static bool maps_file(const struct cap_proc *p,
		      const struct cr_object_source *src, dev_t *dev)
{
	char *maps = cr_procfs_read(p->tid, NULL, "maps");
	struct cap_map *m = malloc(sizeof(*m));
	const char *text = maps;
	bool found = false;

	while (maps && m && !found && cap_map_next(&text, m))
		found = m->perm[3] == 's' && m->ino == src->st.st_ino &&
			!strcmp(m->path, src->link) &&
			!cap_is_cut(p, m->start, m->end);
	if (found && dev)
		*dev = makedev((unsigned int)(m->dev >> 32),
			       (unsigned int)m->dev);
	free(m);
	free(maps);
	return found;
}

static bool is_memory(const struct cr_object_source *src, dev_t *dev)
{
	struct cr_capture *c = src->arg;
	size_t i;

	for (i = 0; i < c->n_procs; i++)
		if (cap_live(c->procs[i]) && maps_file(c->procs[i], src, dev))
			return true;
	return false;
}

void cap_files_source(struct cap_files *w, struct cr_object_source *src)
{
	src->tree = w->tree;
	src->number = number_in_tree;
	src->group = group_in_tree;
	src->keep = keep_shared;
	src->mapped = is_memory;
	src->drop = w->c->opt.drop_connections;
	src->arg = w->c;
	src->held = w->held;
}

/* Another user sees no empty list of a zombie, but EACCES. */
static bool has_ended(pid_t pid)
{
	struct cr_procfs_stat st;

	return cr_procfs_stat(pid, &st) || st.state == 'Z' || st.state == 'X';
}

static int each_of(struct cap_files *w, struct cap_proc *p, const int32_t *fds,
		   size_t n, cap_file_fn fn, struct cr_error *err)
{
	int ret = 0;

	for (size_t k = 0; k < n && !ret; k++) {
		/* a launcher's command is run anew with these three */
		if (omitted(p, fds[k]) ||
		    (p->launcher && fds[k] > STDERR_FILENO))
			continue;
		ret = cr_object_source_read(w->src, p->tid, p->vpid, fds[k],
					    err);
		if (ret == -ENOENT) {
			ret = 0;
			continue;
		}
		cap_files_source(w, w->src);
		w->src->held = w->held && !p->launcher;
		if (!ret)
			ret = fn(w, p, err);
	}
	return ret;
}

static int each_fd(struct cap_files *w, cap_file_fn fn, struct cr_error *err)
{
	struct cap_proc *p;
	int32_t *fds;
	size_t i, n;
	int ret = 0;

	for (i = 0; i < w->c->n_procs && !ret; i++) {
		p = w->c->procs[i];
		if ((!cap_live(p) && !p->launcher) || p->forbidden ||
		    (p->fds_of && p->fds_of != p))
			continue;
		ret = cr_procfs_numbers(p->tid, "fd", &fds, &n);
		if (ret && has_ended(p->tid)) {
			ret = 0;
			continue;
		}
		if (ret)
			return cr_error_set(err, ret,
					    "process %d: descriptors: %s",
					    p->vpid, strerror(-ret));
		ret = each_of(w, p, fds, n, fn, err);
		free(fds);
	}
	return ret;
}

static int keep_queued(struct cap_files *w, const struct cr_object_source *src,
		       int fd)
{
	struct cap_queued *more;

	more = realloc(w->queued, (w->n_queued + 1) * sizeof(*more));
	if (!more) {
		close(fd);
		return -ENOMEM;
	}
	w->queued = more;
	more[w->n_queued++] = (struct cap_queued){
		.fd = fd,
		.to = src->queued ? src->to : src->fd,
		.vpid = src->vpid,
	};
	return 0;
}

static int read_queued(struct cap_files *w, const struct cap_queued *q,
		       struct cr_object_source *to, struct cr_error *err)
{
	int ret = cr_object_source_read(to, getpid(), q->vpid, q->fd, err);

	cap_files_source(w, to);
	to->queued = true;
	to->to = q->to;
	return ret;
}

int cap_files_queued(struct cap_files *w, const struct cr_object_source *src,
		     int fd, struct cr_object_source *to, struct cr_error *err)
{
	if (keep_queued(w, src, fd))
		return cr_error_set(err, -ENOMEM, "out of memory");
	return read_queued(w, &w->queued[w->n_queued - 1], to, err);
}

int cap_files_queued_at(struct cap_files *w, size_t i,
			struct cr_object_source *to)
{
	return i < w->n_queued ? read_queued(w, &w->queued[i], to, NULL)
			       : -ENOENT;
}

static bool seen_socket(const struct cap_files *w, uint64_t ino)
{
	uint64_t other;

	for (size_t i = 0; cr_object_tree_socket(w->tree, i, &other); i++)
		if (other == ino)
			return true;
	return false;
}

static int add_queued(void *arg, int fd);

/* What is on its way through this socket. */
static int add_all_queued(struct cap_files *w)
{
	bool unseen = false;
	int ret = cr_unix_queued(w->src, add_queued, w, &unseen);

	if (unseen)
		cr_object_tree_unseen(w->tree);
	return ret;
}

/*
 * It counts as open in the tree; and a socket may have something on its way
 * itself.
 */
static int add_queued(void *arg, int fd)
{
	struct cap_files *w = arg;
	struct cr_object_source *src = malloc(sizeof(*src)), *before = w->src;
	int ret = src ? cap_files_queued(w, w->src, fd, src, NULL) : -ENOMEM;
	bool socket = !ret && S_ISSOCK(src->st.st_mode) &&
		      !seen_socket(w, src->st.st_ino);

	if (!ret)
		ret = cr_object_tree_add(w->tree, src);
	if (!ret && socket) {
		w->src = src;
		ret = add_all_queued(w);
		w->src = before;
	}
	free(src);
	return ret;
}

static int add_to_tree(struct cap_files *w, struct cap_proc *p,
		       struct cr_error *err)
{
	int ret = cr_object_tree_add(w->tree, w->src);

	if (!ret && S_ISSOCK(w->src->st.st_mode))
		ret = add_all_queued(w);
	return ret ? cr_error_set(err, -ENOMEM, "out of memory") : 0;
}

int cap_files_walk(struct cr_capture *c, bool held, cap_file_fn fn,
		   int (*then)(struct cap_files *w, struct cr_error *err),
		   struct cr_error *err)
{
	struct cap_files w = { .c = c, .held = held };
	int ret;

	w.src = malloc(sizeof(*w.src));
	w.tree = cr_object_tree_create();
	if (!w.src || !w.tree)
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	else
		ret = each_fd(&w, add_to_tree, err);
	if (!ret)
		ret = each_fd(&w, fn, err);
	if (!ret && then)
		ret = then(&w, err);
	cr_object_tree_destroy(w.tree);
	while (w.n_queued > 0)
		close(w.queued[--w.n_queued].fd);
	free(w.queued);
	free(w.src);
	free(w.first);
	free(w.order);
	return ret;
}
