/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check_process.c - processes and threads of a model */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/check.h"

#define REGS_SIZE 216 /* NT_PRSTATUS of x86-64 */
#define XSTATE_MIN 576
#define XSTATE_MAX 65536
#define AFFINITY_MAX 8192
#define GROUPS_MAX 65536

static bool signal_or_none(int32_t signo)
{
	return signo >= 0 && signo <= CR_NSIG;
}

static bool pending_fine(const struct cr_siginfo *pending, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int32_t signo;

		memcpy(&signo, pending[i].raw, sizeof(signo));
		if (signo < 1 || signo > CR_NSIG)
			return false;
	}
	return true;
}

static const char *thread_fault(const struct cr_process *p,
				const struct cr_thread *t)
{
	if (t->tid <= 0)
		return "its id is not positive";
	if (!memchr(t->comm, 0, sizeof(t->comm)))
		return "its name does not end";
	/* What is run anew or has ended has no registers. */
	if (p->kind != CR_PROC_NORMAL)
		return NULL;
	if (t->regs.len != REGS_SIZE)
		return "its registers have the wrong size";
	if (t->xstate.len < XSTATE_MIN || t->xstate.len > XSTATE_MAX)
		return "its extended registers have the wrong size";
	if (t->affinity.len > AFFINITY_MAX)
		return "its affinity mask is too long";
	if (!signal_or_none(t->pdeath_signal))
		return "its parent death signal does not exist";
	if (!pending_fine(t->pending, t->n_pending))
		return "a pending signal does not exist";
	return NULL;
}

static const char *fds_fault(const struct cr_image *img,
			     const struct cr_process *p)
{
	int64_t before = -1;

	for (size_t i = 0; i < p->n_fds; i++) {
		if (p->fds[i].fd <= before)
			return "its descriptors are not ascending";
		if (p->fds[i].file >= img->n_files)
			return "a descriptor names an open file that is not "
			       "in the list";
		before = p->fds[i].fd;
	}
	return NULL;
}

/* Is "of" the process itself, or one before it that is its own? */
static bool sharing_fine(const struct cr_image *img, size_t self, uint32_t of,
			 uint32_t of_of)
{
	if (of == CR_NONE)
		return img->procs[self].kind != CR_PROC_NORMAL;
	if (of > self)
		return false;
	return of == self ||
	       (of_of == of && img->procs[of].kind == CR_PROC_NORMAL);
}

static const char *sharing_fault(const struct cr_image *img, size_t self)
{
	const struct cr_process *p = &img->procs[self], *all = img->procs;

#define OF(field) (p->field < img->n_procs ? all[p->field].field : CR_NONE)
	if (!sharing_fine(img, self, p->fds_of, OF(fds_of)))
		return "whose descriptors it shares makes no sense";
	if (!sharing_fine(img, self, p->fs_of, OF(fs_of)))
		return "whose directories it shares makes no sense";
	if (!sharing_fine(img, self, p->sighand_of, OF(sighand_of)))
		return "whose signal actions it shares makes no sense";
#undef OF
	if (p->fds_of != self && p->fds_of != CR_NONE && p->n_fds)
		return "it shares descriptors and has some of its own";
	if (p->sighand_of != CR_NONE && all[p->sighand_of].mm != p->mm)
		return "it shares signal actions, but not the memory";
	return NULL;
}

static const char *kind_fault(const struct cr_image *img, size_t self)
{
	const struct cr_process *p = &img->procs[self];

	if (p->kind < CR_PROC_NORMAL || p->kind > CR_PROC_RESPAWNED)
		return "its kind is unknown";
	if (p->mm == CR_NONE ? p->kind == CR_PROC_NORMAL : p->mm >= img->n_mms)
		return "its address space is not in the list";
	if (p->kind == CR_PROC_NORMAL && !p->n_threads)
		return "it has no thread";
	if (p->n_threads && p->threads[0].tid != p->pid)
		return "its first thread is not the leader";
	if (p->kind == CR_PROC_RESPAWNED && !(p->argv && p->argv[0]))
		return "it has no command to run anew";
	return sharing_fault(img, self);
}

