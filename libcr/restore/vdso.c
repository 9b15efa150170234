/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vdso.c - the kernel's own pages in a process: keep, move, or stand in */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "restore/build.h"
#include "restore/redirect.h"

int cr_vdso_find(struct cr_vdso *v, struct cr_error *err)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512], name[64];

	if (!f)
		return cr_error_set(err, -errno, "/proc/self/maps: %s",
				    strerror(errno));
	memset(v, 0, sizeof(*v));
	while (fgets(line, sizeof(line), f) && v->n < CR_VDSO_PIECES) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %63s",
			   &start, &end, name) != 3)
			continue;
		if (strncmp(name, "[vvar", 5) && strcmp(name, "[vdso]"))
			continue;
		v->piece[v->n].start = start;
		v->piece[v->n].end = end;
		v->n++;
		if (!strcmp(name, "[vdso]")) {
			v->code = start;
			v->code_end = end;
		}
	}
	fclose(f);
	for (unsigned int i = 1; i < v->n; i++)
		if (v->piece[i].start != v->piece[i - 1].end)
			return cr_error_set(err, -ENOTSUP,
					    "the pieces of the "
					    "vdso are not side by side");
	if (v->n && v->piece[v->n - 1].end - v->piece[0].start > CR_BENCH_PARK)
		return cr_error_set(err, -ENOTSUP, "the vdso is too large");
	return 0;
}

/* The same of an address space in the image. */
static void recorded(const struct cr_mm *mm, struct cr_vdso *v)
{
	memset(v, 0, sizeof(*v));
	for (size_t i = 0; i < mm->n_areas && v->n < CR_VDSO_PIECES; i++) {
		const struct cr_area *a = &mm->areas[i];

		if (a->kind != CR_AREA_VDSO && a->kind != CR_AREA_VVAR)
			continue;
		v->piece[v->n].start = a->start;
		v->piece[v->n].end = a->end;
		v->n++;
		if (a->kind == CR_AREA_VDSO) {
			v->code = a->start;
			v->code_end = a->end;
		}
	}
}

