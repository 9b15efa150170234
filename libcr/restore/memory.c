/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c - turns a stub's address space into the recorded one */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "restore/build.h"
#include "runtime/control.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

/* What mmap(2) may be given again. */
#define MAP_FLAGS                                                              \
	(MAP_GROWSDOWN | MAP_NORESERVE | MAP_HUGETLB | MAP_STACK |             \
	 (int)((unsigned int)MAP_HUGE_MASK << MAP_HUGE_SHIFT))

struct laying {
	struct cr_restore_context *ctx;
	struct cr_task *t;
	const struct cr_mm *mm;
	uint32_t space;
	uint32_t freed_keys; /* given back, though some memory has them */
	struct cr_error *err;
};

static int call(struct laying *l, const struct cr_area *a, const char *what,
		long nr, const uint64_t args[6])
{
	char text[128];
	int64_t ret;

	snprintf(text, sizeof(text), "memory %" PRIx64 "-%" PRIx64 "%s%s: %s",
		 a->start, a->end, a->name ? " " : "", a->name ? a->name : "",
		 what);
	ret = cr_stub_call(l->t, text, nr, args, l->err);
	return ret < 0 && ret >= -4095 ? (int)ret : 0;
}

static bool has_pages(const struct laying *l, const struct cr_area *a)
{
	const struct cr_run *run =
		cr_image_find_run(l->ctx->img, l->space, a->start);

	return run && run->addr < a->end;
}

/* The protection while pages are being filled in. */
static uint32_t filling_prot(const struct laying *l, const struct cr_area *a)
{
	if (a->kind == CR_AREA_VDSO || has_pages(l, a))
		return PROT_READ | PROT_WRITE;
	return a->prot;
}

static int map_flags(const struct cr_area *a)
{
	int flags = (int)a->map_flags & MAP_FLAGS;

	if (a->vm_flags & CR_VM_GROWSDOWN)
		flags |= MAP_GROWSDOWN;
	if (a->vm_flags & CR_VM_NORESERVE)
		flags |= MAP_NORESERVE;
	return flags;
}

static int map_anon(struct laying *l, const struct cr_area *a)
{
	bool droppable = a->vm_flags & CR_VM_DROPPABLE;
	int type = droppable ? MAP_DROPPABLE : MAP_PRIVATE;

	return call(l, a,
		    droppable ? "mapping it (MAP_DROPPABLE, Linux 6.11)"
			      : "mapping it",
		    SYS_mmap,
		    (uint64_t[6]){ a->start, a->end - a->start,
				   filling_prot(l, a),
				   (uint64_t)(type | MAP_ANONYMOUS |
					      MAP_FIXED | map_flags(a)),
				   (uint64_t)-1, 0 });
}

static int map_file(struct laying *l, const struct cr_area *a, int flags)
{
	const struct cr_file_id *id = &l->ctx->img->mapped[a->file];
	const int *fd = a->vm_flags & CR_VM_READONLY ? l->ctx->mapped_readonly
						     : l->ctx->mapped_fd;

	if (id->deleted && a->kind == CR_AREA_FILE_PRIVATE)
		return map_anon(l, a); /* all its pages are in the image */
	return call(l, a, "mapping its file", SYS_mmap,
		    (uint64_t[6]){
			    a->start, a->end - a->start, filling_prot(l, a),
			    (uint64_t)(flags | MAP_FIXED |
				       (map_flags(a) & MAP_NORESERVE)),
			    (uint64_t)fd[a->file], a->offset });
}

/*
 * Another mapping of memory that the stub has inherited: mremap(2) of zero
 * bytes makes one.
 */
