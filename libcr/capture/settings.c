/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.c - what a program has agreed with the kernel for itself */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/membarrier.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/internal.h"
#include "capture/smaps.h"

#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66
#endif
#ifndef PR_GET_MEMORY_MERGE
#define PR_GET_MEMORY_MERGE 68
#endif
#define GET_REGISTRATIONS (1 << 9) /* membarrier(2), since Linux 6.3 */
#define CORE_FILTER_DEFAULT 0x33
#define PKEYS 16
#define POLICY_BITS 1024 /* more nodes than any kernel has */

int cap_add_setting(struct cr_capture *c, uint32_t kind, uint32_t owner,
		    uint64_t value, struct cr_error *err)
{
	struct cr_setting *s = cr_image_add_setting(c->img);

	if (!s)
		return cr_error_set(err, -ENOMEM, "out of memory");
	s->kind = kind;
	s->owner = owner;
	s->value = value;
	return 0;
}

/*
 * The registrations as the commands that make them.  An older kernel tells
 * only by the use: EPERM without one.
 */
static int read_membarrier(struct cr_task *t, uint64_t *bits,
			   struct cr_error *err)
{
	static const struct {
		int command, registration;
	} pairs[] = {
		{ MEMBARRIER_CMD_PRIVATE_EXPEDITED,
		  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED },
		{ MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
		  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE },
		{ MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
		  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ },
	};
	int64_t r;
	size_t i;
	int ret;

	ret = cr_remote_syscall(t, &r, SYS_membarrier, GET_REGISTRATIONS, 0, 0,
				0, 0, 0, err);
	*bits = r > 0 ? (uint64_t)r : 0;
	if (ret || r != -EINVAL)
		return ret;
	/* to be told of global ones costs a program nothing */
	*bits = MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
	for (i = 0; i < sizeof(pairs) / sizeof(*pairs) && !ret; i++) {
		ret = cr_remote_syscall(t, &r, SYS_membarrier,
					(uint64_t)pairs[i].command, 0, 0, 0, 0,
					0, err);
		if (!ret && r == 0)
			*bits |= (uint64_t)pairs[i].registration;
	}
	return ret;
}

/* Is the page there, though nobody has touched it? */
static bool is_present(pid_t pid, uint64_t at)
{
	uint64_t entry = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (pread(fd, &entry, sizeof(entry), (off_t)(at / 4096 * 8)) !=
	    sizeof(entry))
		entry = 0;
	close(fd);
	return entry >> 63;
}

/*
 * Whether memory to come is locked shows in memory that has just come: ours,
 * whose last page no call of ours has used.  "VmLck" is not 0 then.
 */
static uint64_t locks_future(const struct cap_proc *p)
{
	char *status = cr_procfs_read(p->tid, NULL, "status");
	const char *text = status ? cr_procfs_field(status, "VmLck") : NULL;
	bool locked = text && strtoull(text, NULL, 10);
	uint64_t flags = 0;
	struct cap_map *m;
	char *smaps;

	free(status);
	/* memory that is lent is not locked, see remote/scratch.c */
	if (!locked || p->scratch_lent)
		return 0;
	smaps = cr_procfs_read(p->tid, NULL, "smaps");
	m = malloc(sizeof(*m));
	text = smaps;
	while (smaps && m && !flags && cap_map_next(&text, m))
		if (p->scratch >= m->start && p->scratch < m->end &&
		    m->vm_flags & CR_VM_LOCKED)
			flags = MCL_FUTURE;
	if (flags && !is_present(p->tid, p->scratch + CAP_SCRATCH_SIZE - 4096))
		flags |= MCL_ONFAULT;
	free(m);
	free(smaps);
	return flags;
}

/* Does this machine have protection keys, and does the kernel use them? */
static bool has_pkeys(void)
{
	unsigned int eax, ebx, ecx = 0, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
	       ecx & bit_OSPKE;
}

/*
 * The protection keys that it has allocated are those that memory may be
 * given: ours, its last page, which no call uses meanwhile.  Its own key is
 * one of the kernel's for memory that may be executed only, and not told.
 */