static const char *process_fault(const struct cr_image *img, size_t self)
{
	const struct cr_process *p = &img->procs[self];
	const char *fault;

	if (p->pid <= 0 || p->ppid < 0 || p->pgid < 0 || p->sid < 0)
		return "one of its ids is negative";
	if (p->ppid == p->pid)
		return "it is its own parent";
	if (!signal_or_none(p->stop_signal) || !signal_or_none(p->exit_signal))
		return "its stop or exit signal does not exist";
	if (p->umask > 0777)
		return "its umask has unknown bits";
	if (p->n_groups > GROUPS_MAX)
		return "it has too many groups";
	fault = kind_fault(img, self);
	if (fault)
		return fault;
	if (p->kind != CR_PROC_ZOMBIE && !p->cwd &&
	    (p->fs_of == self || p->fs_of == CR_NONE))
		return "it has no working directory";
	if (!pending_fine(p->pending, p->n_pending))
		return "a pending signal does not exist";
	for (size_t i = 0; i < p->n_timers; i++)
		if (!signal_or_none(p->timers[i].signo))
			return "a timer's signal does not exist";
	return fds_fault(img, p);
}

struct id_place {
	int32_t id;
	size_t proc; /* index */
};

static int compare_ids(const void *a, const void *b)
{
	const struct id_place *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* All ids of tasks, sorted; a process without threads has its pid. */
static struct id_place *collect_ids(const struct cr_image *img, bool threads,
				    size_t *n)
{
	struct id_place *ids;
	size_t total = img->n_procs;

	for (size_t i = 0; threads && i < img->n_procs; i++)
		total += img->procs[i].n_threads;
	ids = calloc(total ? total : 1, sizeof(*ids));
	if (!ids)
		return NULL;
	*n = 0;
	for (size_t i = 0; i < img->n_procs; i++) {
		const struct cr_process *p = &img->procs[i];

		ids[(*n)++] = (struct id_place){ p->pid, i };
		for (size_t k = 1; threads && k < p->n_threads; k++)
			ids[(*n)++] = (struct id_place){ p->threads[k].tid, i };
	}
	qsort(ids, *n, sizeof(*ids), compare_ids);
	return ids;
}

static bool has_thread(const struct cr_image *img, uint32_t tid)
{
	for (size_t i = 0; i < img->n_procs; i++)
		for (size_t k = 0; k < img->procs[i].n_threads; k++)
			if ((uint32_t)img->procs[i].threads[k].tid == tid)
				return true;
	return false;
}

/* A main thread, with an exit status, and others besides it. */
static bool may_have_ended(const struct cr_image *img,
			   const struct cr_setting *s)
{
	for (size_t i = 0; i < img->n_procs; i++)
		if ((uint32_t)img->procs[i].pid == s->owner)
			return img->procs[i].n_threads > 1 &&
			       !(s->value & ~0xff00ULL);
	return false;
}

/* Threads refer to one of their process that has filters of its own. */
static bool filters_of(const struct cr_image *img, const struct cr_setting *s)
{
	bool owner = false, mine = false, listed = false;

	for (size_t i = 0; i < img->n_procs && !(owner && mine); i++) {
		const struct cr_process *p = &img->procs[i];

		owner = mine = false;
		for (size_t k = 0; k < p->n_threads; k++) {
			mine |= (uint32_t)p->threads[k].tid == s->owner;
			owner |= (uint64_t)p->threads[k].tid == s->value;
		}
	}
	for (size_t i = 0; i < img->n_settings && !listed; i++)
		listed = img->settings[i].kind == CR_SETTING_FILTER &&
			 img->settings[i].owner == s->value;
	return owner && mine && listed && s->value != s->owner;
}

static bool filter_fits(const struct cr_image *img, const struct cr_setting *s)
{
	switch (s->kind) {
	case CR_SETTING_FILTER:
		return s->value <= 1 && s->data.len && !(s->data.len % 8) &&
		       s->data.len <= CR_SETTING_FILTER_MAX;
	case CR_SETTING_FILTERS_OF:
		return filters_of(img, s);
	default:
		return true;
	}
}

/* A process, and a thread of its parent. */
static bool is_parent(const struct cr_image *img, const struct cr_setting *s)
{
	const struct cr_process *p = NULL;

	for (size_t i = 0; i < img->n_procs && !p; i++)
		if ((uint32_t)img->procs[i].pid == s->owner)
			p = &img->procs[i];
	for (size_t i = 0; p && i < img->n_procs; i++)
		for (size_t k = 1; img->procs[i].pid == p->ppid &&
				   k < img->procs[i].n_threads;
		     k++)
			if ((uint64_t)img->procs[i].threads[k].tid == s->value)
				return true;
	return false;
}

int cr_check_settings(const struct cr_image *img, struct cr_error *err)
{
	for (size_t i = 0; i < img->n_settings; i++) {
		const struct cr_setting *s = &img->settings[i];

		if (!s->kind || s->kind > CR_SETTING_PARENT_THREAD ||
		    (s->kind > CR_SETTING_THP &&
		     s->kind < CR_SETTING_TSC))
			return cr_error_set(err, -EINVAL,
					    "setting %zu is of kind %u, which "
					    "this program does not know",
					    i, s->kind);
		if (cr_setting_of_thread(s->kind) ? !has_thread(img, s->owner)
						  : s->owner >= img->n_mms)
			return cr_error_set(err, -EINVAL,
					    "setting %zu belongs to nobody", i);
		if (s->kind == CR_SETTING_GUARD &&
		    (s->value % 4096 || s->data.len != 8))
			return cr_error_set(err, -EINVAL,
					    "setting %zu is no range of memory",
					    i);
		if (s->kind == CR_SETTING_BIND &&
		    (s->value % 4096 || s->data.len < 24 || s->data.len % 8))
			return cr_error_set(err, -EINVAL,
					    "setting %zu is no memory policy",
					    i);
		if (s->kind == CR_SETTING_PKEYS && s->value & ~0xfffeULL)
			return cr_error_set(err, -EINVAL,
					    "setting %zu: there are no such "
					    "protection keys", i);
		if (s->kind == CR_SETTING_MAIN_ENDED &&
		    !may_have_ended(img, s))
			return cr_error_set(err, -EINVAL,
					    "setting %zu: no thread is left "
					    "of process %u", i, s->owner);
		if (s->kind == CR_SETTING_SCHED_TIMES && s->data.len != 24)
			return cr_error_set(err, -EINVAL,
					    "setting %zu is too short", i);
		if (s->kind == CR_SETTING_PARENT_THREAD && !is_parent(img, s))
			return cr_error_set(err, -EINVAL,
					    "setting %zu: the parent of "
					    "process %u has no such thread",
					    i, s->owner);
		if (!filter_fits(img, s))
			return cr_error_set(err, -EINVAL,
					    "setting %zu is no seccomp filter "
					    "of thread %u", i, s->owner);
		if (s->kind != CR_SETTING_FILTER &&
		    s->data.len > CR_SETTING_DATA_MAX)
			return cr_error_set(err, -EINVAL,
					    "setting %zu is too long", i);
	}
	return 0;
}

static int check_unique(const struct cr_image *img, struct cr_error *err)
{
	struct id_place *ids;
	size_t n;
	int rc = 0;

	ids = collect_ids(img, true, &n);
	if (!ids)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 1; i < n && !rc; i++)
		if (ids[i].id == ids[i - 1].id)
			rc = cr_error_set(err, -EINVAL,
					  "two tasks have the id %" PRId32,
					  ids[i].id);
	free(ids);
	return rc;
}