static int map_shm(struct laying *l, const struct cr_area *a)
{
	bool readonly = a->vm_flags & CR_VM_READONLY;
	const int *fd = readonly ? l->ctx->shm_readonly : l->ctx->shm_fd;
	const uint64_t *at = readonly ? l->ctx->bench.readonly
				      : l->ctx->bench.shm;
	int ret;

	if (a->shm < l->ctx->img->n_shms && fd[a->shm] >= 0)
		return call(l, a, "mapping a memory file", SYS_mmap,
			    (uint64_t[6]){
				    a->start, a->end - a->start, a->prot,
				    (uint64_t)(MAP_SHARED | MAP_FIXED |
					       (map_flags(a) & MAP_NORESERVE)),
				    (uint64_t)fd[a->shm], a->offset });
	if (a->shm >= l->ctx->img->n_shms || !at[a->shm])
		return cr_error_set(l->err, -EINVAL,
				    "process %d: memory %" PRIx64
				    ": no such shared memory",
				    l->t->tgid, a->start);
	ret = call(l, a, "mapping shared memory", SYS_mremap,
		   (uint64_t[6]){ at[a->shm] + a->offset, 0,
				  a->end - a->start,
				  MREMAP_MAYMOVE | MREMAP_FIXED, a->start });
	if (ret < 0 || a->prot == (PROT_READ | PROT_WRITE))
		return ret;
	return call(l, a, "protecting it", SYS_mprotect,
		    (uint64_t[6]){ a->start, a->end - a->start, a->prot });
}

/* libcr finds its block by the name of a memory file. */
static int map_control(struct laying *l, const struct cr_area *a)
{
	uint64_t name = cr_stub_put(l->ctx, l->t, 0, CR_CONTROL_NAME,
				    sizeof(CR_CONTROL_NAME), l->err);
	int64_t fd;
	int ret;

	if (!name)
		return l->err->code;
	fd = cr_stub_call(l->t, "memory file of libcr", SYS_memfd_create,
			  (uint64_t[6]){ name, MFD_CLOEXEC }, l->err);
	if (fd < 0)
		return (int)fd;
	ret = call(
		l, a, "sizing libcr's block", SYS_ftruncate,
		(uint64_t[6]){ (uint64_t)fd, a->offset + a->end - a->start });
	if (!ret)
		ret = call(l, a, "mapping libcr's block", SYS_mmap,
			   (uint64_t[6]){ a->start, a->end - a->start,
					  PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_FIXED, (uint64_t)fd,
					  a->offset });
	if (!ret)
		ret = call(l, a, "closing", SYS_close,
			   (uint64_t[6]){ (uint64_t)fd });
	return ret;
}

static int map_area(struct laying *l, const struct cr_area *a)
{
	switch (a->kind) {
	case CR_AREA_ANON:
	case CR_AREA_VDSO: /* in case it must be kept as it was */
		return map_anon(l, a);
	case CR_AREA_FILE_PRIVATE:
		return map_file(l, a, MAP_PRIVATE);
	case CR_AREA_FILE_SHARED:
		return map_file(l, a, MAP_SHARED);
	case CR_AREA_ANON_SHARED:
		return map_shm(l, a);
	case CR_AREA_CONTROL:
		return map_control(l, a);
	case CR_AREA_VVAR:
	case CR_AREA_VSYSCALL:
		return 0;
	}
	return cr_error_set(l->err, -EINVAL,
			    "process %d: memory %" PRIx64
			    " is of an unknown kind %u",
			    l->t->tgid, a->start, a->kind);
}

