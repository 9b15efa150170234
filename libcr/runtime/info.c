/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* info.c - what callbacks may ask; what a restart handed over; locks */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/runtime.h"

int cr_link_me;

static struct cr_checkpoint_info checkpoint_info;
static struct cr_restart_info restart_info;
/*
 * Strings in one block behind the vector.  Mapped: threads that are held in a
 * signal handler may have the lock of malloc().
 */
static char **environment;
static size_t environment_size;

const struct cr_checkpoint_info *cr_get_checkpoint_info(void)
{
	const struct cr_message *m;

	if (!cr_frame || cr_frame->called)
		return NULL;
	/* every callback of a request writes the same */
	m = cr_answer_request(&checkpoint_info.requester);
	checkpoint_info.signal = m->signal;
	checkpoint_info.dest = m->text[0] ? m->text : NULL;
	checkpoint_info.target = m->target;
	checkpoint_info.scope = m->scope;
	return &checkpoint_info;
}

/* What 0 stands for: the process, its group, its session. */
static pid_t own_id(cr_scope_t scope)
{
	if (scope == CR_SCOPE_PGRP)
		return getpgrp();
	return scope == CR_SCOPE_SESS ? getsid(0) : getpid();
}

int cr_forward_checkpoint(cr_scope_t scope, pid_t target)
{
	int rc;

	if (!cr_frame || cr_frame->called)
		rc = -CR_ENOTCB;
	else if ((unsigned int)scope > CR_SCOPE_TREE || target < 0)
		rc = -EINVAL;
	else
		rc = cr_answer_forward(scope, target ? target : own_id(scope));
	if (!rc)
		return 0;
	errno = -rc;
	return -1;
}

const struct cr_restart_info *cr_get_restart_info(void)
{
	if (!cr_frame || !cr_frame->called || cr_frame->result <= 0)
		return NULL;
	restart_info.requester = cr_control->restart_requester;
	restart_info.src =
		cr_control->restart_src[0] ? cr_control->restart_src : NULL;
	return &restart_info;
}

uint64_t cr_restarts(void)
{
	return cr_control ? __atomic_load_n(&cr_control->restarts,
					    __ATOMIC_ACQUIRE)
			  : 0;
}

/* Copies "A=1\0B=2\0" to a vector in one mapping. */
static char **vector_of(const char *block, size_t len, size_t *size)
{
	size_t n = 0, i, used = 0;
	char **v, *copy;

	for (i = 0; i < len; i++)
		n += !block[i];
	*size = (n + 1) * sizeof(*v) + len;
	v = mmap(NULL, *size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (v == MAP_FAILED)
		return NULL;
	copy = (char *)(v + n + 1);
	memcpy(copy, block, len);
	for (i = 0; i < n; i++) {
		v[i] = copy + used;
		used += strlen(v[i]) + 1;
	}
	v[n] = NULL;
	return v;
}

/* Takes over what restore left in the process; registry locked. */
static void take_environment(void)
{
	struct cr_control *c = cr_control;
	void *block;

	if (!c || !c->restart_env)
		return;
	block = (void *)(uintptr_t)c->restart_env;
	if (environment)
		munmap(environment, environment_size);
	environment = vector_of(block, c->restart_env_len, &environment_size);
	munmap(block, c->restart_env_len ? c->restart_env_len : 1);
	c->restart_env = c->restart_env_len = 0;
}

void cr_info_restarted(void)
{
	sigset_t saved;

	cr_registry_lock(&saved);
	take_environment();
	cr_registry_unlock(&saved);
}

char **cr_restart_environment(void)
{
	cr_info_restarted();
	return environment;
}

void cr_spinlock_init(cr_spinlock_t *lock)
{
	__atomic_store_n(&lock->owner, 0, __ATOMIC_RELEASE);
}

int cr_spinlock_trylock(cr_spinlock_t *lock)
{
	unsigned int none = 0;

	return __atomic_compare_exchange_n(&lock->owner, &none, 1, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void cr_spinlock_lock(cr_spinlock_t *lock)
{
	while (!cr_spinlock_trylock(lock))
		sched_yield();
}

void cr_spinlock_unlock(cr_spinlock_t *lock)
{
	__atomic_store_n(&lock->owner, 0, __ATOMIC_RELEASE);
}