/* The stored vdso of an address space; NULL if it is not in the image. */
static uint8_t *stored_code(struct cr_restore_context *ctx, uint32_t space,
			    const struct cr_vdso *v, struct cr_error *err)
{
	size_t len = v->code_end - v->code;
	uint8_t *buf = calloc(1, len ? len : 1);
	uint64_t at = v->code;

	if (!buf) {
		cr_error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	while (at < v->code_end) {
		const struct cr_run *run =
			cr_image_find_run(ctx->img, space, at);
		uint64_t n;

		if (!run || run->addr >= v->code_end)
			break; /* the rest are zeros, or nothing is stored */
		if (run->addr > at)
			at = run->addr;
		n = run->addr + run->len - at;
		if (n > v->code_end - at)
			n = v->code_end - at;
		if (cr_reader_pages(ctx->reader, run, at - run->addr,
				    buf + (at - v->code), n, err) < 0) {
			free(buf);
			return NULL;
		}
		at += n;
	}
	if (memcmp(buf, "\177ELF", 4)) {
		cr_error_set(err, -ENOTSUP, "the vdso is not in the image");
		free(buf);
		return NULL;
	}
	return buf;
}

static bool same_layout(const struct cr_vdso *a, const struct cr_vdso *b)
{
	return a->n && b->n &&
	       a->piece[a->n - 1].end - a->piece[0].start ==
		       b->piece[b->n - 1].end - b->piece[0].start &&
	       a->code - a->piece[0].start == b->code - b->piece[0].start &&
	       a->code_end - a->code == b->code_end - b->code;
}

static bool is_code(const struct cr_vdso *v, unsigned int i)
{
	return v->piece[i].start == v->code;
}

/*
 * A program may have moved its code away from the data (mremap(2)): it is
 * still the same code, that of piece i here is then at to[i].
 */
static bool same_pieces(const struct cr_vdso *a, const struct cr_vdso *here,
			uint64_t *to)
{
	unsigned int i, k;
	bool taken[CR_VDSO_PIECES] = { false };

	for (i = 0; i < here->n; i++)
		to[i] = 0;
	for (k = 0; k < a->n; k++) {
		for (i = 0; i < here->n; i++)
			if (!taken[i] && is_code(here, i) == is_code(a, k) &&
			    here->piece[i].end - here->piece[i].start ==
				    a->piece[k].end - a->piece[k].start)
				break;
		if (i == here->n)
			return false;
		taken[i] = true;
		to[i] = a->piece[k].start;
	}
	return true;
}

/* 1: the same code as here, 0: another one, in *code; -errno */
static int compare(struct cr_restore_context *ctx, const struct cr_mm *mm,
		   uint8_t **code, struct cr_error *err)
{
	uint32_t space = (uint32_t)(mm - ctx->img->mms);
	uint64_t to[CR_VDSO_PIECES];
	struct cr_vdso v;

	*code = NULL;
	recorded(mm, &v);
	if (!v.code)
		return 1; /* it has none to lose */
	*code = stored_code(ctx, space, &v, err);
	if (!*code)
		return err->code;
	if ((same_layout(&v, &ctx->vdso) ||
	     same_pieces(&v, &ctx->vdso, to)) &&
	    !memcmp(*code, (void *)(uintptr_t)ctx->vdso.code,
		    v.code_end - v.code)) {
		free(*code);
		*code = NULL;
		return 1;
	}
	return 0;
}

/* Nobody can go on in the middle of code that is not there any more. */
static int check_thread(struct cr_restore_context *ctx,
			const struct cr_process *p, const struct cr_thread *th,
			const struct cr_vdso *v, struct cr_error *err)
{
	const struct user_regs_struct *r = th->regs.data;
	int ret;

	if (th->regs.len < sizeof(*r))
		return 0;
	if (r->rip >= v->code && r->rip < v->code_end)
		return cr_error_set(err, -ENOTSUP,
				    "process %d: thread %d was inside the vdso "
				    "of another kernel; restart it under the "
				    "kernel of the checkpoint (%s)",
				    p->pid, th->tid, ctx->img->kernel);
	ret = cr_frames_lead_into(ctx, p, th, v->code, v->code_end, err);
	if (ret <= 0)
		return ret;
	return cr_error_set(err, -ENOTSUP,
			    "process %d: thread %d is in a signal handler that "
			    "returns into the vdso of another kernel; restart "
			    "it under the kernel of the checkpoint (%s), or "
			    "make a checkpoint at another moment",
			    p->pid, th->tid, ctx->img->kernel);
}

int cr_vdso_verify(struct cr_restore_context *ctx, const struct cr_mm *mm,
		   struct cr_error *err)
{
	uint32_t space = (uint32_t)(mm - ctx->img->mms);
	struct cr_vdso v;
	uint8_t *code;
	int ret = compare(ctx, mm, &code, err);

	if (ret)
		return ret < 0 ? ret : 0;
	recorded(mm, &v);
	ret = cr_redirect(
		code, v.code_end - v.code, (void *)(uintptr_t)ctx->vdso.code,
		ctx->vdso.code_end - ctx->vdso.code, ctx->vdso.code, err);
	free(code);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < ctx->img->n_procs; i++) {
		const struct cr_process *p = &ctx->img->procs[i];

		for (size_t k = 0; p->mm == space && k < p->n_threads; k++) {
			ret = check_thread(ctx, p, &p->threads[k], &v, err);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

static int move(struct cr_task *t, const struct cr_vdso *from, uint64_t to,
		struct cr_error *err)
{
	for (unsigned int i = 0; i < from->n; i++) {
		uint64_t start = from->piece[i].start;
		uint64_t len = from->piece[i].end - start;
		int64_t ret;

		ret = cr_stub_call(
			t, "moving the vdso", SYS_mremap,
			(uint64_t[6]){ start, len, len,
				       MREMAP_MAYMOVE | MREMAP_FIXED,
				       to + start - from->piece[0].start },
			err);
		if (ret < 0)
			return (int)ret;
	}
	return 0;
}

/* Each piece to its own place; what the program had unmapped stays. */
static int move_pieces(struct cr_task *t, const struct cr_vdso *from,
		       const uint64_t *to, struct cr_error *err)
{
	int ret = 0;

	for (unsigned int i = 0; i < from->n && !ret; i++) {
		struct cr_vdso one = { .piece = { from->piece[i] }, .n = 1 };

		if (to[i])
			ret = move(t, &one, to[i], err);
	}
	return ret;
}

static void shift(struct cr_vdso *v, uint64_t to)
{
	uint64_t by = to - v->piece[0].start;

	for (unsigned int i = 0; i < v->n; i++) {
		v->piece[i].start += by;
		v->piece[i].end += by;
	}
	v->code += by;
	v->code_end += by;
}

int cr_vdso_park(struct cr_restore_context *ctx, struct cr_task *t,
		 struct cr_error *err)
{
	return move(t, &ctx->vdso, ctx->bench.park, err);
}

/* The old code at its old place, leading into the new one elsewhere. */
static int stand_in(struct cr_restore_context *ctx, struct cr_task *t,
		    const struct cr_vdso *old, uint8_t *code,
		    const struct cr_vdso *parked, struct cr_error *err)
{
	uint64_t len =
		parked->piece[parked->n - 1].end - parked->piece[0].start;
	struct cr_vdso placed = *parked;
	uint64_t to;
	int ret;

	ret = cr_space_find(ctx->img, len, &to, err);
	if (ret < 0)
		return ret;
	ret = move(t, parked, to, err);
	if (ret < 0)
		return ret;
	shift(&placed, to);
	ret = cr_redirect(code, old->code_end - old->code,
			  (void *)(uintptr_t)ctx->vdso.code,
			  ctx->vdso.code_end - ctx->vdso.code, placed.code,
			  err);
	if (!ret)
		ret = cr_remote_write(t->tid, old->code, code,
				      old->code_end - old->code, err);
	if (!ret)
		ret = (int)cr_stub_call(
			t, "protecting the old vdso", SYS_mprotect,
			(uint64_t[6]){ old->code, old->code_end - old->code,
				       PROT_READ | PROT_EXEC },
			err);
	return ret;
}

int cr_vdso_place(struct cr_restore_context *ctx, struct cr_task *t,
		  const struct cr_mm *mm, struct cr_error *err)
{
	struct cr_vdso v, parked = ctx->vdso;
	uint64_t to[CR_VDSO_PIECES];
	uint8_t *code;
	int ret;

	recorded(mm, &v);
	if (!v.code || !parked.n)
		return 0; /* what is parked goes with the bench */
	shift(&parked, ctx->bench.park);
	ret = compare(ctx, mm, &code, err);
	if (ret < 0)
		return ret;
	if (ret && same_pieces(&v, &parked, to))
		return move_pieces(t, &parked, to, err);
	if (ret)
		return move(t, &parked, v.piece[0].start, err);
	ret = stand_in(ctx, t, &v, code, &parked, err);
	free(code);
	return ret;
}
