/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysv_check.c - what of System V IPC cannot be saved, seen from outside
 *
 * Nothing is stopped: the ids are those of an IPC namespace, where who belongs
 * to it may ask for itself.  Adjustments (SEM_UNDO) show to their process only.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/sysv.h"

int cap_sysv_refuse(const struct cap_sysv *w, const char *what, int32_t id,
		    int32_t outsider, struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "process %d: System V %s %d is also used by "
			    "process %d, which is not to be saved; checkpoint "
			    "them together",
			    w->p->vpid, what, id, outsider);
}

int cap_sysv_refuse_shared(const struct cap_sysv_segment *seg,
			   struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "process %d: System V shared memory segment "
			    "%" PRIu64 " is also attached by a process that is "
			    "not to be saved; checkpoint them together",
			    seg->vpid, seg->id);
}

int cap_sysv_refuse_part(const struct cap_sysv_segment *seg,
			 struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "process %d: System V shared memory segment "
			    "%" PRIu64 " was unmapped in part, and cannot be "
			    "saved; have the program keep all of it",
			    seg->vpid, seg->id);
}

int cap_sysv_refuse_size(const struct cap_sysv *w, int32_t id,
			 struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "process %d: System V semaphore set %d has more "
			    "than %u semaphores, which cannot be saved; make "
			    "several sets of them",
			    w->p->vpid, id, CAP_SYSV_SEMAPHORES);
}

int cap_sysv_refuse_thread(const struct cap_proc *p, int32_t vtid,
			   struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "process %d: thread %d may have adjustments of "
			    "semaphores (SEM_UNDO) of its own, which cannot be "
			    "saved; have the program do without SEM_UNDO",
			    p->vpid, vtid);
}

int cap_sysv_refuse_message(const struct cap_sysv *w, int32_t id, size_t i,
			    int code, struct cr_error *err)
{
	return cr_error_set(err, code,
			    "process %d: message %zu of System V message queue "
			    "%d cannot be saved (%s); receive it before the "
			    "checkpoint",
			    w->p->vpid, i, id, strerror(-code));
}

/* The user of an object: *ours, or else *outsider if it is still there. */
static void judge(const struct cap_sysv *w, pid_t pid, bool *ours,
		  int32_t *outsider)
{
	struct cap_proc *p = pid > 0 ? cap_scope_find(w->c, pid) : NULL;

	if (p && !p->omitted)
		*ours = true;
	else if (pid > 0 && !*outsider && (!kill(pid, 0) || errno == EPERM))
		*outsider = pid;
}

static int check_segment(const struct cap_sysv *w,
			 const struct cap_sysv_segment *seg,
			 struct cr_error *err)
{
	struct shmid_ds ds;

	if (shmctl((int)seg->id, IPC_STAT, &ds))
		return 0;
	/* who shares memory was counted twice: then there is no telling */
	if (ds.shm_nattch > seg->areas)
		return cap_sysv_refuse_shared(seg, err);
	return seg->bytes < ds.shm_segsz ? cap_sysv_refuse_part(seg, err) : 0;
}

static int check_threads(const struct cap_sysv *w, struct cr_error *err)
{
	int32_t *tids;
	size_t n, k;
	int ret = 0;

	for (size_t i = 0; i < w->c->n_procs && !ret; i++) {
		struct cap_proc *p = w->c->procs[i];

		if (!cap_live(p) || p->forbidden ||
		    cr_procfs_numbers(p->pid, "task", &tids, &n))
			continue;
		for (k = 0; k < n && !ret; k++)
			if (tids[k] != p->tid && cap_sysv_own_undo(p, tids[k]))
				ret = cap_sysv_refuse_thread(
					p, cap_thread_vtid(p, tids[k]), err);
		free(tids);
	}
	return ret;
}

static int check_set(const struct cap_sysv *w, int id,
		     const struct semid_ds *ds, struct cr_error *err)
{
	bool ours = false;
	int32_t outsider = 0;
	int ret;

	for (size_t i = 0; i < ds->sem_nsems && i < CAP_SYSV_SEMAPHORES; i++)
		judge(w, semctl(id, (int)i, GETPID), &ours, &outsider);
	if (!ours)
		return 0;
	ret = check_threads(w, err);
	if (!ret && outsider)
		ret = cap_sysv_refuse(w, "semaphore set", id, outsider, err);
	if (!ret && ds->sem_nsems > CAP_SYSV_SEMAPHORES)
		ret = cap_sysv_refuse_size(w, id, err);
	return ret;
}