static int advise(struct laying *l, const struct cr_area *a)
{
	static const struct {
		uint64_t flag;
		int advice;
	} table[] = {
		{ CR_VM_DONTFORK, MADV_DONTFORK },
		{ CR_VM_WIPEONFORK, MADV_WIPEONFORK },
		{ CR_VM_DONTDUMP, MADV_DONTDUMP },
		{ CR_VM_HUGEPAGE, MADV_HUGEPAGE },
		{ CR_VM_NOHUGEPAGE, MADV_NOHUGEPAGE },
		{ CR_VM_MERGEABLE, MADV_MERGEABLE },
		{ CR_VM_SEQ_READ, MADV_SEQUENTIAL },
		{ CR_VM_RAND_READ, MADV_RANDOM },
	};
	int64_t ret;

	if (a->kind == CR_AREA_VDSO || a->kind == CR_AREA_VVAR ||
	    a->kind == CR_AREA_VSYSCALL)
		return 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		int r;

		if (!(a->vm_flags & table[i].flag))
			continue;
		r = cr_stub_try(l->t, &ret, SYS_madvise,
				(uint64_t[6]){ a->start, a->end - a->start,
					       (uint64_t)table[i].advice },
				l->err);
		if (r < 0)
			return r;
		/* What concerns only speed may be missing in this kernel. */
		if (ret < 0 && (table[i].advice == MADV_DONTFORK ||
				table[i].advice == MADV_WIPEONFORK))
			return cr_error_set(l->err, (int)ret,
					    "process %d: memory %" PRIx64
					    ": madvise %d: %s",
					    l->t->tgid, a->start,
					    table[i].advice,
					    strerror((int)-ret));
	}
	return 0;
}

/* "[anon:NAME]": a name for people, not for the program. */
static int name_area(struct laying *l, const struct cr_area *a)
{
	char name[128];
	uint64_t at;
	int64_t ret;

	if (a->kind != CR_AREA_ANON || !a->name ||
	    sscanf(a->name, "[anon:%127[^]]", name) != 1)
		return 0;
	at = cr_stub_put(l->ctx, l->t, 0, name, strlen(name) + 1, l->err);
	if (!at)
		return l->err->code;
	return cr_stub_try(l->t, &ret, SYS_prctl,
			   (uint64_t[6]){ PR_SET_VMA, PR_SET_VMA_ANON_NAME,
					  a->start, a->end - a->start, at },
			   l->err);
}

static int finish_area(struct laying *l, const struct cr_area *a)
{
	uint64_t key = (a->vm_flags & CR_VM_PKEY) >> CR_VM_PKEY_SHIFT;
	int ret = 0;

	if (a->kind == CR_AREA_VDSO || a->kind == CR_AREA_VVAR ||
	    a->kind == CR_AREA_VSYSCALL)
		return 0;
	if (key)
		ret = call(l, a, "giving it a protection key",
			   SYS_pkey_mprotect,
			   (uint64_t[6]){ a->start, a->end - a->start, a->prot,
					  key });
	else if (a->kind == CR_AREA_CONTROL
			 ? a->prot != (PROT_READ | PROT_WRITE)
			 : filling_prot(l, a) != a->prot)
		ret = call(
			l, a, "protecting it", SYS_mprotect,
			(uint64_t[6]){ a->start, a->end - a->start, a->prot });
	if (!ret && (a->vm_flags & CR_VM_LOCKED))
		ret = call(l, a, "locking it (see ulimit -l)", SYS_mlock2,
			   (uint64_t[6]){ a->start, a->end - a->start,
					  a->vm_flags & CR_VM_LOCKONFAULT ?
						  MLOCK_ONFAULT : 0 });
	return ret;
}

/*
 * The kernel gives the lowest key that is free.  What is allocated first is
 * not taken by memory that may be executed only, which gets a key by itself.
 */
static int free_keys(struct laying *l, uint32_t keys)
{
	int64_t ret = 0;

	for (uint64_t i = 1; i < 16 && ret >= 0; i++)
		if (keys >> i & 1)
			ret = cr_stub_call(l->t, "freeing a protection key",
					   SYS_pkey_free, (uint64_t[6]){ i },
					   l->err);
	return ret < 0 ? (int)ret : 0;
}

static int allocate_keys(struct laying *l, uint64_t want)
{
	uint32_t got = 0;
	int64_t key = 0;
	int ret = 0;

	while (!ret && want & ~(uint64_t)got && key >= 0) {
		ret = cr_stub_try(l->t, &key, SYS_pkey_alloc,
				  (uint64_t[6]){ 0, 0 }, l->err);
		if (!ret && key > 0 && key < 16)
			got |= 1u << key;
	}
	if (!ret && want & ~(uint64_t)got)
		return cr_error_set(
			l->err, -ENOTSUP,
			"process %d uses protection keys (pkey_alloc(2)), "
			"which are not to be had here: %s; restart it on a "
			"machine that has them",
			l->t->tgid, strerror((int)-key));
	return ret ? ret : free_keys(l, got & ~(uint32_t)want);
}