static int check_order(const struct cr_image *img, struct cr_error *err)
{
	struct id_place *ids;
	size_t n;
	int rc = 0;

	ids = collect_ids(img, false, &n);
	if (!ids)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < img->n_procs && !rc; i++) {
		struct id_place key = { img->procs[i].ppid, 0 }, *parent;

		parent = bsearch(&key, ids, n, sizeof(*ids), compare_ids);
		if (parent && parent->proc > i)
			rc = cr_error_set(err, -EINVAL,
					  "process %" PRId32
					  " comes before its parent %" PRId32,
					  img->procs[i].pid, key.id);
	}
	free(ids);
	return rc;
}

int cr_check_processes(const struct cr_image *img, struct cr_error *err)
{
	int rc;

	if (!img->n_procs)
		return cr_error_set(err, -EINVAL, "there is no process");
	for (size_t i = 0; i < img->n_procs; i++) {
		const struct cr_process *p = &img->procs[i];
		const char *fault = process_fault(img, i);

		if (fault)
			return cr_error_set(err, -EINVAL,
					    "process %zu (pid %" PRId32 "): %s",
					    i, p->pid, fault);
		for (size_t k = 0; k < p->n_threads; k++) {
			fault = thread_fault(p, &p->threads[k]);
			if (fault)
				return cr_error_set(
					err, -EINVAL,
					"process %zu (pid %" PRId32
					"), thread %zu (%" PRId32 "): %s",
					i, p->pid, k, p->threads[k].tid, fault);
		}
	}
	rc = check_unique(img, err);
	return rc ? rc : check_order(img, err);
}
