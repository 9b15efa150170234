/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.c - memory that has to be copied while the program stands still:
 * shared memory, areas that fork() leaves out, or all of it
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "capture/internal.h"
#include "capture/smaps.h"

#define PAGE 4096u
#define CHECK_ROOM (32u << 20) /* bytes copied between two looks */
#define MEM_KEPT (128u << 10)	/* KiB that must stay free */

static bool is_zero(const char *p)
{
	return !*p && !memcmp(p, p + 1, PAGE - 1);
}

/*
 * There must be room for it besides the program: the kernel would kill
 * somebody else when it finds out.
 */
static int check_room(struct cr_capture *c, struct cr_error *err)
{
	FILE *f = fopen("/proc/meminfo", "re");
	uint64_t kib = UINT64_MAX;
	char line[128];

	while (f && fgets(line, sizeof(line), f) &&
	       sscanf(line, "MemAvailable: %" SCNu64, &kib) != 1)
		;
	if (f)
		fclose(f);
	return kib > MEM_KEPT ? 0
		    : cr_error_set(err, -ENOMEM,
				   "not enough memory is free on this node to "
				   "copy what a snapshot cannot hold: shared "
				   "memory and huge pages (%" PRIu64
				   " MiB were copied)",
				   c->piece_bytes >> 20);
}

static int add_piece(struct cr_capture *c, uint32_t space, uint64_t addr,
		     const void *data, size_t len, struct cr_error *err)
{
	struct cap_piece *more, *p;
	int ret;

	c->piece_bytes += len;
	if (c->piece_bytes / CHECK_ROOM != (c->piece_bytes - len) / CHECK_ROOM) {
		ret = check_room(c, err);
		if (ret)
			return ret;
	}
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
	uint64_t huge; /* the size of its huge pages; 0: it has none */
	enum cap_which which; /* copy_part() */
	bool keep_zeros, may_fail;
	struct cr_task *teller; /* who tells what is there; NULL: all may be */
	char *buf; /* CAP_CHUNK */
};

/* Of a huge page at least the first is kept, so that it is touched again. */
static bool is_wanted(const struct target *t, uint64_t addr, size_t i)
{
	return !is_zero(t->buf + i) || (t->huge && !((addr + i) % t->huge));
}

static int keep_chunk(struct target *t, uint64_t addr, size_t len,
		      struct cr_error *err)
{
	size_t i = 0, from;
	int ret = 0;

	if (t->keep_zeros)
		return add_piece(t->c, t->space, addr + t->delta, t->buf, len,
				 err);
	while (i < len && !ret) {
		while (i < len && !is_wanted(t, addr, i))
			i += PAGE;
		from = i;
		while (i < len && is_wanted(t, addr, i))
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
		ret = cr_remote_read(t->pid, addr, t->buf, n, NULL);
		if (ret && t->may_fail && n > PAGE)
			n = PAGE;
		if (n == PAGE && ret && t->may_fail)
			ret = cr_remote_read(t->pid, addr, t->buf, n, NULL);
		if (!ret)
			ret = keep_chunk(t, addr, n, err);
		else if (!t->may_fail)
			ret = cap_unreadable(addr, ret, err);
		else
			ret = 0; /* behind the end of the file */
		if (ret)
			return ret;
		addr += n;
		len -= n;
	}
	return 0;
}

/* One byte for each page: is it there?  As t->teller tells. */
static int ask_there(struct target *t, uint64_t addr, uint64_t pages,
		     uint8_t *there, struct cr_error *err)
{
	const uint64_t at = t->teller->scratch;
	uint64_t i, n;
	int64_t r = 0;
	int ret = 0;

	for (i = 0; i < pages && !ret; i += n) {
		n = pages - i < PAGE ? pages - i : PAGE;
		ret = cr_remote_syscall(t->teller, &r, SYS_mincore,
					addr + i * PAGE, n * PAGE, at, 0, 0, 0,
					err);
		if (!ret && !r)
			ret = cr_remote_read(t->pid, at, there + i, n, err);
		else
			memset(there + i, 1, n);
	}
	/* only now: what leaves meanwhile was there before */
	if (!ret && cap_is_swapped(t->pid, addr))
		memset(there, 1, pages);
	return ret;
}

/*
 * To look at a page that nobody has touched would make it, and a reservation
 * may be larger than the machine.
 */
static int copy_there(struct target *t, uint64_t addr, uint64_t len,
		      struct cr_error *err)
{
	const uint64_t pages = len / PAGE;
	uint8_t *there;
	uint64_t i = 0, from;
	int ret;

