/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.c - the control block: what libcr tells the checkpointer outside */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/runtime.h"

#define MAX_REASONS 16

struct cr_control *cr_control;

static __thread struct cr_rollback *my_slot;

static struct {
	char text[sizeof(((struct cr_control *)0)->reason)];
	unsigned int count;
} reasons[MAX_REASONS];

int cr_control_create(void)
{
	struct cr_control *c;
	int fd, rc;

	if (cr_control)
		return 0;
	rc = cr_helper_watch_fork();
	if (rc)
		return rc;
	fd = memfd_create(CR_CONTROL_NAME, MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, CR_CONTROL_SIZE)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	c = mmap(NULL, CR_CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		 0);
	if (c == MAP_FAILED)
		rc = -errno;
	close(fd);
	if (rc)
		return rc;
	c->version = CR_CONTROL_VERSION;
	c->size = CR_CONTROL_SIZE;
	c->pid = getpid();
	/* the magic last: a reader outside takes it for complete then */
	atomic_signal_fence(memory_order_release);
	c->magic = CR_CONTROL_MAGIC;
	cr_control = c;
	return 0;
}

void cr_control_forked(void)
{
	struct cr_control *c = cr_control;
	pid_t tid = syscall(SYS_gettid);
	int i;

	if (!c)
		return;
	c->helper_tid = 0;
	/* only the thread that forked is here, and it is in our code */
	memset(c->omit_thread, 0, sizeof(c->omit_thread));
	c->n_omit_threads = 0;
	for (i = 0; i < CR_CONTROL_ROLLBACKS; i++) {
		c->rollback[i].active = 0;
		c->delivered[i] = 0;
		c->rollback[i].tid = &c->rollback[i] == my_slot ? tid : 0;
	}
	c->pid = getpid();
}

/* For everything that may be called without cr_init(). */
static int control_lock(sigset_t *saved)
{
	int rc;

	cr_registry_lock(saved);
	rc = cr_control_create();
	if (rc)
		cr_registry_unlock(saved);
	return rc;
}

int cr_omit_process(void)
{
	sigset_t saved;
	int rc = control_lock(&saved);

	if (rc)
		return rc;
	cr_control->omit_process = CR_CONTROL_OMIT;
	cr_registry_unlock(&saved);
	return 0;
}

int cr_omit_memory(const void *addr, size_t len)
{
	sigset_t saved;
	int i, rc;

	if ((uintptr_t)addr % 4096 || len % 4096 || !len)
		return -EINVAL;
	rc = control_lock(&saved);
	if (rc)
		return rc;
	for (i = 0; i < CR_CONTROL_OMIT_RANGES; i++)
		if (!cr_control->omit_range[i].len)
			break;
	if (i < CR_CONTROL_OMIT_RANGES) {
		cr_control->omit_range[i].start = (uintptr_t)addr;
		cr_control->omit_range[i].len = len;
		cr_control->n_omit_ranges++;
	} else {
		rc = -ENOSPC;
	}
	cr_registry_unlock(&saved);
	return rc;
}

int cr_keep_memory(const void *addr, size_t len)
{
	sigset_t saved;
	int i, rc;

	rc = control_lock(&saved);
	if (rc)
		return rc;
	for (i = 0; i < CR_CONTROL_OMIT_RANGES; i++)
		if (len && cr_control->omit_range[i].len == len &&
		    cr_control->omit_range[i].start == (uintptr_t)addr)
			break;
	if (i < CR_CONTROL_OMIT_RANGES) {
		cr_control->omit_range[i].len = 0;
		cr_control->n_omit_ranges--;
	} else {
		rc = -ENOENT;
	}
	cr_registry_unlock(&saved);
	return rc;
}

/* Replaces one entry of the list of omitted threads by another. */
static int swap_thread(pid_t from, pid_t to)
{
	sigset_t saved;
	int i, rc;

	rc = control_lock(&saved);
	if (rc)
		return rc;
	for (i = 0; i < CR_CONTROL_OMIT_THREADS; i++)
		if (cr_control->omit_thread[i] == from)
			break;
	if (i < CR_CONTROL_OMIT_THREADS) {
		cr_control->omit_thread[i] = to;
		cr_control->n_omit_threads += to ? 1 : -1;
	} else {
		rc = from ? -ENOENT : -ENOSPC;
	}
	cr_registry_unlock(&saved);
	return rc;
}

int cr_omit_thread(pid_t tid)
{
	return tid > 0 ? swap_thread(0, tid) : -EINVAL;
}

int cr_keep_thread(pid_t tid)
{
	return tid > 0 ? swap_thread(tid, 0) : -EINVAL;
}

int cr_omit_threads_by_fs(const void *start, size_t len)
{
	sigset_t saved;
	int rc = control_lock(&saved);

	if (rc)
		return rc;
	cr_control->omit_thread_fs_start = (uintptr_t)start;
	cr_control->omit_thread_fs_len = len;
	cr_registry_unlock(&saved);
	return 0;
}

