/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* areas.c - the address space of a process, for the model */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "capture/internal.h"
#include "capture/smaps.h"

/* What is not to be saved of an address space. */
struct cuts {
	struct {
		uint64_t start, end;
	} cut[CR_CONTROL_OMIT_RANGES + 1];
	size_t n;
};

static void find_cuts(const struct cap_proc *p, struct cuts *cuts)
{
	const struct cr_control *k = p->control;
	size_t i;

	cuts->n = 0;
	if (p->scratch && !p->scratch_lent) {
		cuts->cut[0].start = p->scratch;
		cuts->cut[0].end = p->scratch + CAP_SCRATCH_SIZE;
		cuts->n = 1;
	}
	if (!p->has_control)
		return;
	for (i = 0; i < CR_CONTROL_OMIT_RANGES; i++)
		if (k->omit_range[i].len) {
			cuts->cut[cuts->n].start = k->omit_range[i].start;
			cuts->cut[cuts->n].end =
				k->omit_range[i].start + k->omit_range[i].len;
			cuts->n++;
		}
}

bool cap_is_cut(const struct cap_proc *p, uint64_t start, uint64_t end)
{
	struct cuts cuts;
	size_t i;

	find_cuts(p, &cuts);
	for (i = 0; i < cuts.n; i++)
		if (cuts.cut[i].start <= start && cuts.cut[i].end >= end)
			return true;
	return false;
}

static int no_memory(struct cr_error *err)
{
	return cr_error_set(err, -ENOMEM, "out of memory");
}

/* The index of the shared memory behind an area; it grows to size. */
int cap_find_shm(struct cr_capture *c, const struct cap_map *m, uint32_t *index,
		 struct cr_error *err)
{
	uint64_t size = m->offset + (m->end - m->start);
	struct cap_shm_id *more;
	struct cr_shm *shm;
	size_t i;

	for (i = 0; i < c->img->n_shms; i++)
		if (c->shm_ids[i].ino == m->ino && c->shm_ids[i].dev == m->dev)
			break;
	if (i == c->img->n_shms) {
		more = realloc(c->shm_ids, (i + 1) * sizeof(*more));
		if (!more)
			return no_memory(err);
		c->shm_ids = more;
		shm = cr_image_add_shm(c->img);
		if (!shm)
			return no_memory(err);
		memset(&more[i], 0, sizeof(*more));
		more[i].dev = m->dev;
		more[i].ino = m->ino;
	}
	shm = &c->img->shms[i];
	if (shm->size < size)
		shm->size = size;
	*index = (uint32_t)i;
	return 0;
}

int cap_area_kind(const struct cr_capture *c, pid_t pid,
		  const struct cap_map *m, struct cr_error *err)
{
	int kind = cap_map_kind(pid, m, err);
	bool dump = kind == CR_AREA_FILE_SHARED
			    ? c->opt.flags & CR_CHKPT_DUMP_SHARED
			    : kind == CR_AREA_FILE_PRIVATE &&
				      c->opt.flags & CR_CHKPT_DUMP_PRIVATE;

	if (m->huge && dump) {
		cr_error_set(err, -ENOTSUP,
			     "memory 0x%" PRIx64 "-0x%" PRIx64 " is of %s, a "
			     "file of huge pages, whose content cannot be "
			     "saved; do without --save-all, --save-private "
			     "and --save-shared",
			     m->start, m->end, m->path);
		return 0;
	}
	if (kind == CR_AREA_FILE_SHARED && c->opt.flags & CR_CHKPT_DUMP_SHARED)
		return CR_AREA_ANON_SHARED;
	return kind;
}

/* Is the content of this private mapping wanted in the image? */
static bool is_saved(const struct cr_capture *c, const struct cap_map *m,
		     const char *exe)
{
	return c->opt.flags & (exe && !strcmp(m->path, exe)
				       ? CR_CHKPT_DUMP_EXEC
				       : CR_CHKPT_DUMP_PRIVATE);
}

