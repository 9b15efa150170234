/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settings.c - what a program had agreed with the kernel for itself
 *
 * What this kernel does not know it cannot promise: refused where the
 * program relies on it, left out where it is only about speed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "restore/build.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif
#define SYS_MSEAL 462 /* since Linux 6.10 */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* The commands of membarrier(2), one by one. */
static int register_barriers(struct cr_task *t, uint64_t bits,
			     struct cr_error *err)
{
	int64_t ret = 0;

	for (int i = 0; i < 32 && ret >= 0; i++)
		if (bits >> i & 1)
			ret = cr_stub_call(
				t, "registering for memory barriers",
				SYS_membarrier, (uint64_t[6]){ 1ULL << i },
				err);
	return ret < 0 ? (int)ret : 0;
}

static int set_core_filter(pid_t pid, uint64_t value, struct cr_error *err)
{
	char path[64];
	int fd, n;

	snprintf(path, sizeof(path), "/proc/%d/coredump_filter", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : dprintf(fd, "0x%llx", (unsigned long long)value);
	if (n < 0)
		n = cr_error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return n < 0 ? n : 0;
}

static int set_memory_policy(struct cr_restore_context *ctx, struct cr_task *t,
			     const struct cr_setting *s, struct cr_error *err)
{
	uint64_t at = cr_stub_put(ctx, t, 0, s->data.data, s->data.len, err);
	int64_t ret;

	if (!at)
		return err->code;
	/* its nodes need not be here: about speed only */
	return cr_stub_try(t, &ret, SYS_set_mempolicy,
			   (uint64_t[6]){ s->value, at, s->data.len * 8 + 1 },
			   err);
}

/*
 * The policy is the thread's already, but for that of deadlines, which is
 * nothing without them.
 */
static int set_sched_times(struct cr_task *t, const struct cr_setting *s,
			   struct cr_error *err)
{
	struct sched_attr a = { 0 };
	uint64_t times[3];

	if (syscall(SYS_sched_getattr, t->tid, &a, sizeof(a), 0))
		goto failed;
	memcpy(times, s->data.data, sizeof(times));
	if (times[0])
		a.sched_policy = SCHED_DEADLINE;
	a.size = sizeof(a);
	a.sched_runtime = s->value;
	a.sched_deadline = times[0];
	a.sched_period = times[1];
	a.sched_flags = times[2];
	/* a time slice is about speed only */
	if (!syscall(SYS_sched_setattr, t->tid, &a, 0) || !times[0])
		return 0;
failed:
	return cr_error_set(err, -errno,
			    "thread %u: %" PRIu64 " ns of processor within "
			    "each deadline (SCHED_DEADLINE): %s; this needs "
			    "CAP_SYS_NICE, and processors that are not "
			    "promised to others",
			    s->owner, s->value, strerror(errno));
}

/* Of memory that was left out there are none. */
static int install_guards(struct cr_restore_context *ctx, struct cr_task *t,
			  const struct cr_setting *s, struct cr_error *err)
{
	const struct cr_mm *m = &ctx->img->mms[s->owner];
	uint64_t from, to, len;
	int64_t ret = 0;

	memcpy(&len, s->data.data, sizeof(len));
	for (size_t i = 0; i < m->n_areas && ret >= 0; i++) {
		from = m->areas[i].start > s->value ? m->areas[i].start
						    : s->value;
		to = m->areas[i].end < s->value + len ? m->areas[i].end
						      : s->value + len;
		if (from < to)
			ret = cr_stub_call(
				t,
				"guards of memory (MADV_GUARD_INSTALL, Linux "
				"6.13)",
				SYS_madvise,
				(uint64_t[6]){ from, to - from,
					       MADV_GUARD_INSTALL },
				err);
	}
	return ret < 0 ? (int)ret : 0;
}

/*
 * Memory that may not be changed any more.  An older kernel cannot promise it,
 * which is about safety only.
 */
static int seal_memory(struct cr_restore_context *ctx, struct cr_task *t,
		       uint32_t mm, struct cr_error *err)
{
	const struct cr_mm *m = &ctx->img->mms[mm];
	int64_t ret;
	int r = 0;

	for (size_t i = 0; i < m->n_areas && !r; i++)
		if (m->areas[i].vm_flags & CR_VM_SEALED)
			r = cr_stub_try(t, &ret, SYS_MSEAL,
					(uint64_t[6]){ m->areas[i].start,
						       m->areas[i].end -
						       m->areas[i].start },
					err);
	return r;
}

static int set(struct cr_restore_context *ctx, struct cr_task *t,
	       const struct cr_setting *s, struct cr_error *err)
{
	int64_t ret = 0;

	switch (s->kind) {
	case CR_SETTING_MEMBARRIER:
		return register_barriers(t, s->value, err);
	case CR_SETTING_CORE_FILTER:
		return set_core_filter(t->tgid, s->value, err);
	case CR_SETTING_MDWE:
		ret = cr_stub_call(t, "refusing executable memory", SYS_prctl,
				   (uint64_t[6]){ PR_SET_MDWE, s->value }, err);
		break;
	case CR_SETTING_MEMORY_MERGE: /* about memory only */
		return cr_stub_try(t, &ret, SYS_prctl,
				   (uint64_t[6]){ PR_SET_MEMORY_MERGE, 1 },
				   err);
	case CR_SETTING_LOCK_FUTURE:
		ret = cr_stub_call(t, "locking memory to come", SYS_mlockall,
				   (uint64_t[6]){ s->value }, err);
		break;
	case CR_SETTING_GUARD:
		return install_guards(ctx, t, s, err);
	case CR_SETTING_TSC:
		ret = cr_stub_call(t, "time stamp counter", SYS_prctl,
				   (uint64_t[6]){ PR_SET_TSC, s->value }, err);
		break;
	case CR_SETTING_MCE_KILL:
		ret = cr_stub_call(
			t, "signal at a memory failure", SYS_prctl,
			(uint64_t[6]){ PR_MCE_KILL, PR_MCE_KILL_SET, s->value },
			err);
		break;
	case CR_SETTING_MEMORY_POLICY:
		return set_memory_policy(ctx, t, s, err);
	case CR_SETTING_SCHED_TIMES:
		return set_sched_times(t, s, err);
	}
	return ret < 0 ? (int)ret : 0;
}

/* In the process that is finished last of those with this memory. */
int cr_settings_restore(struct cr_restore_context *ctx, struct cr_stub *s,
			bool of_memory, struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; i < ctx->img->n_settings && !ret; i++) {
		const struct cr_setting *x = &ctx->img->settings[i];

		if (x->kind == CR_SETTING_MAIN_ENDED ||
		    x->kind == CR_SETTING_PARENT_THREAD || cr_is_filter(x))
			continue; /* done, or seccomp.c */
		if (!cr_setting_of_thread(x->kind)) {
			if (of_memory && x->owner == s->p->mm)
				ret = set(ctx, cr_stub_task(s), x, err);
			continue;
		}
		for (size_t k = 0; k < s->p->n_threads && !ret; k++)
			if ((uint32_t)s->p->threads[k].tid == x->owner)
				ret = set(ctx, &s->tasks[k], x, err);
	}
	if (!ret && of_memory)
		ret = seal_memory(ctx, cr_stub_task(s), s->p->mm, err);
	return ret;
}
