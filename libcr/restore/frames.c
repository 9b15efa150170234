/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frames.c - what signal handlers will return to
 *
 * The kernel puts a frame on the stack: the address of the restorer, to which
 * the handler returns, and behind it the context that was interrupted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "restore/build.h"

#define CHUNK (256u << 10)
#define MOST_STACKS 4 /* that a thread's handlers are on */
#define USER_CS 0x33

/* The kernel's rt_sigframe, as far as it is of interest here. */
struct frame {
	uint64_t restorer;
	uint64_t flags, link, stack[3];
	uint64_t reg[15], rsp, rip, eflags;
	uint16_t cs;
};

struct search {
	struct cr_restore_context *ctx;
	uint32_t space;
	uint64_t restorer[CR_NSIG];
	size_t n_restorers;
	uint64_t from, to; /* code */
	uint64_t sp[MOST_STACKS];
	size_t n_sp;
	bool found;
};

static const struct cr_area *area_at(const struct search *s, uint64_t addr)
{
	const struct cr_mm *mm = &s->ctx->img->mms[s->space];
	const struct cr_area *a;

	for (a = mm->areas; a < mm->areas + mm->n_areas; a++)
		if (addr - a->start < a->end - a->start)
			return a;
	return NULL;
}

static bool is_frame(const struct search *s, const struct frame *f)
{
	size_t i;

	for (i = 0; i < s->n_restorers; i++)
		if (f->restorer == s->restorer[i])
			return f->cs == USER_CS;
	return false;
}

/* What it interrupted may have been on another stack. */
static void note_stack(struct search *s, const struct cr_area *here,
		       uint64_t sp)
{
	size_t i;

	if (area_at(s, sp) == here || s->n_sp == MOST_STACKS)
		return;
	for (i = 0; i < s->n_sp; i++)
		if (s->sp[i] == sp)
			return;
	s->sp[s->n_sp++] = sp;
}

static void look_at(struct search *s, const struct cr_area *here,
		    const struct frame *f)
{
	if (!is_frame(s, f))
		return;
	s->found |= f->rip - s->from < s->to - s->from;
	note_stack(s, here, f->rsp);
}

/* All that lies above on this stack. */
static int search_stack(struct search *s, uint64_t sp, struct cr_error *err)
{
	const struct cr_area *a = area_at(s, sp);
	uint8_t *buf = a ? malloc(CHUNK) : NULL;
	struct frame f;
	uint64_t at;
	size_t i, n;
	int ret = 0;

	if (a && !buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (at = sp & ~7ULL; a && at < a->end && !ret && !s->found;
	     at += n - sizeof(f) + 8) {
		n = a->end - at < CHUNK ? a->end - at : CHUNK;
		if (n < sizeof(f))
			break;
		ret = cr_reader_memory(s->ctx->reader, s->space, at, buf, n,
				       err);
		for (i = 0; !ret && i + sizeof(f) <= n; i += 8) {
			memcpy(&f, buf + i, sizeof(f));
			look_at(s, a, &f);
		}
	}
	free(buf);
	return ret;
}

static void note_restorers(struct search *s, const struct cr_process *p)
{
	size_t i, k;

	for (i = 0; i < CR_NSIG; i++) {
		if (!p->sigaction[i].restorer)
			continue;
		for (k = 0; k < s->n_restorers; k++)
			if (s->restorer[k] == p->sigaction[i].restorer)
				break;
		if (k == s->n_restorers)
			s->restorer[s->n_restorers++] =
				p->sigaction[i].restorer;
	}
}

int cr_frames_lead_into(struct cr_restore_context *ctx,
			const struct cr_process *p, const struct cr_thread *th,
			uint64_t from, uint64_t to, struct cr_error *err)
{
	const struct user_regs_struct *r = th->regs.data;
	struct search s = {
		.ctx = ctx,
		.space = p->mm,
		.from = from,
		.to = to,
		.sp = { r->rsp },
		.n_sp = 1,
	};
	size_t i;
	int ret = 0;

	note_restorers(&s, &ctx->img->procs[p->sighand_of]);
	if (!s.n_restorers)
		return 0;
	for (i = 0; i < s.n_sp && !ret && !s.found; i++)
		ret = search_stack(&s, s.sp[i], err);
	return ret ? ret : s.found;
}
