/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.c - what stands in the way, found out before anything is stopped
 *
 * Each obstacle is one line: process, object, why, what to do.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/internal.h"
#include "capture/smaps.h"
#include "common/getfd.h"

static void report(struct cr_capture *c, int kind, const char *fmt, va_list ap)
{
	char line[CR_ERROR_MAX];

	vsnprintf(line, sizeof(line), fmt, ap);
	c->n_obstacles++;
	c->obstacle = kind;
	if (c->report)
		c->report(line, c->report_arg);
}

void cap_report(struct cr_capture *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(c, -CR_ENOSUPPORT, fmt, ap);
	va_end(ap);
}

void cap_report_kind(struct cr_capture *c, int kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(c, kind, fmt, ap);
	va_end(ap);
}

int cr_capture_obstacle(const struct cr_capture *c)
{
	return c->obstacle;
}

static void check_memory(struct cr_capture *c, struct cap_proc *p)
{
	char *smaps = cr_procfs_read(p->tid, NULL, "smaps");
	const char *text = smaps;
	struct cap_map *m = malloc(sizeof(*m));
	struct cr_error why;

	p->special = p->huge = false;
	while (smaps && m && cap_map_next(&text, m)) {
		if (m->huge)
			p->special = p->huge = true;
		if (cap_is_cut(p, m->start, m->end))
			continue;
		cr_error_clear(&why);
		if (!cap_area_kind(c, p->tid, m, &why))
			cap_report(c, "process %d: %s", p->vpid, why.text);
		if (m->vm_flags &
		    (CR_VM_DONTFORK | CR_VM_WIPEONFORK | CR_VM_LOCKED))
			p->special = true;
	}
	p->checked = smaps && m;
	free(m);
	free(smaps);
}

static const char removed[] = " (deleted)";

/* Does the target of a link in /proc say so? */
static bool is_removed(const char *target)
{
	size_t n = strlen(target), k = strlen(removed);

	return n > k && !strcmp(target + n - k, removed);
}

/*
 * Only 64-bit programs, and such that are still there: /proc/PID/exe could not
 * be made to show a file without a name.  An executable that cannot be read
 * has its reason.
 */
static void check_executable(struct cr_capture *c, struct cap_proc *p)
{
	char *exe = cr_procfs_link(p->tid, "exe");
	unsigned char ident[EI_NIDENT];
	char path[64];
	int fd;

	if (exe && is_removed(exe) && !(c->opt.flags & CR_CHKPT_DUMP_EXEC))
		cap_report(c,
			   "process %d: its executable %.*s was removed or "
			   "replaced while it runs, and its content is not "
			   "saved; use --save-exe, or install new versions "
			   "under another name",
			   p->vpid, (int)(strlen(exe) - strlen(removed)), exe);
	free(exe);
	snprintf(path, sizeof(path), "/proc/%d/exe", p->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* not ours, or not readable: told elsewhere */
	if (read(fd, ident, sizeof(ident)) == sizeof(ident) &&
	    ident[EI_CLASS] != ELFCLASS64)
		cap_report(c,
			   "process %d: is a 32-bit program, which cannot "
			   "be saved; use a 64-bit build",
			   p->vpid);
	close(fd);
}

static void check_directories(struct cr_capture *c, struct cap_proc *p)
{
	const char *const names[] = { "cwd", "root" };
	char *path;
	size_t i;

	for (i = 0; i < 2; i++) {
		path = cr_procfs_link(p->tid, "%s", names[i]);
		if (path && is_removed(path))
			cap_report(c,
				   "process %d: its %s directory (%s) was "
				   "removed; change to another one before the "
				   "checkpoint",
				   p->vpid, i ? "root" : "current", path);
		free(path);
	}
}

/* False: it is left out. */
static bool check_status(struct cr_capture *c, struct cap_proc *p)
{
	char *status = cr_procfs_read(p->tid, NULL, "status");

	if (!status)
		return true;
	if (cap_check_traced(c, p, status)) {
		free(status);
		return false;
	}
	cap_check_filters(c, p, status);
	free(status);
	return true;
}

bool cap_wants_out(struct cr_capture *c, const struct cap_proc *p)
{
	const struct cap_proc *parent;

	if (!p->has_control || p->control->omit_process != CR_CONTROL_OMIT_ROOT)
		return p->has_control && p->control->omit_process;
	if (c->opt.scope != CR_SCOPE_TREE)
		return false;
	parent = cap_scope_find(c, p->ppid);
	return p->pid == c->opt.target ||
	       (parent && parent->omitted && parent->has_control &&
		parent->control->omit_process == CR_CONTROL_OMIT_ROOT);
}

static void check_process(struct cr_capture *c, struct cap_proc *p)
{
	struct cr_error why = { 0 };

	if (p->launcher || p->omitted || p->zombie)
		return;
	if (!cap_permitted(c, p) || !check_status(c, p))
		return;
	if (cap_main_ended(p) && !cr_getfd_of_threads())
		cap_report(c,
			   "process %d: its main thread has ended while "
			   "others run, and this kernel gives nobody its "
			   "descriptors; use Linux 6.9 or newer, or have the "
			   "main thread wait for the others",
			   p->vpid);
	if (cap_read_control(c, p, &why))
		cap_report(c, "process %d: %s", p->vpid, why.text);
	if (cap_wants_out(c, p)) {
		p->omitted = true;
		return;
	}
	if (p->has_control && p->control->not_checkpointable)
		cap_report(c, "process %d: %.*s", p->vpid,
			   (int)sizeof(p->control->reason), p->control->reason);
	check_executable(c, p);
	check_directories(c, p);
	cap_check_namespaces(c, p);
	check_memory(c, p);
	cap_check_threads(c, p);
}

/* What was named may have nobody to stand for it. */
static void check_root(struct cr_capture *c)
{
	struct cr_error why = { 0 };

	if (cap_check_root(c, &why) == -CR_EOMITTED)
		cap_report_kind(c, why.code, "%s", why.text);
}

int cap_look(struct cr_capture *c, void (*report)(const char *line, void *arg),
	     void *arg, struct cr_error *err)
{
	size_t i, added;
	int ret;

	c->report = report;
	c->report_arg = arg;
	c->n_obstacles = 0;
	ret = cap_scope_scan(c, &added, err);
	if (!ret)
		cap_check_tracers(c);
	for (i = 0; i < c->n_procs && !ret; i++)
		check_process(c, c->procs[i]);
	if (!ret)
		check_root(c);
	if (!ret)
		ret = cap_check_files(c, err);
	if (!ret)
		cap_check_sysv(c);
	c->report = NULL;
	return ret ? ret : c->n_obstacles;
}
