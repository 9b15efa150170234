/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files.c - descriptors, and the open file descriptions that they share */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "capture/internal.h"
#include "capture/smaps.h"
#include "objects/unix.h"

#define FDINFO_CLOEXEC 02000000u /* of the descriptor, among the flags */

struct work {
	struct cr_capture *c;
	struct cr_object_source *src;
	struct cr_object_tree *tree;
	struct cr_object_place *first; /* parallel to cr_image.files */
	size_t room;
	bool held;
	struct cr_object_links links;
	int *queued; /* descriptors on their way, which we have open, too */
	size_t n_queued;
};

static bool omitted(const struct cap_proc *p, int fd)
{
	return (p->has_control || p->borrows_control) && fd < CR_CONTROL_OMIT_FDS &&
	       p->control->omit_fd[fd / 64] >> (fd % 64) & 1;
}

/* The program's own number for who gets the signals of a file, or 0. */
static int32_t owner_in_tree(struct cr_capture *c, int type, pid_t id)
{
	size_t i, k;

	for (i = 0; i < c->n_procs; i++) {
		struct cap_proc *p = c->procs[i];

		if (p->omitted)
			continue;
		if (type == F_OWNER_PID && p->pid == id)
			return p->vpid;
		if (type == F_OWNER_PGRP && p->stat.pgrp == id)
			return cap_model(c, p)->pgid;
		for (k = 0; type == F_OWNER_TID && k < p->n_threads; k++)
			if (p->threads[k]->task.tid == id)
				return p->threads[k]->vtid;
	}
	return 0;
}

static int32_t number_in_tree(const struct cr_object_source *src, pid_t pid,
			      bool thread)
{
	return owner_in_tree(src->arg, thread ? F_OWNER_TID : F_OWNER_PID, pid);
}

static int32_t group_in_tree(const struct cr_object_source *src, pid_t pgid)
{
	const struct cr_capture *c = src->arg;

	/* before the stop the numbers of groups are not known */
	return c->img ? owner_in_tree(src->arg, F_OWNER_PGRP, pgid) : pgid;
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

static void fill_source(struct work *w)
{
	w->src->tree = w->tree;
	w->src->number = number_in_tree;
	w->src->group = group_in_tree;
	w->src->keep = keep_shared;
	w->src->mapped = is_memory;
	w->src->drop = w->c->opt.drop_connections;
	w->src->arg = w->c;
}

typedef int (*each_fn)(struct work *w, struct cap_proc *p,
		       struct cr_error *err);

/* Another user sees no empty list of a zombie, but EACCES. */
static bool has_ended(pid_t pid)
{
	struct cr_procfs_stat st;

	return cr_procfs_stat(pid, &st) || st.state == 'Z' || st.state == 'X';
}

/*
 * Calls fn for every descriptor of every table, with w->src filled; of a
 * launcher's only for the three that its command is run anew with.
 */
static int each_fd(struct work *w, each_fn fn, struct cr_error *err)
{
	struct cap_proc *p;
	int32_t *fds;
	size_t i, k, n;
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
		for (k = 0; k < n && !ret; k++) {
			if (omitted(p, fds[k]) ||
			    (p->launcher && fds[k] > STDERR_FILENO))
				continue;
			ret = cr_object_source_read(w->src, p->tid, p->vpid,
						    fds[k], err);
			if (ret == -ENOENT) {
				ret = 0;
				continue;
			}
			fill_source(w);
			if (!ret)
				ret = fn(w, p, err);
		}
		free(fds);
	}
	return ret;
}