static int check_queue(const struct cap_sysv *w, int id,
		       const struct msqid_ds *ds, struct cr_error *err)
{
	bool ours = false;
	int32_t outsider = 0;
	char *buf;
	int ret = 0;

	judge(w, ds->msg_lspid, &ours, &outsider);
	judge(w, ds->msg_lrpid, &ours, &outsider);
	if (!ours)
		return 0;
	if (outsider)
		return cap_sysv_refuse(w, "message queue", id, outsider, err);
	buf = malloc(CAP_SCRATCH_SIZE);
	for (size_t i = 0; buf && !ret && i < ds->msg_qnum; i++) {
		if (msgrcv(id, buf, CAP_SYSV_MESSAGE, (long)i,
			   MSG_COPY | IPC_NOWAIT) >= 0)
			continue;
		if (errno == ENOMSG || errno == EIDRM || errno == EINVAL)
			break; /* received, or removed */
		ret = cap_sysv_refuse_message(w, id, i, -errno, err);
	}
	free(buf);
	return ret;
}

static void tell(const struct cap_sysv *w, struct cr_error *why)
{
	if (why->code)
		cap_report(w->c, "%s", why->text);
	cr_error_clear(why);
}

static void check_all(const struct cap_sysv *w)
{
	union {
		struct semid_ds sem;
		struct seminfo sems;
		struct msqid_ds msg;
		struct msginfo msgs;
	} u;
	struct cr_error why = { 0 };
	int i, id, last;

	for (size_t k = 0; k < w->n; k++) {
		check_segment(w, &w->seg[k], &why);
		tell(w, &why);
	}
	last = semctl(0, 0, SEM_INFO, &u.sems);
	for (i = 0; i <= last; i++) {
		id = semctl(i, 0, SEM_STAT, &u.sem);
		if (id >= 0)
			check_set(w, id, &u.sem, &why);
		tell(w, &why);
	}
	last = msgctl(0, MSG_INFO, (struct msqid_ds *)&u.msgs);
	for (i = 0; i <= last; i++) {
		id = msgctl(i, MSG_STAT, &u.msg);
		if (id >= 0)
			check_queue(w, id, &u.msg, &why);
		tell(w, &why);
	}
}

static bool same_namespace(pid_t pid, const char *name)
{
	char *mine = cr_procfs_link(getpid(), "ns/%s", name);
	char *its = cr_procfs_link(pid, "ns/%s", name);
	bool same = mine && its && !strcmp(mine, its);

	free(mine);
	free(its);
	return same;
}

/* Into a namespace of the tree, if it is not ours; false: one may not. */
static bool join(pid_t pid, const char *name, int type)
{
	char path[64];
	bool joined;
	int fd;

	if (same_namespace(pid, name))
		return true;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	joined = fd >= 0 && !setns(fd, type);
	if (fd >= 0)
		close(fd);
	return joined;
}

static void write_line(const char *line, void *arg)
{
	dprintf(*(int *)arg, "%s\n", line);
}

/* A child that goes where the ids are; a line for each thing that it says. */
static void check_there(const struct cap_sysv *w)
{
	char line[CR_ERROR_MAX];
	int fd[2];
	pid_t pid;
	FILE *f;

	if (pipe2(fd, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid) {
		w->c->report = write_line;
		w->c->report_arg = &fd[1];
		if (join(w->p->tid, "user", CLONE_NEWUSER) &&
		    join(w->p->tid, "ipc", CLONE_NEWIPC))
			check_all(w);
		_exit(0);
	}
	close(fd[1]);
	f = pid < 0 ? NULL : fdopen(fd[0], "r");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		cap_report(w->c, "%s", line);
	}
	if (f)
		fclose(f);
	else
		close(fd[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void cap_check_sysv(struct cr_capture *c)
{
	struct cap_sysv w = { .c = c };
	size_t i;

	for (i = 0; i < c->n_procs; i++) {
		if (!cap_live(c->procs[i]) || c->procs[i]->forbidden)
			continue;
		if (!w.p)
			w.p = c->procs[i];
		cap_sysv_segments(&w, c->procs[i]);
	}
	if (w.p && same_namespace(w.p->tid, "ipc"))
		check_all(&w);
	else if (w.p)
		check_there(&w);
	free(w.seg);
}
