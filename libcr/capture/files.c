/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files.c - descriptors, and the open file descriptions that they share */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/files.h"

#define FDINFO_CLOEXEC 02000000u /* of the descriptor, among the flags */

/*
 * Where in w->order the open file of w->src is, or belongs: by inode, then in
 * the order that the kernel gives them.  *same: it is there.
 */
static int find_place(struct cap_files *w, size_t *at, bool *same,
		      struct cr_error *err)
{
	const struct cr_object_source *s = w->src;
	size_t low = 0, high = w->n_order;
	long r = 1;

	while (low < high && r) {
		const struct cr_object_place *f;

		*at = (low + high) / 2;
		f = &w->first[w->order[*at]];
		if (f->dev != s->st.st_dev)
			r = f->dev < s->st.st_dev ? 1 : 2;
		else if (f->ino != s->st.st_ino)
			r = f->ino < s->st.st_ino ? 1 : 2;
		else
			r = syscall(SYS_kcmp, f->pid, s->pid, KCMP_FILE, f->fd,
				    s->fd);
		if (r < 0)
			return cr_error_set(err, -errno, "%s: kcmp: %s",
					    cr_object_label(s),
					    strerror(errno));
		if (r == 1) /* less */
			low = *at + 1;
		else if (r)
			high = *at;
	}
	*same = !r;
	if (r)
		*at = low;
	return 0;
}

/* The file that this descriptor shares with one seen before, or CR_NONE. */
static int find_shared(struct cap_files *w, uint32_t *file,
		       struct cr_error *err)
{
	bool same = false;
	int ret = find_place(w, &w->place, &same, err);

	if (!ret)
		*file = same ? w->order[w->place] : CR_NONE;
	return ret;
}

int cap_file_owner(struct cap_files *w, struct cr_file *f, struct cr_error *err)
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
		f->owner_pid = cap_files_owner(w->c, owner.type, owner.pid);
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

static int add_new(struct cap_files *w, uint32_t *index, struct cr_error *err)
{
	struct cr_image *img = w->c->img;
	const struct cr_object_ops *ops;
	struct cr_object_place *more;
	uint32_t *order;
	struct cr_file *f;
	int ret;

	ops = cr_object_find(w->src, err);
	if (!ops)
		return err && err->code ? err->code : -ENOTSUP;
	if (img->n_files == w->room) {
		w->room = w->room ? w->room * 2 : 64;
		more = realloc(w->first, w->room * sizeof(*more));
		if (more)
			w->first = more;
		order = realloc(w->order, w->room * sizeof(*order));
		if (order)
			w->order = order;
		if (!more || !order)
			return cr_error_set(err, -ENOMEM, "out of memory");
	}
	f = cr_image_add_file(img);
	if (!f)
		return cr_error_set(err, -ENOMEM, "out of memory");
	*index = (uint32_t)(img->n_files - 1);
	memmove(&w->order[w->place + 1], &w->order[w->place],
		(w->n_order++ - w->place) * sizeof(*w->order));
	w->order[w->place] = *index;
	w->first[*index] = (struct cr_object_place){
		.pid = w->src->pid,
		.vpid = w->src->vpid,
		.fd = w->src->fd,
		.queued = w->src->queued,
		.to = w->src->to,
		.dev = w->src->st.st_dev,
		.ino = w->src->st.st_ino,
	};
	f->kind = ops->kind;
	f->flags = cr_object_flags(w->src) & ~FDINFO_CLOEXEC;
	f->offset = cr_object_offset(w->src);
	f->stdio_fd = -1;
	ret = cap_file_owner(w, f, err);
	if (!ret)
		ret = ops->capture(w->src, f, err);
	if (!ret)
		drop_double_data(img, f);
	return ret;
}

/* One duplicate for all that is asked. */
static int add_file(struct cap_files *w, uint32_t *index, struct cr_error *err)
{
	int ret;

	w->src->local = cr_object_dup(w->src, NULL);
	ret = add_new(w, index, err);
	if (w->src->local >= 0)
		close(w->src->local);
	w->src->local = -1;
	return ret;
}

/* What this descriptor of it shows, such as locks. */
static int describe(struct cap_files *w, uint32_t file, struct cr_error *err)
{
	struct cr_file *f = &w->c->img->files[file];
	const struct cr_object_ops *ops = cr_object_ops_of(f->kind);

	return ops->descriptor ? ops->descriptor(w->src, f, err) : 0;
}

static int add_fd(struct cap_files *w, struct cap_proc *p, struct cr_error *err)
{
	struct cr_fd *d;
	uint32_t file;
	int ret;

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

/* A descriptor that is on its way, of which we have one as well. */
static int add_on_its_way(const struct cr_object_links *links,
			  const struct cr_object_source *src, int fd,
			  uint32_t *index, struct cr_error *err)
{
	struct cap_files *w = links->arg;
	struct cr_object_source *before = w->src;
	int ret;

	w->src = malloc(sizeof(*w->src));
	if (!w->src) {
		w->src = before;
		close(fd);
		return cr_error_set(err, -ENOMEM, "out of memory");
	}
	ret = cap_files_queued(w, src, fd, w->src, err);
	if (!ret)
		ret = find_shared(w, index, err);
	if (!ret && *index == CR_NONE)
		ret = add_file(w, index, err);
	if (!ret)
		ret = describe(w, *index, err);
	free(w->src);
	w->src = before;
	w->links.place = w->first;
	return ret;
}

/* The second look at those that have to do with others. */
static int link_files(struct cap_files *w, struct cr_error *err)
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
					    w->first[i].vpid, w->first[i].fd,
					    err);
		cap_files_source(w, w->src);
		w->src->queued = w->first[i].queued;
		w->src->to = w->first[i].to;
		if (!ret)
			ret = ops->link(w->src, &w->links, &img->files[i], err);
	}
	return ret;
}

int cap_read_files(struct cr_capture *c, struct cr_error *err)
{
	return cap_files_walk(c, true, add_fd, link_files, err);
}

static int forget_connection(struct cap_files *w, struct cap_proc *p,
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
		cap_files_walk(c, false, forget_connection, NULL, NULL);
}