	if (!t->teller)
		return copy_run(t, addr, len, err);
	there = malloc(pages);
	if (!there)
		return cr_error_set(err, -ENOMEM, "out of memory");
	ret = ask_there(t, addr, pages, there, err);
	while (i < pages && !ret) {
		for (from = i; i < pages && there[i] & 1; i++)
			;
		if (i > from)
			ret = copy_run(t, addr + from * PAGE,
				       (i - from) * PAGE, err);
		while (i < pages && !(there[i] & 1))
			i++;
	}
	free(there);
	return ret;
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
		ret = copy_there(t, from, a - from, err);
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
	char *maps = cr_procfs_read(p->tid, NULL, "maps");
	struct target t = { .c = c, .pid = p->tid, .may_fail = true };
	struct cr_task *task = &p->threads[0]->task;
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
		if (m->perm[3] != 's' ||
		    (!m->ino && !(m->dev & CAP_SYSV_DEV)) ||
		    cap_is_cut(p, m->start, m->end) ||
		    cap_area_kind(c, p->tid, m, NULL) != CR_AREA_ANON_SHARED)
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
		t.teller = cap_tells_pages(p, m) ? task : NULL;
		ret = copy_uncovered(&t, m, seen, err);
	}
	if (!ret && (ret = cr_remote_settle(task)))
		cr_error_set(err, ret, "process %d: %s", p->vpid,
			     strerror(-ret));
	free(t.buf);
	free(m);
	free(maps);
	return ret;
}

/* Its parts that are no holes; whole pages, of which the last may be less. */
static int copy_data(struct target *t, int fd, uint64_t size, uint8_t *seen,
		     struct cr_error *err)
{
	off_t at = 0, end;
	size_t n, got;
	ssize_t r;
	int ret = 0;

	while (!ret && (uint64_t)at < size) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0 && errno == ENXIO)
			break; /* nothing but a hole is left */
		if (at < 0)
			return -errno;
		at -= at % PAGE;
		end = lseek(fd, at, SEEK_HOLE);
		if (end < 0)
			return -errno;
		if ((uint64_t)end > size)
			end = (off_t)size;
		for (; at < end && !ret; at += (off_t)n) {
			n = end - at < CAP_CHUNK ? (size_t)(end - at)
						 : CAP_CHUNK;
			for (got = 0; got < n; got += (size_t)r) {
				r = pread(fd, t->buf + got, n - got,
					  at + (off_t)got);
				if (r <= 0)
					return r ? -errno : -EIO;
			}
			n = (n + PAGE - 1) / PAGE * PAGE;
			memset(t->buf + got, 0, n - got);
			ret = keep_chunk(t, (uint64_t)at, n, err);
		}
	}
	memset(seen, 1, (size + PAGE - 1) / PAGE);
	return ret;
}

int cap_copy_file(struct cr_capture *c, const struct stat *st, int fd,
		  uint64_t size, uint32_t *index, struct cr_error *err)
{
	struct target t = { .c = c };
	struct cap_map *m = calloc(1, sizeof(*m));
	uint8_t *seen = NULL;
	char path[64];
	int mine, ret;

	t.buf = malloc(CAP_CHUNK);
	if (!m || !t.buf) {
		ret = cr_error_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	m->dev = (uint64_t)major(st->st_dev) << 32 | minor(st->st_dev);
	m->ino = st->st_ino;
	m->end = (size + PAGE - 1) / PAGE * PAGE;
	ret = cap_find_shm(c, m, index, err);
	if (!ret) {
		seen = seen_pages(c, *index);
		if (!seen)
			ret = cr_error_set(err, -ENOMEM, "out of memory");
	}
	/* another description has been here already */
	if (ret || seen[0])
		goto out;
	t.space = *index | CAP_SHM;
	/* its own position stays, and it need not be open for reading */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	mine = open(path, O_RDONLY | O_CLOEXEC);
	ret = mine < 0 ? -errno : copy_data(&t, mine, size, seen, err);
	if (ret)
		cr_error_set(err, ret, "content: %s", strerror(-ret));
	if (mine >= 0)
		close(mine);
out:
	free(t.buf);
	free(m);
	return ret;
}

/* A part of an area. */
static int copy_part(void *arg, uint64_t addr, size_t len,
		     struct cr_error *err)
{
	struct target *t = arg;

	return cap_pages(t->pid, addr, addr + len, t->which, copy_run, t, err);
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
	struct target t = { .c = c, .space = space };
	const struct cr_area *a;
	int ret = 0;

	t.buf = malloc(CAP_CHUNK);
	if (!t.buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (a = mm->areas; a < mm->areas + mm->n_areas && !ret; a++) {
		if (!all && !cap_unforked(a))
			continue;
		/* with threads out of the vdso */
		t.pid = all && p->snap.alive && !cap_unforked(a)
				? p->snap.task.tid
				: p->tid;
		t.keep_zeros = a->kind != CR_AREA_ANON;
		t.huge = cr_area_huge(a);
		t.may_fail = a->kind == CR_AREA_FILE_PRIVATE;
		t.which = cap_which_pages(c->img, a);
		ret = cap_outside(p, a->start, a->end, copy_part, &t, err);
	}
	free(t.buf);
	if (ret)
		cr_error_prefix(err, "process %d", p->vpid);
	return ret;
}
