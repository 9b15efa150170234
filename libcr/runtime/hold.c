/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.c - threads that wait until the callbacks of all are done
 *
 * A thread that is held takes part in the round like one with signal-context
 * callbacks, in the handler of the same signal.  Threads that never called
 * cr_init() ("strangers") are found in /proc for each round.  While any of
 * them sits in the handler nothing here may allocate memory: it may hold the
 * lock of malloc().
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/runtime.h"

#define MAX_STRANGERS 8192

struct stranger {
	_Atomic int tid;
	_Atomic uint32_t party;
};

static int of_init, of_uninit; /* CR_HOLD_*; guarded by the registry */

/* Made once, never freed: a signal that comes late may still look. */
static struct stranger *strangers;
static _Atomic unsigned int n_strangers;

static int fail(int error)
{
	errno = error;
	return -1;
}

static bool may_hold_strangers(void)
{
	return !cr_control || !cr_control->omit_thread_fs_len;
}

static int *setting_of(int scope)
{
	switch (scope) {
	case CR_HOLD_SCOPE_THREAD:
		return &cr_self->hold;
	case CR_HOLD_SCOPE_INIT:
		return &of_init;
	default:
		return &of_uninit;
	}
}

static int make_room(void)
{
	void *p;

	if (strangers)
		return 0;
	p = mmap(NULL, MAX_STRANGERS * sizeof(*strangers),
		 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	strangers = p;
	return 0;
}

/* Registry locked. */
static int change(int scope, int flags, sigset_t *mask)
{
	int rc = 0;

	if (flags == CR_HOLD_DFLT && scope != CR_HOLD_SCOPE_THREAD)
		flags = CR_HOLD_NONE;
	if (flags != CR_HOLD_NONE) {
		rc = cr_signal_handler_install();
		sigdelset(mask, CR_SIGNUM);
	}
	if (!rc && scope == CR_HOLD_SCOPE_UNINIT && flags != CR_HOLD_NONE)
		rc = make_room();
	if (!rc)
		*setting_of(scope) = flags;
	return rc;
}

int cr_hold_ctrl(int scope, int flags)
{
	sigset_t saved;
	int rc = 0, before;

	if (cr_frame)
		return fail(EBUSY);
	if (!cr_self)
		return fail(CR_ENOINIT);
	if (scope < CR_HOLD_SCOPE_THREAD || scope > CR_HOLD_SCOPE_UNINIT ||
	    (flags & ~CR_HOLD_BOTH && flags != CR_HOLD_READ &&
	     flags != CR_HOLD_DFLT))
		return fail(EINVAL);
	if (scope == CR_HOLD_SCOPE_UNINIT && flags & CR_HOLD_BOTH &&
	    !may_hold_strangers())
		return fail(CR_ENOSUPPORT);
	cr_registry_lock(&saved);
	before = *setting_of(scope);
	if (flags != CR_HOLD_READ)
		rc = change(scope, flags, &saved);
	cr_registry_unlock(&saved);
	return rc ? fail(-rc) : before;
}

int cr_hold_of(const struct cr_client *c)
{
	return c->hold == CR_HOLD_DFLT ? of_init : c->hold;
}

bool cr_hold_any(void)
{
	return of_uninit != CR_HOLD_NONE;
}

static bool applies(int hold, int outcome)
{
	return outcome >= 0 &&
	       hold & (outcome > 0 ? CR_HOLD_RSTRT : CR_HOLD_CONT);
}

bool cr_hold_now(int outcome)
{
	return applies(cr_self ? cr_hold_of(cr_self) : of_uninit, outcome);
}

static struct stranger *find(pid_t tid)
{
	unsigned int i;

	for (i = 0; i < n_strangers; i++)
		if (strangers[i].tid == tid)
			return &strangers[i];
	return NULL;
}

_Atomic uint32_t *cr_hold_party(void)
{
	struct stranger *s = find((pid_t)syscall(SYS_gettid));

	return s ? &s->party : NULL;
}

/* Known to libcr, or not to be touched. */
static bool is_own(pid_t tid)
{
	const struct cr_client *c;
	int i;

	if (tid == cr_control->helper_tid)
		return true;
	for (i = 0; i < CR_CONTROL_OMIT_THREADS; i++)
		if (cr_control->omit_thread[i] == tid)
			return true;
	for (c = cr_clients; c; c = c->next)
		if (c->tid == tid)
			return true;
	return false;
}

/* It would never come; without stdio, which allocates. */
static bool blocks_signal(pid_t tid)
{
	char path[64], text[4096], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true; /* gone */
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strstr(text, "SigBlk:\t");
	return !p || strtoull(p + 8, NULL, 16) >> (CR_SIGNUM - 1) & 1;
}

static void invite(pid_t tid)
{
	struct stranger *s = &strangers[n_strangers];

	if (n_strangers == MAX_STRANGERS)
		return;
	s->party = CR_PARTY_SENT;
	s->tid = tid;
	atomic_fetch_add(&n_strangers, 1);
	if (cr_signal_thread(tid))
		s->party = CR_PARTY_NONE;
}

/* True if there were threads that have not been asked before. */
static bool invite_new(int task)
{
	char buf[4096];
	struct dirent64 *d;
	bool new = false;
	long n, at;
	pid_t tid;

	lseek(task, 0, SEEK_SET);
	while ((n = syscall(SYS_getdents64, task, buf, sizeof(buf))) > 0)
		for (at = 0; at < n; at += d->d_reclen) {
			d = (struct dirent64 *)(buf + at);
			tid = atoi(d->d_name);
			if (tid <= 0 || is_own(tid) || find(tid) ||
			    blocks_signal(tid))
				continue;
			invite(tid);
			new = true;
		}
	return new;
}

bool cr_hold_invite(void)
{
	bool new = false;
	sigset_t saved;
	int task;

	if (of_uninit == CR_HOLD_NONE || !may_hold_strangers())
		return false;
	task = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (task < 0)
		return false;
	cr_registry_lock(&saved);
	new = invite_new(task);
	cr_registry_unlock(&saved);
	close(task);
	return new;
}

void cr_hold_reset(void)
{
	n_strangers = 0;
}

bool cr_hold_busy(enum cr_party last, bool give_up)
{
	unsigned int i;
	bool busy = false;

	for (i = 0; i < n_strangers; i++)
		busy |= cr_party_busy(&strangers[i].party, strangers[i].tid,
				      last, give_up);
	return busy;
}

void cr_hold_forked(void)
{
	n_strangers = 0;
}
