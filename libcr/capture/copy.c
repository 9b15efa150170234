/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.c - memory that has to be copied while the program stands still:
 * shared memory, areas that fork() leaves out, or all of it
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/internal.h"
#include "capture/smaps.h"

#define PAGE 4096u

static bool is_zero(const char *p)
{
	return !*p && !memcmp(p, p + 1, PAGE - 1);
}

static int add_piece(struct cr_capture *c, uint32_t space, uint64_t addr,
		     const void *data, size_t len, struct cr_error *err)
{
	struct cap_piece *more, *p;

	more = realloc(c->pieces, (c->n_pieces + 1) * sizeof(*more));
	if (more)
		c->pieces = more;
	p = more ? &c->pieces[c->n_pieces] : NULL;
	if (p)
		p->data = malloc(len);
	if (!p || !p->data)
		return cr_error_set(err, -ENOMEM,
				    "not enough memory to copy that of the "
				    "program");
	memcpy(p->data, data, len);
	p->space = space;
	p->addr = addr;
	p->len = len;
	c->n_pieces++;
	return 0;
}

/* What copy_run() needs to know; addr + delta is the place in the space. */
struct target {
	struct cr_capture *c;
	pid_t pid;
	uint32_t space;
	uint64_t delta;
	bool keep_zeros, may_fail;
	char *buf; /* CAP_CHUNK */
};

static int keep_chunk(struct target *t, uint64_t addr, size_t len,
		      struct cr_error *err)
{
	size_t i = 0, from;
	int ret = 0;

	if (t->keep_zeros)
		return add_piece(t->c, t->space, addr + t->delta, t->buf, len,
				 err);
	while (i < len && !ret) {
		while (i < len && is_zero(t->buf + i))
			i += PAGE;
		from = i;
		while (i < len && !is_zero(t->buf + i))
			i += PAGE;
		if (i > from)
			ret = add_piece(t->c, t->space, addr + from + t->delta,
					t->buf + from, i - from, err);
	}
	return ret;
}

static int copy_run(void *arg, uint64_t addr, size_t len, struct cr_error *err)
{
	struct target *t = arg;
	size_t n;
	int ret;

	while (len) {
		n = len < CAP_CHUNK ? len : CAP_CHUNK;
		ret = cr_remote_read(t->pid, addr, t->buf, n,
				     t->may_fail ? NULL : err);
		if (ret && t->may_fail && n > PAGE)
			n = PAGE;
		if (n == PAGE && ret && t->may_fail)
			ret = cr_remote_read(t->pid, addr, t->buf, n, NULL);
		if (!ret)
			ret = keep_chunk(t, addr, n, err);
		else if (t->may_fail)
			ret = 0; /* behind the end of the file */
		if (ret)
			return ret;
		addr += n;
		len -= n;
	}
	return 0;
}

/* Parts of [start, end) of a shared memory that no piece covers yet. */
static int copy_uncovered(struct target *t, const struct cap_map *m,
			  uint8_t *seen, struct cr_error *err)
{
	uint64_t a, from, page = m->offset / PAGE;
	int ret = 0;

	for (a = m->start; a < m->end && !ret;) {
		if (seen[page] != 0) {
			a += PAGE;
			page++;
			continue;
		}
		for (from = a; a < m->end && !seen[page]; a += PAGE, page++)
			seen[page] = 1;
		ret = copy_run(t, from, a - from, err);
	}
	return ret;
}

/* Grows with the memory: one byte for each page that was copied. */
static uint8_t *seen_pages(struct cr_capture *c, uint32_t i)
{
	struct cap_shm_id *id = &c->shm_ids[i];
	size_t pages = c->img->shms[i].size / PAGE;
	uint8_t *more;

	if (pages > id->n_seen) {
		more = realloc(id->seen, pages);
		if (!more)
			return NULL;
		memset(more + id->n_seen, 0, pages - id->n_seen);
		id->seen = more;
		id->n_seen = pages;
	}
	return id->seen;
}

int cap_copy_shared(struct cr_capture *c, struct cap_proc *p,
		    struct cr_error *err)
{
	char *maps = cr_procfs_read(p->pid, NULL, "maps");
	struct target t = { .c = c, .pid = p->pid, .may_fail = true };
	const char *text = maps;
	struct cap_map *m = malloc(sizeof(*m));
	uint32_t index;
	uint8_t *seen;
	int ret = 0;

	t.buf = malloc(CAP_CHUNK);
	if (!maps || !m || !t.buf)
		ret = cr_error_set(err, maps ? -ENOMEM : -errno,
				   "process %d: maps: %s", p->vpid,
				   strerror(maps ? ENOMEM : errno));
	while (!ret && cap_map_next(&text, m)) {
		if (m->perm[3] != 's' || !m->ino ||
		    cap_is_cut(p, m->start, m->end) ||
		    cap_map_kind(m, NULL) != CR_AREA_ANON_SHARED)
			continue;
		ret = cap_find_shm(c, m, &index, err);
		if (ret)
			break;
		seen = seen_pages(c, index);
		if (!seen) {
			ret = cr_error_set(err, -ENOMEM, "out of memory");
			break;
		}
		t.space = index | CAP_SHM;
		t.delta = m->offset - m->start;
		ret = copy_uncovered(&t, m, seen, err);
	}
	free(t.buf);
	free(m);
	free(maps);
	return ret;
}

/*
 * Private memory of p, whose areas are in the model: all of it, or only what
 * a forked copy does not have.
 */
int cap_copy_private(struct cr_capture *c, struct cap_proc *p, bool all,
		     struct cr_error *err)
{
	uint32_t space = cap_model(c, p)->mm;
	struct cr_mm *mm = &c->img->mms[space];
	struct target t = { .c = c, .pid = p->pid, .space = space };
	const struct cr_area *a;
	int ret = 0;

	t.buf = malloc(CAP_CHUNK);
	if (!t.buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (a = mm->areas; a < mm->areas + mm->n_areas && !ret; a++) {
		if (!all && !cap_unforked(a))
			continue;
		t.keep_zeros = a->kind != CR_AREA_ANON;
		t.may_fail = a->kind == CR_AREA_FILE_PRIVATE;
		ret = cap_pages(p->pid, a->start, a->end,
				cap_which_pages(c->img, a), copy_run, &t, err);
	}
	free(t.buf);
	if (ret)
		cr_error_prefix(err, "process %d", p->vpid);
	return ret;
}