static int restore_keys(struct laying *l)
{
	uint32_t used = cr_keys_used(l->mm), want = 0;

	for (size_t i = 0; i < l->ctx->img->n_settings; i++) {
		const struct cr_setting *x = &l->ctx->img->settings[i];

		if (x->kind == CR_SETTING_PKEYS && x->owner == l->space)
			want = (uint32_t)x->value;
	}
	l->freed_keys = used & ~want;
	return allocate_keys(l, used | want);
}

/*
 * Pages come from the nodes that the program has chosen, before there are
 * any.  Its nodes need not be here: about speed only.
 */
static int bind(struct laying *l, const struct cr_setting *s)
{
	const uint64_t *data = s->data.data; /* length, mode, nodes */
	uint64_t from, to, nodes;
	int64_t done;
	int ret = 0;

	for (size_t i = 0; i < l->mm->n_areas && !ret; i++) {
		const struct cr_area *a = &l->mm->areas[i];

		from = a->start > s->value ? a->start : s->value;
		to = a->end < s->value + data[0] ? a->end : s->value + data[0];
		if (from >= to)
			continue;
		nodes = cr_stub_put(l->ctx, l->t, 0, data + 2,
				    s->data.len - 16, l->err);
		if (!nodes)
			return l->err->code;
		ret = cr_stub_try(l->t, &done, SYS_mbind,
				  (uint64_t[6]){ from, to - from, data[1],
						 nodes,
						 (s->data.len - 16) * 8 + 1 },
				  l->err);
	}
	return ret;
}

static int bind_all(struct laying *l)
{
	int ret = 0;

	for (size_t i = 0; i < l->ctx->img->n_settings && !ret; i++) {
		const struct cr_setting *x = &l->ctx->img->settings[i];

		if (x->kind == CR_SETTING_BIND && x->owner == l->space)
			ret = bind(l, x);
	}
	return ret;
}

static int clear(struct laying *l)
{
	const struct cr_bench *b = &l->ctx->bench;
	int64_t ret;

	ret = cr_stub_call(l->t, "unmapping the stub", SYS_munmap,
			   (uint64_t[6]){ 0, b->start }, l->err);
	if (ret >= 0)
		ret = cr_stub_call(
			l->t, "unmapping the stub", SYS_munmap,
			(uint64_t[6]){ b->end, CR_END_4_LEVELS - b->end },
			l->err);
	return ret < 0 ? (int)ret : 0;
}

int cr_memory_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		      struct cr_error *err)
{
	const struct cr_mm *mm = &ctx->img->mms[s->p->mm];
	struct laying l = { ctx, &s->tasks[0], mm, s->p->mm, 0, err };
	int ret;

	ret = cr_vdso_park(ctx, l.t, err);
	if (!ret)
		ret = clear(&l);
	if (!ret)
		ret = restore_keys(&l);
	for (size_t i = 0; !ret && i < mm->n_areas; i++) {
		ret = map_area(&l, &mm->areas[i]);
		if (!ret)
			ret = advise(&l, &mm->areas[i]);
	}
	if (!ret)
		ret = bind_all(&l);
	if (!ret)
		ret = cr_pages_fill(ctx, l.t, s->p->mm, err);
	for (size_t i = 0; !ret && i < mm->n_areas; i++) {
		ret = finish_area(&l, &mm->areas[i]);
		if (!ret)
			ret = name_area(&l, &mm->areas[i]);
	}
	if (!ret)
		ret = free_keys(&l, l.freed_keys);
	if (!ret)
		ret = cr_vdso_place(ctx, l.t, mm, err);
	if (!ret)
		ret = cr_mm_fields_restore(ctx, s, err);
	return ret;
}