/* Closed in the end. */
static int keep_queued(struct work *w, int fd)
{
	int *more = realloc(w->queued, (w->n_queued + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	w->queued = more;
	more[w->n_queued++] = fd;
	return 0;
}

/* What is on its way through a socket counts as open in the tree. */
static int add_queued(void *arg, int fd)
{
	struct work *w = arg;
	struct cr_object_source *src = malloc(sizeof(*src));
	int ret = -ENOMEM;

	if (src && !keep_queued(w, fd)) {
		ret = cr_object_source_read(src, getpid(), w->src->vpid, fd,
					    NULL);
		if (!ret)
			ret = cr_object_tree_add(w->tree, src);
	}
	free(src);
	return ret;
}

static int add_to_tree(struct work *w, struct cap_proc *p, struct cr_error *err)
{
	int ret = cr_object_tree_add(w->tree, w->src);
	bool unseen = false;

	w->src->held = w->held && !p->launcher;
	if (!ret && S_ISSOCK(w->src->st.st_mode))
		ret = cr_unix_queued(w->src, add_queued, w, &unseen);
	if (unseen)
		cr_object_tree_unseen(w->tree);
	return ret ? cr_error_set(err, -ENOMEM, "out of memory") : 0;
}

/* The file that this descriptor shares with one seen before, or CR_NONE. */
static int find_shared(struct work *w, uint32_t *file, struct cr_error *err)
{
	const struct cr_object_source *s = w->src;
	size_t i;
	long r;

	*file = CR_NONE;
	for (i = 0; i < w->c->img->n_files; i++) {
		if (w->first[i].dev != s->st.st_dev ||
		    w->first[i].ino != s->st.st_ino)
			continue;
		r = syscall(SYS_kcmp, w->first[i].pid, s->pid, KCMP_FILE,
			    w->first[i].fd, s->fd);
		if (r < 0)
			return cr_error_set(err, -errno, "%s: kcmp: %s",
					    cr_object_label(s),
					    strerror(errno));
		if (r == 0) {
			*file = (uint32_t)i;
			return 0;
		}
	}
	return 0;
}

static int read_owner(struct work *w, struct cr_file *f, struct cr_error *err)
{
	struct f_owner_ex owner = { .type = -1 };
	int fd, sig;

	f->owner_type = -1;
	if (f->flags & O_PATH)
		return 0;
	fd = cr_object_dup(w->src, err);
	if (fd < 0)
		return fd;
	sig = fcntl(fd, F_GETSIG);
	if (sig > 0)
		f->owner_sig = sig;
	if (!fcntl(fd, F_GETOWN_EX, &owner) && owner.pid) {
		f->owner_pid = owner_in_tree(w->c, owner.type, owner.pid);
		f->owner_type = f->owner_pid ? (int32_t)owner.type : -1;
	}
	cr_object_undup(w->src, fd);
	/* what comes from outside may well tell others */
	if (owner.type >= 0 && owner.pid && !f->owner_pid &&
	    (f->kind != CR_OBJ_STDIO || f->flags & O_ASYNC))
		return cr_error_set(err, -ENOTSUP,
				    "%s sends its signals (F_SETOWN) to %s %d, "
				    "which is not among those to be saved; "
				    "have the program take it back",
				    cr_object_label(w->src),
				    owner.type == F_OWNER_PGRP ? "group" :
				    owner.type == F_OWNER_TID  ? "thread" :
								 "process",
				    owner.pid);
	return 0;
}

/* The data of an object with several descriptions is kept once. */
static void drop_double_data(struct cr_image *img, struct cr_file *f)
{
	size_t i;

	if (!f->data.len ||
	    (f->kind != CR_OBJ_PIPE && f->kind != CR_OBJ_FIFO))
		return;
	for (i = 0; i + 1 < img->n_files; i++)
		if (img->files[i].kind == f->kind &&
		    img->files[i].object_id == f->object_id &&
		    img->files[i].data.len) {
			free(f->data.data);
			f->data.data = NULL;
			f->data.len = 0;
			return;
		}
}

static int add_file(struct work *w, uint32_t *index, struct cr_error *err)
{
	struct cr_image *img = w->c->img;
	const struct cr_object_ops *ops;
	struct cr_object_place *more;
	struct cr_file *f;
	int ret;

	ops = cr_object_find(w->src, err);
	if (!ops)
		return err && err->code ? err->code : -ENOTSUP;
	if (img->n_files == w->room) {
		w->room = w->room ? w->room * 2 : 64;
		more = realloc(w->first, w->room * sizeof(*more));
		if (!more)
			return cr_error_set(err, -ENOMEM, "out of memory");
		w->first = more;
	}
	f = cr_image_add_file(img);
	if (!f)
		return cr_error_set(err, -ENOMEM, "out of memory");
	*index = (uint32_t)(img->n_files - 1);
	w->first[*index] =
		(struct cr_object_place){ w->src->pid, w->src->fd, w->src->st.st_dev,
				w->src->st.st_ino };
	f->kind = ops->kind;
	f->flags = cr_object_flags(w->src) & ~FDINFO_CLOEXEC;
	f->offset = cr_object_offset(w->src);
	f->stdio_fd = -1;
	ret = read_owner(w, f, err);
	if (!ret)
		ret = ops->capture(w->src, f, err);
	if (!ret)
		drop_double_data(img, f);
	return ret;
}

/* What this descriptor of it shows, such as locks. */
static int describe(struct work *w, uint32_t file, struct cr_error *err)
{
	struct cr_file *f = &w->c->img->files[file];
	const struct cr_object_ops *ops = cr_object_ops_of(f->kind);

	return ops->descriptor ? ops->descriptor(w->src, f, err) : 0;
}

static int add_fd(struct work *w, struct cap_proc *p, struct cr_error *err)
{
	struct cr_fd *d;
	uint32_t file;
	int ret;

	w->src->held = !p->launcher;
	ret = find_shared(w, &file, err);
	if (!ret && file == CR_NONE)
		ret = add_file(w, &file, err);
	if (ret)
		return ret;
	ret = describe(w, file, err);
	if (ret)
		return ret;
	d = cr_process_add_fd(cap_model(w->c, p));
	if (!d)
		return cr_error_set(err, -ENOMEM, "out of memory");
	d->fd = w->src->fd;
	d->cloexec = cr_object_flags(w->src) & FDINFO_CLOEXEC;
	d->file = file;
	return 0;
}

/* Of whom tid is the thread that is looked at. */
static int32_t vpid_of(struct cr_capture *c, pid_t tid)
{
	size_t i;

	for (i = 0; i < c->n_procs; i++)
		if (c->procs[i]->tid == tid && !c->procs[i]->ended)
			return c->procs[i]->vpid;
	return 0;
}

/* A descriptor that is on its way, of which we have one as well. */
static int add_on_its_way(const struct cr_object_links *links,
			  const struct cr_object_source *src, int fd,
			  uint32_t *index, struct cr_error *err)
{
	struct work *w = links->arg, own = *w;
	int ret;

	own.src = malloc(sizeof(*own.src));
	if (!own.src || keep_queued(w, fd)) {
		free(own.src);
		return cr_error_set(err, -ENOMEM, "out of memory");
	}
	ret = cr_object_source_read(own.src, getpid(), src->vpid, fd, err);
	if (!ret) {
		fill_source(&own);
		own.src->held = true;
		ret = find_shared(&own, index, err);
	}
	if (!ret && *index == CR_NONE)
		ret = add_file(&own, index, err);
	if (!ret)
		ret = describe(&own, *index, err);
	free(own.src);
	w->first = own.first;
	w->room = own.room;
	w->links.place = w->first;
	return ret ? cr_error_prefix(err, "on its way to %s",
				     cr_object_label(src))
		   : 0;
}

/* The second look at those that have to do with others. */
static int link_files(struct work *w, struct cr_error *err)
{
	struct cr_image *img = w->c->img;
	size_t i;
	int ret = 0;

	w->links = (struct cr_object_links){ img, w->first, w->tree,
					     add_on_its_way, w };
	for (i = 0; i < img->n_files && !ret; i++) {
		const struct cr_object_ops *ops =
			cr_object_ops_of(img->files[i].kind);

		if (!ops->link)
			continue;
		ret = cr_object_source_read(w->src, w->first[i].pid,
					    vpid_of(w->c, w->first[i].pid),
					    w->first[i].fd, err);
		fill_source(w);
		w->src->held = true;
		if (!ret)
			ret = ops->link(w->src, &w->links, &img->files[i], err);
	}
	return ret;
}

static int run(struct cr_capture *c, each_fn fn, struct cr_error *err)
{
	struct work w = { .c = c, .held = fn == add_fd };
	int ret;

	w.src = malloc(sizeof(*w.src));
	w.tree = cr_object_tree_create();
	if (!w.src || !w.tree)
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	else
		ret = each_fd(&w, add_to_tree, err);
	if (!ret)
		ret = each_fd(&w, fn, err);
	if (!ret && fn == add_fd)
		ret = link_files(&w, err);
	cr_object_tree_destroy(w.tree);
	while (w.n_queued > 0)
		close(w.queued[--w.n_queued]);
	free(w.queued);
	free(w.src);
	free(w.first);
	return ret;
}

int cap_read_files(struct cr_capture *c, struct cr_error *err)
{
	return run(c, add_fd, err);
}

static int check_fd(struct work *w, struct cap_proc *p, struct cr_error *err)
{
	struct cr_error why = { 0 };
	const struct cr_object_ops *ops = cr_object_find(w->src, &why);

	if (ops && ops->check)
		ops->check(w->src, &why);
	if (why.code)
		cap_report(w->c, "%s", why.text);
	return 0;
}

/* Before the stop: every descriptor that stands in the way is reported. */
int cap_check_files(struct cr_capture *c, struct cr_error *err)
{
	return run(c, check_fd, err);
}

static int forget_connection(struct work *w, struct cap_proc *p,
			     struct cr_error *err)
{
	cr_object_forget_connection(w->src);
	return 0;
}

void cap_forget_connections(struct cr_capture *c)
{
	size_t i;

	for (i = 0; i < c->img->n_files; i++)
		if (c->img->files[i].kind == CR_OBJ_INET)
			break;
	if (i < c->img->n_files)
		run(c, forget_connection, NULL);
}
