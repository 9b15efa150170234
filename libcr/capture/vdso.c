/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vdso.c - no thread of the image is inside the kernel's own code
 *
 * The vdso is another one under another kernel, where nobody could go on in
 * the middle of it.  So a thread that was stopped in there runs on to its
 * caller: not the thread itself, but its registers in the snapshot, which can
 * be led step by step.  The program notices nothing.
 *
 * What cannot be led out stays: memory is shared (a result that goes there
 * would be seen by the program) or not in the snapshot, and the step faults.
 * A restart under another kernel refuses such a thread by name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "capture/internal.h"
#include "capture/smaps.h"

/* The kernel's code that the thread is in, or NULL. */
static const struct cr_area *around(const struct cr_mm *mm,
				    const struct cr_thread *th)
{
	const struct user_regs_struct *r = th->regs.data;
	const struct cr_area *a;

	for (a = mm->areas; a < mm->areas + mm->n_areas; a++)
		if ((a->kind == CR_AREA_VDSO || a->kind == CR_AREA_VSYSCALL) &&
		    r->rip - a->start < a->end - a->start)
			return a;
	return NULL;
}

/* The next thread of the memory of p that is inside; NULL: none is. */
static struct cr_thread *next_inside(struct cr_capture *c, struct cap_proc *p,
				     size_t *i, size_t *k,
				     const struct cr_area **area)
{
	const struct cr_mm *mm = &c->img->mms[cap_model(c, p)->mm];
	struct cr_process *m;

	for (; *i < c->n_procs; ++*i, *k = 0) {
		if (!cap_live(c->procs[*i]) || c->procs[*i]->mm_of != p)
			continue;
		m = cap_model(c, c->procs[*i]);
		while (*k < m->n_threads) {
			*area = around(mm, &m->threads[*k]);
			++*k;
			if (*area)
				return &m->threads[*k - 1];
		}
	}
	return NULL;
}

bool cap_any_in_vdso(struct cr_capture *c, struct cap_proc *p)
{
	const struct cr_area *area;
	size_t i = 0, k = 0;

	return next_inside(c, p, &i, &k, &area);
}

static bool protect(struct cr_task *t, uint64_t start, uint64_t end, int prot)
{
	int64_t r;

	return !cr_remote_syscall(t, &r, SYS_mprotect, start, end - start,
				  (uint64_t)prot, 0, 0, 0, NULL) &&
	       !r;
}

/* In the snapshot: what it shares with the program is not to be written. */
static bool protect_shared(struct cr_task *t)
{
	char *maps = cr_procfs_read(t->tid, NULL, "maps");
	struct cap_map *m = malloc(sizeof(*m));
	const char *text = maps;
	bool ok = maps && m;
	int prot;

	while (ok && cap_map_next(&text, m)) {
		if (m->perm[3] != 's' || m->perm[1] != 'w')
			continue;
		prot = m->perm[0] == 'r' ? PROT_READ : PROT_NONE;
		prot |= m->perm[2] == 'x' ? PROT_EXEC : 0;
		ok = protect(t, m->start, m->end, prot);
	}
	free(m);
	free(maps);
	return ok;
}

/* What a fork has emptied is not what it was. */
static bool protect_wiped(struct cr_task *t, const struct cr_mm *mm)
{
	const struct cr_area *a;
	bool ok = true;

	for (a = mm->areas; a < mm->areas + mm->n_areas && ok; a++)
		if (a->vm_flags & CR_VM_WIPEONFORK)
			ok = protect(t, a->start, a->end, PROT_NONE);
	return ok;
}

static bool lead_out(struct cr_task *t, struct cr_thread *th,
		     const struct cr_area *area)
{
	struct user_regs_struct *r = th->regs.data;
	void *xstate = NULL;
	size_t len;

	if (cr_remote_set_xstate(t, th->xstate.data, th->xstate.len, NULL) ||
	    !cr_remote_step_out(t, r, area->start, area->end) ||
	    cr_remote_get_xstate(t, &xstate, &len, NULL))
		return false;
	free(th->xstate.data);
	th->xstate.data = xstate;
	th->xstate.len = len;
	return true;
}

void cap_leave_vdso(struct cr_capture *c, struct cap_proc *p)
{
	const struct cr_mm *mm = &c->img->mms[cap_model(c, p)->mm];
	struct cr_task *t = &p->snap.task;
	const struct cr_area *area;
	struct cr_thread *th;
	size_t i = 0, k = 0;
	bool ok, any = false;

	if (!cap_any_in_vdso(c, p))
		return;
	ok = protect_shared(t) && protect_wiped(t, mm);
	if (cr_remote_unguard(t, NULL) || !ok)
		return;
	while ((th = next_inside(c, p, &i, &k, &area)))
		any |= lead_out(t, th, area);
	/* they have seen the time of now */
	if (any)
		cap_note_clocks(c);
}
