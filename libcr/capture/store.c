/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* store.c - hands the pages to the writer, space by space, ascending */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/internal.h"

struct source {
	struct cr_capture *c;
	struct cr_writer *w;
	const struct cap_proc *p;
	pid_t pid;
	int mem; /* /proc/PID/mem */
	uint32_t space;
	bool zero_matters, may_fail;
	char *buf; /* CAP_CHUNK */
	struct cap_transfer transfer;
};

/*
 * Not process_vm_readv(): it pins pages, for which the kernel first makes the
 * snapshot's a copy of their own.
 */
static int read_pages(struct source *s, uint64_t addr, size_t len,
		      struct cr_error *err)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(s->mem, s->buf + done, len - done,
			  (off_t)(addr + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cap_unreadable(addr + done, n ? -errno : -EIO,
					      err);
		done += (size_t)n;
	}
	return 0;
}

static int store_run(void *arg, uint64_t addr, size_t len, struct cr_error *err)
{
	struct source *s = arg;
	size_t n;
	int ret;

	while (len) {
		n = len < CAP_CHUNK ? len : CAP_CHUNK;
		ret = read_pages(s, addr, n, s->may_fail ? NULL : err);
		if (ret && s->may_fail) {
			n = 4096;
			ret = read_pages(s, addr, n, NULL);
		}
		if (!ret)
			ret = cr_writer_pages(s->w, s->c->img, s->space, addr,
					      s->buf, n, s->zero_matters, err);
		else if (s->may_fail)
			ret = 0; /* behind the end of the file */
		if (ret)
			return ret;
		if (cap_cancelled(s->c, err))
			return err ? err->code : -ECANCELED;
		addr += n;
		len -= n;
	}
	return 0;
}

/* Of the pieces, which are in order, the first of a space from start on. */
static size_t first_piece(const struct cr_capture *c, uint32_t space,
			  uint64_t start)
{
	size_t low = 0, high = c->n_pieces, i;

	while (low < high) {
		const struct cap_piece *p = &c->pieces[i = (low + high) / 2];

		if (p->space < space || (p->space == space && p->addr < start))
			low = i + 1;
		else
			high = i;
	}
	return low;
}

static int store_pieces(struct source *s, uint32_t space, uint64_t start,
			uint64_t end, struct cr_error *err)
{
	struct cr_capture *c = s->c;
	int ret = 0;

	for (size_t i = first_piece(c, space, start);
	     i < c->n_pieces && !ret; i++) {
		const struct cap_piece *p = &c->pieces[i];

		if (p->space != space || p->addr >= end)
			break;
		ret = cr_writer_pages(s->w, c->img, s->space, p->addr, p->data,
				      p->len, s->zero_matters, err);
	}
	return ret;
}

/* A range of private memory that the module does not write. */
static int store_by_hand(void *arg, uint64_t addr, uint64_t len,
			 bool keep_zeros, struct cr_error *err)
{
	struct source *s = arg;

	s->zero_matters = s->may_fail = keep_zeros;
	return cap_pages(s->pid, addr, addr + len,
			 keep_zeros ? CAP_PAGES_ALL : CAP_PAGES_PRESENT,
			 store_run, s, err);
}

/* Pages of a file that are the process's own by now. */
static int store_own(void *arg, uint64_t addr, size_t len, struct cr_error *err)
{
	struct source *s = arg;

	return cap_transfer_add(&s->transfer, addr, len, true, err);
}

static int store_present(void *arg, uint64_t addr, size_t len,
			 struct cr_error *err)
{
	struct source *s = arg;

	return cap_transfer_add(&s->transfer, addr, len, false, err);
}

/* In the order of the areas, whoever writes them. */
static int store_area(struct source *s, const struct cr_area *a,
		      struct cr_error *err)
{
	enum cap_which which = cap_which_pages(s->c->img, a);
	bool pieces = s->c->copied || cap_unforked(a);
	int ret;

	if (which == CAP_PAGES_NONE)
		return 0;
	if (!pieces && which == CAP_PAGES_PRESENT)
		return cap_outside(s->p, a->start, a->end, store_present, s,
				   err);
	if (!pieces && which == CAP_PAGES_OWN)
		return cap_pages(s->pid, a->start, a->end, which, store_own, s,
				 err);
	ret = cap_transfer_flush(&s->transfer, err);
	if (ret)
		return ret;
	s->zero_matters = a->kind != CR_AREA_ANON || cr_area_huge(a);
	s->may_fail = a->kind == CR_AREA_FILE_PRIVATE;
	if (pieces)
		return store_pieces(s, s->space, a->start, a->end, err);
	/* not by the module: a file's may change while they are written */
	return cap_pages(s->pid, a->start, a->end, which, store_run, s, err);
}

static int store_mm(struct source *s, struct cap_proc *p, struct cr_error *err)
{
	struct cr_image *img = s->c->img;
	struct cr_mm *mm = &img->mms[s->space];
	const struct cr_area *a;
	char path[64];
	int ret = 0;

	s->p = p;
	s->pid = p->snap.alive ? p->snap.task.tid : 0;
	snprintf(path, sizeof(path), "/proc/%d/mem", s->pid);
	s->mem = s->c->copied ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (s->mem < 0 && !s->c->copied)
		return cr_error_set(err, -errno, "process %d: snapshot: %s",
				    p->vpid, strerror(errno));
	if (s->mem >= 0)
		ret = cap_transfer_begin(&s->transfer, s->pid, err);
	for (a = mm->areas; a < mm->areas + mm->n_areas && !ret; a++)
		ret = store_area(s, a, err);
	if (!ret)
		ret = cap_transfer_flush(&s->transfer, err);
	cap_transfer_end(&s->transfer);
	if (s->mem >= 0)
		close(s->mem);
	if (ret)
		cr_error_prefix(err, "process %d", p->vpid);
	return ret;
}

static int by_place(const void *a, const void *b)
{
	const struct cap_piece *x = a, *y = b;

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

int cap_store_pages(struct cr_capture *c, struct cr_writer *w,
		    struct cr_error *err)
{
	struct source s = { .c = c, .w = w };
	size_t i;
	int ret = 0;

	s.transfer.c = c;
	s.transfer.w = w;
	s.transfer.by_hand = store_by_hand;
	s.transfer.by_hand_arg = &s;
	/* aligned: it may be written past the page cache */
	s.buf = aligned_alloc(4096, CAP_CHUNK);
	if (!s.buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (c->n_pieces)
		qsort(c->pieces, c->n_pieces, sizeof(*c->pieces), by_place);
	for (i = 0; i < c->n_procs && !ret; i++) {
		if (!cap_live(c->procs[i]) || c->procs[i]->mm_of != c->procs[i])
			continue;
		s.space = s.transfer.space = cap_model(c, c->procs[i])->mm;
		ret = store_mm(&s, c->procs[i], err);
	}
	s.zero_matters = false;
	for (i = 0; i < c->img->n_shms && !ret; i++) {
		s.space = (uint32_t)(c->img->n_mms + i);
		ret = store_pieces(&s, (uint32_t)i | CAP_SHM, 0, UINT64_MAX,
				   err);
	}
	free(s.buf);
	return ret;
}