static int omit_fd(int fd, bool omit)
{
	sigset_t saved;
	uint64_t bit;
	int rc;

	if (fd < 0 || fd >= CR_CONTROL_OMIT_FDS)
		return -EBADF;
	if (!cr_control) {
		if (!omit)
			return 0;
		rc = control_lock(&saved);
		if (rc)
			return rc;
		cr_registry_unlock(&saved);
	}
	bit = 1ULL << (fd % 64);
	if (omit)
		__atomic_fetch_or(&cr_control->omit_fd[fd / 64], bit,
				  __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&cr_control->omit_fd[fd / 64], ~bit,
				   __ATOMIC_SEQ_CST);
	return 0;
}

uint64_t *cr_omit_fd_words(size_t *words)
{
	sigset_t saved;
	int rc = control_lock(&saved);

	if (rc) {
		errno = -rc;
		return NULL;
	}
	cr_registry_unlock(&saved);
	if (words)
		*words = CR_CONTROL_OMIT_FDS / 64;
	return cr_control->omit_fd;
}

int cr_omit_fd(int fd)
{
	return omit_fd(fd, true);
}

int cr_keep_fd(int fd)
{
	return omit_fd(fd, false);
}

uint64_t *cr_rollback_delivered(struct cr_rollback *slot)
{
	return &cr_control->delivered[slot - cr_control->rollback];
}

int cr_delivery_code(const void *start, size_t len)
{
	sigset_t saved;
	int rc = control_lock(&saved);

	if (rc)
		return rc;
	cr_control->delivery_code = (uintptr_t)start;
	cr_control->delivery_code_len = len;
	cr_registry_unlock(&saved);
	return 0;
}

/* A free slot, or one whose thread ended without giving it back. */
static struct cr_rollback *free_slot(void)
{
	pid_t pid = getpid();
	int i;

	for (i = 0; i < CR_CONTROL_ROLLBACKS; i++)
		if (!cr_control->rollback[i].tid)
			return &cr_control->rollback[i];
	for (i = 0; i < CR_CONTROL_ROLLBACKS; i++)
		if (syscall(SYS_tgkill, pid, cr_control->rollback[i].tid, 0) &&
		    errno == ESRCH)
			return &cr_control->rollback[i];
	return NULL;
}

struct cr_rollback *cr_rollback_slot(void)
{
	sigset_t saved;
	int rc;

	if (my_slot)
		return my_slot;
	rc = control_lock(&saved);
	if (rc) {
		errno = -rc;
		return NULL;
	}
	my_slot = free_slot();
	if (my_slot) {
		my_slot->active = 0;
		*cr_rollback_delivered(my_slot) = 0;
		my_slot->tid = syscall(SYS_gettid);
	}
	cr_registry_unlock(&saved);
	if (!my_slot)
		errno = ENOSPC;
	return my_slot;
}

void cr_rollback_put(struct cr_rollback *slot)
{
	if (!slot)
		return;
	slot->active = 0;
	if (slot == my_slot)
		my_slot = NULL;
	__atomic_store_n(&slot->tid, 0, __ATOMIC_RELEASE);
}

/* Adds one to, or takes one from, the count of a reason. */
static int count_reason(const char *text, bool add)
{
	int i, same = -1, free = -1, first = -1;

	for (i = MAX_REASONS - 1; i >= 0; i--) {
		if (!reasons[i].count)
			free = i;
		else if (!strncmp(reasons[i].text, text,
				  sizeof(reasons[i].text) - 1))
			same = i;
	}
	if (same < 0 && !add)
		return -ENOENT;
	if (same < 0 && free < 0)
		return -ENOSPC;
	if (same < 0) {
		same = free;
		snprintf(reasons[same].text, sizeof(reasons[same].text), "%s",
			 text);
	}
	reasons[same].count += add ? 1 : -1;
	for (i = MAX_REASONS - 1; i >= 0; i--)
		if (reasons[i].count)
			first = i;
	memcpy(cr_control->reason, first < 0 ? "" : reasons[first].text,
	       first < 0 ? 1 : sizeof(cr_control->reason));
	cr_control->not_checkpointable += add ? 1 : -1;
	return 0;
}

int cr_not_checkpointable(const char *reason)
{
	sigset_t saved;
	int rc = control_lock(&saved);

	if (rc)
		return rc;
	rc = count_reason(reason, true);
	cr_registry_unlock(&saved);
	return rc;
}

int cr_checkpointable(const char *reason)
{
	sigset_t saved;
	int rc = control_lock(&saved);

	if (rc)
		return rc;
	rc = count_reason(reason, false);
	cr_registry_unlock(&saved);
	return rc;
}
