/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.c - what belongs to a process and not to its threads */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/internal.h"

#define LIMITS_COLUMN 26 /* of /proc/PID/limits: the soft limit */

static int no_memory(struct cr_error *err)
{
	return cr_error_set(err, -ENOMEM, "out of memory");
}

/* A call in the task that must succeed; its output is then read. */
static int ask(struct cr_task *t, const char *what, long nr, uint64_t a,
	       uint64_t b, uint64_t c, uint64_t d, uint64_t out, void *buf,
	       size_t len, int64_t *result, struct cr_error *err)
{
	int64_t r;
	int ret;

	ret = cr_remote_syscall(t, &r, nr, a, b, c, d, 0, 0, err);
	if (!ret && r < 0 && r > -4096)
		ret = cr_error_set(err, (int)r, "%s: %s", what,
				   strerror((int)-r));
	if (!ret && len)
		ret = cr_remote_read(t->tid, out, buf, len, err);
	if (result)
		*result = r;
	return ret;
}

/* A call of a batch that failed; they all are such that cannot fail. */
int cap_check_calls(const struct cr_remote_call *c, size_t n,
		    struct cr_error *err)
{
	for (; n; n--, c++)
		if (c->ret < 0 && c->ret > -4096)
			return cr_error_set(
				err, (int)c->ret, "system call %lld: %s",
				(long long)c->nr, strerror((int)-c->ret));
	return 0;
}

static void read_ids(struct cr_capture *c, struct cap_proc *p,
		     struct cr_process *m, const char *status)
{
	struct cap_proc *parent = cap_scope_find(c, p->stat.ppid);

	m->pid = p->vpid;
	if (parent)
		m->ppid = parent->vpid;
	else
		m->ppid = p->nested ? 0 : p->stat.ppid;
	m->pgid = cr_procfs_last(status, "NSpgid", p->stat.pgrp);
	m->sid = cr_procfs_last(status, "NSsid", p->stat.session);
	m->exit_signal = p->stat.exit_signal;
	m->foreground = p->stat.tty_nr && p->stat.tpgid == p->stat.pgrp;
}

static int read_launcher(struct cap_proc *p, struct cr_process *m,
			 struct cr_error *err)
{
	const char *const names[] = { "cmdline", "environ" };
	char ***const lists[] = { &m->argv, &m->envp };
	size_t len, i, k, n;
	char *text, *s, **list;

	for (i = 0; i < 2; i++) {
		text = cr_procfs_read(p->pid, &len, "%s", names[i]);
		if (!text)
			return cr_error_set(err, -errno, "%s: %s", names[i],
					    strerror(errno));
		for (n = 0, k = 0; k < len; k++)
			n += !text[k];
		if (len && text[len - 1])
			n++;
		list = calloc(n + 1, sizeof(*list));
		for (s = text, k = 0; list && k < n; k++) {
			list[k] = strdup(s);
			if (!list[k])
				break;
			s += strlen(s) + 1;
		}
		free(text);
		*lists[i] = list;
		if (!list || k < n)
			return no_memory(err);
	}
	return 0;
}

/*
 * Another user's limits need CAP_SYS_RESOURCE, but the text of them does not:
 * "Max cpu time   unlimited   unlimited   seconds", in the order of their
 * numbers.
 */
static int read_limits(struct cr_process *m, pid_t from)
{
	char *text = NULL, *line, *save = NULL, cur[24], max[24];
	struct rlimit64 lim;
	int i;

	for (i = 0; i < CR_NRLIMIT; i++) {
		if (prlimit64(from, i, NULL, &lim))
			break;
		m->rlimit[i].cur = lim.rlim_cur;
		m->rlimit[i].max = lim.rlim_max;
	}
	if (i == CR_NRLIMIT)
		return 0;
	text = cr_procfs_read(from, NULL, "limits");
	line = text ? strtok_r(text, "\n", &save) : NULL; /* the heading */
	for (i = 0; line && i < CR_NRLIMIT; i++) {
		line = strtok_r(NULL, "\n", &save);
		if (!line || strlen(line) < LIMITS_COLUMN ||
		    sscanf(line + LIMITS_COLUMN, "%23s %23s", cur, max) != 2)
			break;
		m->rlimit[i].cur = strcmp(cur, "unlimited")
					   ? strtoull(cur, NULL, 10)
					   : UINT64_MAX;
		m->rlimit[i].max = strcmp(max, "unlimited")
					   ? strtoull(max, NULL, 10)
					   : UINT64_MAX;
	}
	free(text);
	return i == CR_NRLIMIT ? 0 : -EPERM;
}

