/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysv.c - System V IPC of the tree
 *
 * Shared memory shows as memory.  Of semaphores and message queues the kernel
 * tells only who used them last: if that is a process of the tree, they are
 * the tree's.  It is asked by calls in the tree, whose ids they are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/internal.h"
#include "capture/smaps.h"
#include "capture/sysv.h"

int cap_sysv_no_memory(struct cr_error *err)
{
	return cr_error_set(err, -ENOMEM, "out of memory");
}

int cap_sysv_segments(struct cap_sysv *w, struct cap_proc *p)
{
	char *maps = cr_procfs_read(p->tid, NULL, "maps");
	struct cap_map *m = malloc(sizeof(*m));
	const char *text = maps;
	struct cap_sysv_segment *more;
	int ret = m ? 0 : -ENOMEM;
	size_t i;

	while (!ret && maps && cap_map_next(&text, m)) {
		/* what is left out is not the program's */
		if (!(m->dev & CAP_SYSV_DEV) || cap_is_cut(p, m->start, m->end))
			continue;
		for (i = 0; i < w->n && w->seg[i].id != m->ino; i++)
			;
		if (i == w->n) {
			more = realloc(w->seg, (i + 1) * sizeof(*more));
			if (!more) {
				ret = -ENOMEM;
				break;
			}
			w->seg = more;
			w->seg[w->n++] = (struct cap_sysv_segment){
				.id = m->ino, .vpid = p->vpid, .shm = CR_NONE
			};
		}
		w->seg[i].areas++;
		w->seg[i].bytes += m->end - m->start;
		if (w->c->img)
			ret = cap_find_shm(w->c, m, &w->seg[i].shm, NULL);
	}
	free(m);
	free(maps);
	return ret;
}

int cap_sysv_ask(struct cap_sysv *w, int64_t *r, long nr, uint64_t a,
		 uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		 struct cr_error *err)
{
	return cr_remote_syscall(w->t, r, nr, a, b, c, d, e, 0, err);
}

/* The same, with what it writes at the begin of the scratch memory. */
int cap_sysv_ask_for(struct cap_sysv *w, int64_t *r, long nr, uint64_t a,
		     uint64_t b, uint64_t c, uint64_t d, void *buf, size_t len,
		     struct cr_error *err)
{
	int ret = cap_sysv_ask(w, r, nr, a, b, c, d, 0, err);

	if (!ret && *r >= 0)
		ret = cr_remote_read(w->t->tid, w->t->scratch, buf, len, err);
	return ret;
}

void cap_sysv_perm(struct cr_sysv_perm *to, int32_t id,
		   const struct ipc_perm *from)
{
	to->id = id;
	to->key = from->__key;
	to->mode = from->mode;
	to->uid = from->uid;
	to->gid = from->gid;
}

int cap_sysv_add(struct cap_sysv *w, uint32_t kind, cr_object_record_fn fn,
		 void *state, struct cr_error *err)
{
	struct cr_file *f = cr_image_add_file(w->c->img);

	if (!f)
		return cap_sysv_no_memory(err);
	f->kind = kind;
	f->owner_type = f->stdio_fd = -1;
	f->object_id = ((struct cr_sysv_perm *)state)->id;
	return cr_object_record(f, fn, state, err);
}

/* Every page of it was copied. */
static bool is_whole(struct cap_sysv *w, const struct cap_sysv_segment *seg,
		     uint64_t size)
{
	const struct cap_shm_id *id = &w->c->shm_ids[seg->shm];
	uint64_t pages = (size + 4095) / 4096;

	if (id->n_seen != pages)
		return false;
	for (uint64_t i = 0; i < pages; i++)
		if (!id->seen[i])
			return false;
	return true;
}

static int add_segment(struct cap_sysv *w, const struct cap_sysv_segment *seg,
		       struct cr_error *err)
{
	struct cr_sysv_shm s = { .shm = seg->shm };
	struct shmid_ds ds;
	int64_t r;
	int ret;

	ret = cap_sysv_ask_for(w, &r, SYS_shmctl, seg->id, IPC_STAT,
			       w->t->scratch, 0, &ds, sizeof(ds), err);
	if (ret)
		return ret;
	if (r < 0)
		return cr_error_set(err, (int)r,
				    "process %d: System V shared memory "
				    "segment %" PRIu64 ": %s",
				    seg->vpid, seg->id, strerror((int)-r));
	if (ds.shm_nattch != seg->areas)
		return cap_sysv_refuse_shared(seg, err);
	if (seg->shm == CR_NONE)
		return 0; /* the program leaves it out */
	if (!is_whole(w, seg, ds.shm_segsz))
		return cap_sysv_refuse_part(seg, err);
	cap_sysv_perm(&s.perm, (int32_t)seg->id, &ds.shm_perm);
	s.size = ds.shm_segsz;
	return cap_sysv_add(w, CR_OBJ_SYSV_SHM, cr_sysv_shm_record, &s, err);
}

bool cap_sysv_in_tree(const struct cr_capture *c, int32_t pid)
{
	for (size_t i = 0; pid && i < c->n_procs; i++)
		if (c->procs[i]->vpid == pid && !c->procs[i]->omitted)
			return true;
	return false;
}

/* Is there a process with this id that is not of the tree? */
int cap_sysv_outsider(struct cap_sysv *w, int32_t pid, int32_t *outsider,
		      struct cr_error *err)
{
	int64_t r;
	int ret;

	if (pid <= 0 || *outsider || cap_sysv_in_tree(w->c, pid))
		return 0;
	ret = cap_sysv_ask(w, &r, SYS_kill, (uint64_t)pid, 0, 0, 0, 0, err);
	if (!ret && r != -ESRCH)
		*outsider = pid;
	return ret;
}