static int add_area(struct cr_capture *c, struct cap_proc *p,
		    const struct cap_map *m, int kind, pid_t from,
		    const char *exe, struct cr_error *err)
{
	struct cr_mm *mm = &c->img->mms[cap_model(c, p)->mm];
	struct cr_area *a = cr_mm_add_area(mm);
	uint32_t key;
	int ret = 0;

	if (!a)
		return no_memory(err);
	if (m->huge && (m->start | m->end) & ((1ULL << m->huge) - 1))
		return cr_error_set(err, -ENOTSUP,
				    "only a part of the huge page at 0x%" PRIx64
				    " is to be saved; omit all of it",
				    m->start);
	a->start = m->start;
	a->end = m->end;
	a->prot = (m->perm[0] == 'r' ? PROT_READ : 0) |
		  (m->perm[1] == 'w' ? PROT_WRITE : 0) |
		  (m->perm[2] == 'x' ? PROT_EXEC : 0);
	a->kind = (uint32_t)kind;
	a->map_flags = (m->vm_flags & CR_VM_GROWSDOWN ? MAP_GROWSDOWN : 0) |
		       (m->vm_flags & CR_VM_NORESERVE ? MAP_NORESERVE : 0) |
		       (m->huge ? cr_huge_flags(m->huge) : 0);
	a->vm_flags = m->vm_flags;
	a->untouched = m->untouched;
	/*
	 * The kernel's own one, for memory that may be executed only?  Another
	 * that is not in use was given back, and its memory still has it.
	 */
	key = (m->vm_flags & CR_VM_PKEY) >> CR_VM_PKEY_SHIFT;
	if (!(p->mm_of->pkeys >> key & 1) && a->prot == PROT_EXEC)
		a->vm_flags &= ~(uint64_t)CR_VM_PKEY;
	a->offset = m->offset;
	a->shm = a->file = CR_NONE;
	if (m->path[0] == '[') {
		a->name = strdup(m->path);
		if (!a->name)
			return no_memory(err);
	}
	if (kind == CR_AREA_ANON_SHARED)
		ret = cap_find_shm(c, m, &a->shm, err);
	else if (kind == CR_AREA_FILE_PRIVATE || kind == CR_AREA_FILE_SHARED)
		ret = cap_mapped_file(c, from, m->path, m->perm[2] == 'x',
				      m->ino,
				      kind == CR_AREA_FILE_PRIVATE &&
					      is_saved(c, m, exe),
				      &a->file, err);
	return ret;
}

/* Adds what the cuts from number i on leave of an area. */
static int add_uncut(struct cr_capture *c, struct cap_proc *p,
		     const struct cuts *cuts, size_t i, struct cap_map *m,
		     int kind, pid_t from, const char *exe,
		     struct cr_error *err)
{
	struct cap_map *part;
	uint64_t s, e;
	int ret = 0;

	for (; i < cuts->n; i++) {
		s = cuts->cut[i].start;
		e = cuts->cut[i].end;
		if (e <= m->start || s >= m->end)
			continue;
		if (s > m->start) {
			part = malloc(sizeof(*part));
			if (!part)
				return no_memory(err);
			*part = *m;
			part->end = s;
			ret = add_uncut(c, p, cuts, i + 1, part, kind, from,
					exe, err);
			free(part);
		}
		if (ret || e >= m->end)
			return ret;
		m->offset += m->ino ? e - m->start : 0;
		m->start = e;
	}
	return add_area(c, p, m, kind, from, exe, err);
}

static int find_exe(struct cr_capture *c, struct cap_proc *p, pid_t from,
		    const char *exe, struct cr_error *err)
{
	struct stat st;
	char path[64];
	uint32_t index;
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/exe", from);
	if (!exe || stat(path, &st))
		return cr_error_set(err, -errno, "executable: %s",
				    strerror(errno));
	ret = cap_mapped_file(c, from, exe, true, st.st_ino,
			      c->opt.flags & CR_CHKPT_DUMP_EXEC, &index, err);
	c->img->mms[cap_model(c, p)->mm].exe = index;
	return ret;
}

int cap_read_areas(struct cr_capture *c, struct cap_proc *p, pid_t from,
		   struct cr_error *err)
{
	struct cap_map *m = malloc(sizeof(*m));
	char *own = NULL, *exe = cr_procfs_link(from, "exe");
	const char *text = p->smaps;
	struct cuts cuts;
	uint64_t huge = 0;
	int kind, ret = 0;

	if (!m) {
		ret = no_memory(err);
		goto out;
	}
	if (!text)
		text = own = cr_procfs_read(from, NULL, "smaps");
	if (!text) {
		ret = cr_error_set(err, -errno, "memory areas: %s",
				   strerror(errno));
		goto out;
	}
	find_cuts(p, &cuts);
	while (!ret && cap_map_next(&text, m)) {
		if (cap_is_cut(p, m->start, m->end))
			continue;
		kind = cap_area_kind(c, from, m, err);
		if (!kind) {
			ret = err ? err->code : -ENOTSUP;
			break;
		}
		if ((m->vm_flags & CR_VM_WIPEONFORK && own) ||
		    (m->huge && p->checked && !p->huge)) {
			ret = cr_error_set(err, -EAGAIN,
					   "its memory changed during the "
					   "checkpoint; try again");
			break;
		}
		huge |= m->huge ? 1ULL << m->huge : 0;
		ret = add_uncut(c, p, &cuts, 0, m, kind, from, exe, err);
	}
	if (!ret && huge)
		ret = cap_add_setting(c, CR_SETTING_HUGE_PAGES,
				      cap_model(c, p)->mm, huge, err);
	if (!ret)
		ret = find_exe(c, p, from, exe, err);
out:
	free(exe);
	free(own);
	free(m);
	if (ret)
		cr_error_prefix(err, "process %d", p->vpid);
	return ret;
}