/* Directories, masks and limits: the same in a forked copy. */
static int read_surroundings(struct cap_proc *p, struct cr_process *m,
			     pid_t from, const char *status,
			     struct cr_error *err)
{
	const char *u = cr_procfs_field(status, "Umask");
	char *text;
	int ret;

	m->cwd = cr_procfs_link(from, "cwd");
	m->root = m->cwd ? cr_procfs_link(from, "root") : NULL;
	if (!m->root)
		return cr_error_set(err, -errno,
				    "current or root directory: %s",
				    strerror(errno));
	m->umask = u ? (uint32_t)strtoul(u, NULL, 8) : 022;
	ret = read_limits(m, from);
	if (ret)
		return cr_error_set(err, ret, "limits: %s", strerror(-ret));
	text = cr_procfs_read(from, NULL, "oom_score_adj");
	if (text)
		m->oom_score_adj = atoi(text);
	free(text);
	text = cr_procfs_read(from, NULL, "personality");
	if (text)
		m->personality = (uint32_t)strtoul(text, NULL, 16);
	free(text);
	return 0;
}

static void read_four(const char *status, const char *name, uint32_t id[4])
{
	const char *s = cr_procfs_field(status, name);
	char *end;
	int i;

	for (i = 0; s && i < 4; i++, s = end)
		id[i] = (uint32_t)strtoul(s, &end, 10);
}

static int read_credentials(struct cr_process *m, const char *status,
			    struct cr_error *err)
{
	static const char *const caps[5] = { "CapInh", "CapPrm", "CapEff",
					     "CapBnd", "CapAmb" };
	const char *s = cr_procfs_field(status, "Groups");
	uint32_t *more;
	char *end;
	int i;

	read_four(status, "Uid", m->uid);
	read_four(status, "Gid", m->gid);
	while (s && *s && *s != '\n') {
		uint32_t g = (uint32_t)strtoul(s, &end, 10);

		if (end == s)
			break;
		s = end + strspn(end, " ");
		more = realloc(m->groups, (m->n_groups + 1) * sizeof(*more));
		if (!more)
			return no_memory(err);
		m->groups = more;
		m->groups[m->n_groups++] = g;
	}
	for (i = 0; i < 5; i++)
		m->cap[i] = cr_procfs_hex(status, caps[i]);
	m->no_new_privs = cr_procfs_last(status, "NoNewPrivs", 0) != 0;
	return 0;
}

/*
 * Has the parent of this stopped process been told?  It could still wait for
 * it if not.
 */
static int ask_parent(struct cr_capture *c, struct cap_proc *p, bool *told,
		      struct cr_error *err)
{
	struct cap_proc *parent = cap_scope_find(c, p->ppid);
	struct cr_task *t;
	int64_t result;
	int32_t signo;

	*told = false;
	if (!parent || !cap_live(parent) || !parent->threads[0]->task.scratch)
		return 0;
	t = &parent->threads[0]->task;
	*told = true;
	if (ask(t, "waitid", SYS_waitid, P_PID, (uint64_t)p->vpid, t->scratch,
		WSTOPPED | WNOHANG | WNOWAIT | __WALL, t->scratch, &signo,
		sizeof(signo), &result, err))
		return err ? err->code : -EIO;
	*told = signo == 0;
	return cr_remote_settle(t);
}

/*
 * The parts that a fork does not copy, read under the stop.  A zombie or a
 * launcher has little else.
 */
int cap_read_process(struct cr_capture *c, struct cap_proc *p,
		     struct cr_error *err)
{
	struct cr_process *m = cap_model(c, p);
	const char *status = p->status;
	bool told = false;
	int ret = 0;

	read_ids(c, p, m, status);
	c->stats.processes++;
	if (p->zombie) {
		m->kind = CR_PROC_ZOMBIE;
		m->exit_status = p->stat.exit_code;
		goto out;
	}
	if (p->launcher) {
		m->kind = CR_PROC_RESPAWNED;
		ret = read_launcher(p, m, err);
		if (!ret)
			ret = read_surroundings(p, m, p->pid, status, err);
		if (!ret)
			ret = read_credentials(m, status, err);
		goto out;
	}
	m->kind = CR_PROC_NORMAL;
	m->stopped = p->threads[0]->task.group_stop;
	m->stop_signal = p->threads[0]->task.group_signal;
	if (m->stopped)
		ret = ask_parent(c, p, &told, err);
	if (told)
		m->stop_signal = 0;
out:
	if (ret)
		cr_error_prefix(err, "process %d", p->vpid);
	return ret;
}