static int add_message(struct cap_sysv *w, struct cr_sysv_msg *s, size_t i,
		       struct cr_error *err)
{
	struct cr_sysv_message *more;
	char *buf = malloc(CAP_SCRATCH_SIZE);
	int64_t r = 0;
	int ret;

	if (!buf)
		return cap_sysv_no_memory(err);
	ret = cap_sysv_ask(w, &r, SYS_msgrcv, (uint64_t)s->perm.id,
			   w->t->scratch, CAP_SYSV_MESSAGE, i,
			   MSG_COPY | IPC_NOWAIT, err);
	if (!ret && r < 0)
		ret = cap_sysv_refuse_message(w, s->perm.id, i, (int)r, err);
	if (!ret)
		ret = cr_remote_read(w->t->tid, w->t->scratch, buf,
				     8 + (size_t)r, err);
	more = ret ? NULL : realloc(s->message, (i + 1) * sizeof(*more));
	if (!ret && !more)
		ret = cap_sysv_no_memory(err);
	if (!ret) {
		s->message = more;
		s->n = i + 1;
		memset(&more[i], 0, sizeof(more[i]));
		memcpy(&more[i].type, buf, 8);
		if (cr_blob_set(&more[i].data, buf + 8, (size_t)r))
			ret = cap_sysv_no_memory(err);
	}
	free(buf);
	return ret;
}

static int add_queue(struct cap_sysv *w, int32_t id, const struct msqid_ds *ds,
		     struct cr_error *err)
{
	struct cr_sysv_msg s = { .qbytes = ds->msg_qbytes };
	int32_t outsider = 0;
	int ret;

	if (cap_sysv_in_tree(w->c, ds->msg_lspid))
		s.lspid = ds->msg_lspid;
	if (cap_sysv_in_tree(w->c, ds->msg_lrpid))
		s.lrpid = ds->msg_lrpid;
	if (!s.lspid && !s.lrpid)
		return 0;
	ret = cap_sysv_outsider(w, ds->msg_lspid, &outsider, err);
	if (!ret)
		ret = cap_sysv_outsider(w, ds->msg_lrpid, &outsider, err);
	if (!ret && outsider)
		ret = cap_sysv_refuse(w, "message queue", id, outsider, err);
	cap_sysv_perm(&s.perm, id, &ds->msg_perm);
	for (size_t i = 0; !ret && i < ds->msg_qnum; i++)
		ret = add_message(w, &s, i, err);
	if (!ret)
		ret = cap_sysv_add(w, CR_OBJ_SYSV_MSG, cr_sysv_msg_record, &s,
				   err);
	cr_sysv_msg_free(&s);
	return ret;
}

/* All that there are, by their places in the kernel's table. */
static int add_queues(struct cap_sysv *w, struct cr_error *err)
{
	struct msqid_ds ds;
	int64_t last, id;
	int ret;

	ret = cap_sysv_ask(w, &last, SYS_msgctl, 0, MSG_INFO, w->t->scratch, 0,
			   0, err);
	for (int64_t i = 0; !ret && i <= last; i++) {
		ret = cap_sysv_ask_for(w, &id, SYS_msgctl, (uint64_t)i,
				       MSG_STAT, w->t->scratch, 0, &ds,
				       sizeof(ds), err);
		if (!ret && id >= 0)
			ret = add_queue(w, (int32_t)id, &ds, err);
	}
	return ret;
}

int cap_read_sysv(struct cr_capture *c, struct cr_error *err)
{
	struct cap_sysv w = { .c = c };
	struct cap_proc *p;
	size_t i, k;
	int ret = 0;

	for (i = 0; i < c->n_procs && !ret; i++) {
		p = c->procs[i];
		if (!cap_live(p))
			continue;
		if (!w.p)
			w.p = p;
		if (!ret && p->mm_of == p && cap_sysv_segments(&w, p))
			ret = cap_sysv_no_memory(err);
	}
	if (!ret && w.p) {
		w.t = &w.p->threads[0]->task;
		for (i = 0; i < w.n && !ret; i++)
			ret = add_segment(&w, &w.seg[i], err);
		if (!ret)
			ret = cap_sysv_add_sets(&w, err);
		if (!ret)
			ret = add_queues(&w, err);
		k = w.p->mm_of->guard.owner != NULL;
		if (!ret && k)
			ret = cr_remote_settle(w.p->mm_of->guard.owner);
	}
	free(w.seg);
	return ret;
}

/*
 * A snapshot would count as attached to the program's segments: it gives them
 * up, whose content is copied already.
 */
int cap_detach_sysv(struct cr_capture *c, struct cap_proc *p,
		    struct cr_error *err)
{
	const char *text;
	struct cap_map *m;
	char *maps;
	int64_t r;
	int ret = 0;

	for (size_t i = 0; i < c->img->n_files; i++)
		if (c->img->files[i].kind == CR_OBJ_SYSV_SHM)
			goto some;
	return 0;
some:
	maps = cr_procfs_read(p->snap.task.tid, NULL, "maps");
	m = malloc(sizeof(*m));
	text = maps;
	if (!maps || !m)
		ret = cap_sysv_no_memory(err);
	while (!ret && cap_map_next(&text, m))
		if (m->dev & CAP_SYSV_DEV)
			ret = cr_remote_syscall(&p->snap.task, &r, SYS_munmap,
						m->start, m->end - m->start, 0,
						0, 0, 0, err);
	free(m);
	free(maps);
	return ret;
}
