/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permit.c - may we look into a process, and by whose right?
 *
 * A capture traces the process, which takes the right to attach to it.  Where
 * Yama keeps that for its ancestors, a program with libcr names us for as long
 * as the request runs; but to ask it, its control block has to be read before,
 * which the kernel module does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/internal.h"

static int yama_scope(void)
{
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (f && fscanf(f, "%d", &scope) != 1)
		scope = 0;
	if (f)
		fclose(f);
	return scope;
}

static bool opens(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int read_by_module(void *arg, pid_t pid, uint64_t addr, void *buf,
			  size_t len)
{
	return cr_engine_read(arg, pid, addr, buf, len);
}

int cap_read_control(struct cr_capture *c, struct cap_proc *p,
		     struct cr_error *err)
{
	int ret;

	if (!p->control)
		p->control = malloc(sizeof(*p->control));
	if (!p->control)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (p->by_consent && !p->n_threads)
		ret = cr_control_read_by(p->tid, &p->control_addr, p->control,
					 read_by_module, &c->engine, err);
	else
		ret = cr_control_read(p->tid, &p->control_addr, p->control,
				      err);
	p->has_control = !ret;
	p->borrows_control = ret == -ECHILD;
	return ret == -ENOENT || ret == -ECHILD ? 0 : ret;
}

/* Will it let us trace it when it is asked? */
static bool consents(struct cr_capture *c, struct cap_proc *p)
{
	struct cr_control *control = malloc(sizeof(*control));
	bool yes;

	yes = control && cr_engine_has_pages(&c->engine) &&
	      !cr_control_read_by(p->tid, NULL, control, read_by_module,
				  &c->engine, NULL) &&
	      control->helper_tid;
	free(control);
	return yes;
}

/* May we do to it what a capture does?  What keeps us is reported. */
bool cap_permitted(struct cr_capture *c, struct cap_proc *p)
{
	int scope, why;

	p->by_consent = false;
	if (opens(p->tid, "mem"))
		return true;
	why = errno;
	if (why == ENOENT || why == ESRCH)
		return false; /* gone */
	/* Yama alone leaves it at looking. */
	scope = opens(p->tid, "maps") ? yama_scope() : 0;
	p->by_consent = scope == 1 && consents(c, p);
	if (p->by_consent)
		return true;
	p->forbidden = true;
	if (scope)
		cap_report(c,
			   "process %d: may not be traced: "
			   "kernel.yama.ptrace_scope is %d; %s",
			   p->vpid, scope,
			   scope > 1 ? "ask the administrator for 1, or for "
				       "this checkpoint"
				     : "it must be a descendant of yours, or "
				       "use libcr where the kernel module is "
				       "loaded");
	else
		cap_report(c,
			   "process %d: may not be looked into: %s; it must "
			   "belong to you, and must not run a set-user-id "
			   "program",
			   p->vpid, strerror(why));
	return false;
}