static int read_pkeys(struct cap_proc *p, struct cr_error *err)
{
	/* the program's own stays as it is: where no memory can be, -ENOMEM */
	const uint64_t page = p->scratch_lent ?
		1ULL << 62 : p->scratch + CAP_SCRATCH_SIZE - 4096;
	struct cr_remote_call call[PKEYS];
	uint64_t key;
	int ret;

	p->pkeys = 0;
	if (!has_pkeys())
		return 0;
	/* 0, which all memory has at first, comes last */
	for (key = 1; key <= PKEYS; key++)
		call[key - 1] = (struct cr_remote_call){
			.nr = SYS_pkey_mprotect,
			.arg = { page, 4096, PROT_READ | PROT_WRITE,
				 key % PKEYS },
		};
	ret = cr_remote_batch(&p->threads[0]->task, call, PKEYS, err);
	for (key = 1; key < PKEYS && !ret; key++) {
		if (!call[key - 1].ret ||
		    (p->scratch_lent && call[key - 1].ret == -ENOMEM))
			p->pkeys |= 1u << key;
		else if (call[key - 1].ret != -EINVAL) /* it is not allocated */
			ret = cr_error_set(err, (int)call[key - 1].ret,
					   "process %d: protection keys: %s",
					   p->vpid,
					   strerror((int)-call[key - 1].ret));
	}
	return ret;
}

struct guards {
	struct cr_capture *c;
	uint32_t mm;
};

static int add_guard(void *arg, uint64_t start, uint64_t len,
		     struct cr_error *err)
{
	struct guards *g = arg;
	int ret = cap_add_setting(g->c, CR_SETTING_GUARD, g->mm, start, err);

	if (!ret &&
	    cr_blob_set(&g->c->img->settings[g->c->img->n_settings - 1].data,
			&len, sizeof(len)))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	return ret;
}

/* Of an address space; p->mm_of == p. */
int cap_read_mm_settings(struct cr_capture *c, struct cap_proc *p,
			 struct cr_error *err)
{
	struct cr_task *t = &p->threads[0]->task;
	struct cr_remote_call call[4] = {
		{ .nr = SYS_prctl, .arg = { PR_GET_MDWE } },
		{ .nr = SYS_prctl, .arg = { PR_GET_MEMORY_MERGE } },
		{ .nr = SYS_modify_ldt, .arg = { 0, p->scratch, 8 } },
		{ .nr = SYS_prctl, .arg = { PR_GET_THP_DISABLE } },
	};
	uint32_t mm = cap_model(c, p)->mm;
	char *text = cr_procfs_read(p->tid, NULL, "coredump_filter");
	uint64_t filter = text ? strtoull(text, NULL, 16) : CORE_FILTER_DEFAULT;
	uint64_t barriers = 0, lock;
	int ret;

	free(text);
	ret = read_membarrier(t, &barriers, err);
	if (!ret && barriers)
		ret = cap_add_setting(c, CR_SETTING_MEMBARRIER, mm, barriers,
				      err);
	if (!ret && filter != CORE_FILTER_DEFAULT)
		ret = cap_add_setting(c, CR_SETTING_CORE_FILTER, mm, filter,
				      err);
	if (!ret)
		ret = cr_remote_batch(t, call, 4, err);
	if (!ret && call[2].ret > 0)
		ret = cr_error_set(err, -ENOTSUP,
				   "process %d: has segments of its own "
				   "(modify_ldt(2)), which cannot be saved; use "
				   "a program without 16- and 32-bit code",
				   p->vpid);
	if (!ret && call[0].ret > 0)
		ret = cap_add_setting(c, CR_SETTING_MDWE, mm,
				      (uint64_t)call[0].ret, err);
	if (!ret && call[1].ret > 0)
		ret = cap_add_setting(c, CR_SETTING_MEMORY_MERGE, mm, 1, err);
	/* 1, and the flags from Linux 6.18 on */
	if (!ret && call[3].ret > 1)
		ret = cap_add_setting(c, CR_SETTING_THP, mm,
				      (uint64_t)call[3].ret & ~1ULL, err);
	if (!ret)
		ret = cap_read_policies(c, p, err);
	if (!ret)
		ret = read_pkeys(p, err);
	if (!ret && p->pkeys)
		ret = cap_add_setting(c, CR_SETTING_PKEYS, mm, p->pkeys, err);
	lock = ret ? 0 : locks_future(p);
	if (lock)
		ret = cap_add_setting(c, CR_SETTING_LOCK_FUTURE, mm, lock, err);
	if (!ret)
		ret = cap_guards(p->tid, add_guard, &(struct guards){ c, mm },
				 err);
	return ret;
}