static int read_actions(struct cr_task *t, struct cr_process *m,
			struct cr_error *err)
{
	struct cr_remote_call c[CR_NSIG];
	uint64_t k[CR_NSIG][4]; /* handler, flags, restorer, mask */
	int i, ret;

	for (i = 0; i < CR_NSIG; i++)
		c[i] = (struct cr_remote_call){
			.nr = SYS_rt_sigaction,
			.arg = { (uint64_t)i + 1, 0,
				 t->scratch + (uint64_t)i * sizeof(k[0]), 8 }
		};
	ret = cr_remote_batch(t, c, CR_NSIG, err);
	if (!ret)
		ret = cap_check_calls(c, CR_NSIG, err);
	if (!ret)
		ret = cr_remote_read(t->tid, t->scratch, k, sizeof(k), err);
	for (i = 0; i < CR_NSIG && !ret; i++) {
		m->sigaction[i].handler = k[i][0];
		m->sigaction[i].flags = k[i][1];
		m->sigaction[i].restorer = k[i][2];
		m->sigaction[i].mask = k[i][3];
	}
	return ret;
}

static int read_mm_fields(struct cr_task *t, struct cr_mm *mm, pid_t from,
			  const char *status, struct cr_error *err)
{
	struct cr_mm_fields *f = &mm->fields;
	struct cr_procfs_stat st;
	int64_t brk, dumpable;
	int ret;

	ret = cr_procfs_stat(from, &st);
	if (ret)
		return cr_error_set(err, ret, "stat: %s", strerror(-ret));
	if (!st.start_code || !st.start_stack)
		return cr_error_set(err, -EACCES,
				    "addresses of its code and stack are "
				    "hidden from us");
	f->start_code = st.start_code;
	f->end_code = st.end_code;
	f->start_data = st.start_data;
	f->end_data = st.end_data;
	f->start_brk = st.start_brk;
	f->start_stack = st.start_stack;
	f->arg_start = st.arg_start;
	f->arg_end = st.arg_end;
	f->env_start = st.env_start;
	f->env_end = st.env_end;
	f->auxv.data = cr_procfs_read(from, &f->auxv.len, "auxv");
	if (!f->auxv.data)
		return cr_error_set(err, -errno, "auxv: %s", strerror(errno));
	ret = ask(t, "brk", SYS_brk, 0, 0, 0, 0, 0, NULL, 0, &brk, err);
	if (!ret)
		ret = ask(t, "PR_GET_DUMPABLE", SYS_prctl, PR_GET_DUMPABLE, 0,
			  0, 0, 0, NULL, 0, &dumpable, err);
	if (ret)
		return ret;
	f->brk = (uint64_t)brk;
	mm->dumpable = (uint32_t)dumpable;
	mm->thp_disable = cr_procfs_last(status, "THP_enabled", 1) == 0;
	return 0;
}

/*
 * The parts that a fork copies, asked of "from": the snapshot while the
 * program runs on, or the leader under the stop.
 */
int cap_read_process_late(struct cr_capture *c, struct cap_proc *p,
			  struct cr_task *from, struct cr_error *err)
{
	struct cr_process *m = cap_model(c, p);
	int64_t bits;
	char *status;
	int ret;

	status = cr_procfs_read(from->tid, NULL, "status");
	if (!status)
		return cr_error_set(err, -errno, "process %d: status: %s",
				    p->vpid, strerror(errno));
	ret = read_surroundings(p, m, from->tid, status, err);
	if (!ret)
		ret = read_credentials(m, status, err);
	if (!ret)
		ret = ask(from, "PR_GET_SECUREBITS", SYS_prctl,
			  PR_GET_SECUREBITS, 0, 0, 0, 0, NULL, 0, &bits, err);
	if (!ret) {
		m->securebits = (uint32_t)bits;
		ret = read_actions(from, m, err);
	}
	if (!ret && p->mm_of == p)
		ret = read_mm_fields(from, &c->img->mms[m->mm], from->tid,
				     status, err);
	free(status);
	if (ret)
		cr_error_prefix(err, "process %d", p->vpid);
	return ret;
}