/*
 * The times of deadline scheduling, or a time slice of its own, which shows in
 * not being ours: no policy but these has a runtime.
 */
static int read_sched_times(struct cr_capture *c, struct cap_thread *t,
			    struct cr_error *err)
{
	struct sched_attr a = { 0 }, own = { 0 };
	struct cr_blob *data;

	if (syscall(SYS_sched_getattr, t->task.tid, &a, sizeof(a), 0) ||
	    syscall(SYS_sched_getattr, 0, &own, sizeof(own), 0))
		return cr_error_set(err, -errno, "thread %d: scheduling: %s",
				    t->vtid, strerror(errno));
	if (!a.sched_runtime || (a.sched_policy != SCHED_DEADLINE &&
				 a.sched_runtime == own.sched_runtime))
		return 0;
	if (cap_add_setting(c, CR_SETTING_SCHED_TIMES, (uint32_t)t->vtid,
			    a.sched_runtime, err))
		return err->code;
	data = &c->img->settings[c->img->n_settings - 1].data;
	if (cr_blob_set(data,
			(uint64_t[3]){ a.sched_deadline, a.sched_period,
				       a.sched_flags },
			24))
		return cr_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int refuse_keys(const struct cap_thread *t, const char *whose,
		       struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "thread %d: keeps keys in a keyring of its %s "
			    "(keyrings(7)), which cannot be saved; have the "
			    "program use that of its session or user",
			    t->vtid, whose);
}

/* Of a thread that is saved; after its scratch memory is there. */
int cap_read_thread_settings(struct cr_capture *c, struct cap_thread *t,
			     struct cr_error *err)
{
	struct {
		uint8_t nodes[POLICY_BITS / 8];
		int32_t mode, tsc;
	} out;
	struct cr_task *k = &t->task;
	const uint64_t at = k->scratch;
	struct cr_remote_call call[5] = {
		{ SYS_get_mempolicy,
		  { at + offsetof(typeof(out), mode), at, POLICY_BITS + 1 },
		  0 },
		{ SYS_prctl,
		  { PR_GET_TSC, at + offsetof(typeof(out), tsc) },
		  0 },
		{ SYS_prctl, { PR_MCE_KILL_GET }, 0 },
		{ SYS_keyctl,
		  { KEYCTL_GET_KEYRING_ID, (uint64_t)KEY_SPEC_THREAD_KEYRING },
		  0 },
		{ SYS_keyctl,
		  { KEYCTL_GET_KEYRING_ID, (uint64_t)KEY_SPEC_PROCESS_KEYRING },
		  0 },
	};
	uint32_t tid = (uint32_t)t->vtid;
	int ret;

	ret = cr_remote_batch(k, call, 5, err);
	if (!ret)
		ret = cr_remote_read(k->tid, at, &out, sizeof(out), err);
	if (!ret && !call[0].ret && out.mode)
		ret = cap_add_setting(c, CR_SETTING_MEMORY_POLICY, tid,
				      (uint32_t)out.mode, err);
	if (!ret && !call[0].ret && out.mode &&
	    cr_blob_set(&c->img->settings[c->img->n_settings - 1].data,
			out.nodes, sizeof(out.nodes)))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	if (!ret && !call[1].ret && out.tsc != PR_TSC_ENABLE)
		ret = cap_add_setting(c, CR_SETTING_TSC, tid, (uint32_t)out.tsc,
				      err);
	if (!ret && call[2].ret >= 0 && call[2].ret != PR_MCE_KILL_DEFAULT)
		ret = cap_add_setting(c, CR_SETTING_MCE_KILL, tid,
				      (uint64_t)call[2].ret, err);
	if (!ret && call[3].ret > 0)
		ret = refuse_keys(t, "own", err);
	if (!ret && call[4].ret > 0)
		ret = refuse_keys(t, "process", err);
	return ret ? ret : read_sched_times(c, t, err);
}
