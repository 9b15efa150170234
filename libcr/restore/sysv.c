/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysv.c - brings System V IPC back, with the same ids
 *
 * In namespaces made for the restart all of it is made anew.  Else what is
 * there still is taken, if nobody uses it, and gets the content that it had
 * at the checkpoint.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "objects/record.h"
#include "objects/sysv.h"
#include "restore/build.h"

#define OP_MAX 32767 /* of a value, an operation and an adjustment */

bool cr_sysv_wanted(const struct cr_image *img)
{
	for (size_t i = 0; i < img->n_files; i++)
		if (cr_sysv_is(img->files[i].kind))
			return true;
	return false;
}

int cr_sysv_verify(const struct cr_image *img, struct cr_error *err)
{
	bool there;
	int ret = 0;

	for (size_t i = 0; !ret && i < img->n_files; i++) {
		if (!cr_sysv_is(img->files[i].kind))
			continue;
		ret = cr_sysv_look(&img->files[i], &there, err);
		if (!ret && !there)
			ret = cr_sysv_may_choose(img->files[i].kind, err);
	}
	return ret;
}

int cr_sysv_create(struct cr_restore_context *ctx, struct cr_error *err)
{
	const struct cr_image *img = ctx->img;
	bool there;
	int ret = 0;

	if (!cr_sysv_wanted(img))
		return 0;
	ctx->sysv_made = calloc(img->n_files, sizeof(*ctx->sysv_made));
	if (!ctx->sysv_made)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (!ctx->own_namespace)
		ret = cr_engine_grant(&ctx->engine, err);
	for (size_t i = 0; !ret && i < img->n_files; i++) {
		if (!cr_sysv_is(img->files[i].kind))
			continue;
		ret = cr_sysv_look(&img->files[i], &there, err);
		if (ret || there)
			continue;
		ret = cr_sysv_make(&img->files[i], err);
		ctx->sysv_made[i] = !ret;
	}
	cr_engine_revoke(&ctx->engine);
	return ret;
}

void cr_sysv_undo(struct cr_restore_context *ctx)
{
	for (size_t i = 0; ctx->sysv_made && i < ctx->img->n_files; i++)
		if (ctx->sysv_made[i])
			cr_sysv_remove(&ctx->img->files[i]);
}

int cr_sysv_attach(struct cr_restore_context *ctx, uint32_t shm,
		   struct cr_error *err)
{
	void *at = (void *)(uintptr_t)ctx->bench.shm[shm];
	struct cr_sysv_shm s;

	if (!cr_sysv_shm_of(ctx->img, shm, &s))
		return 1;
	if (shmat(s.perm.id, at, 0) != at)
		return cr_error_set(err, -errno,
				    "attaching System V shared memory segment "
				    "%d: %s",
				    s.perm.id, strerror(errno));
	/* the image has no pages of zeros */
	if (madvise(at, (s.size + 4095) & ~4095ULL, MADV_REMOVE))
		memset(at, 0, s.size);
	return 0;
}

int cr_sysv_attach_readonly(struct cr_restore_context *ctx, uint32_t shm,
			    struct cr_error *err)
{
	void *at = (void *)(uintptr_t)ctx->bench.readonly[shm];
	struct cr_sysv_shm s;

	if (!cr_sysv_shm_of(ctx->img, shm, &s) ||
	    shmat(s.perm.id, at, SHM_RDONLY) != at)
		return cr_error_set(err, -errno,
				    "attaching System V shared memory by "
				    "SHM_RDONLY: %s", strerror(errno));
	return 0;
}

void cr_sysv_detach(struct cr_restore_context *ctx)
{
	struct cr_sysv_shm s;

	for (uint32_t i = 0; i < ctx->img->n_shms; i++)
		if (ctx->bench.shm[i] && cr_sysv_shm_of(ctx->img, i, &s)) {
			shmdt((void *)(uintptr_t)ctx->bench.shm[i]);
			if (ctx->bench.readonly[i])
				shmdt((void *)(uintptr_t)ctx->bench.readonly[i]);
		}
}

/* Who makes a call that leaves its id behind. */
static int32_t by(struct cr_restore_context *ctx, int32_t pid)
{
	return cr_plan_find(ctx->img, pid) == CR_NONE ? ctx->img->procs[0].pid
						      : pid;
}

/*
 * An operation and its reverse at once, so that the value stays; the one with
 * flags goes up by n, or down if n is negative.
 */
static int operate(struct cr_restore_context *ctx, int32_t pid,
		   const struct cr_sysv_sem *s, uint32_t sem, int n, int flags,
		   struct cr_error *err)
{
	struct sembuf op[2] = { { (unsigned short)sem, (short)n, (short)flags },
				{ (unsigned short)sem, (short)-n, 0 } };
	int up = n < 0 ? -n : n;
	/* up comes first where there is room for it */
	bool swap = (n > 0) == (s->sem[sem].value + (uint32_t)up > OP_MAX);
	const struct sembuf ops[2] = { op[swap], op[!swap] };

	return cr_restore_call(ctx, by(ctx, pid), "adjustment of a semaphore",
			       SYS_semop,
			       (uint64_t[6]){ (uint64_t)s->perm.id, 0, 2 }, 1,
			       ops, sizeof(ops), err);
}

/* Leaves the number of who was the last as it was. */
static int fill_undo(struct cr_restore_context *ctx,
		     const struct cr_sysv_sem *s, const struct cr_sysv_undo *u,
		     struct cr_error *err)
{
	int ret;

	if (u->sem >= s->n || !u->adj || u->adj < -OP_MAX || u->adj > OP_MAX)
		return cr_error_set(err, -EINVAL,
				    "System V semaphore set %d: adjustment "
				    "of %d",
				    s->perm.id, u->adj);
	ret = operate(ctx, u->pid, s, u->sem, -u->adj, SEM_UNDO, err);
	if (ret >= 0 && s->sem[u->sem].pid)
		ret = operate(ctx, s->sem[u->sem].pid, s, u->sem, 1, 0, err);
	return ret;
}

static int fill_set(struct cr_restore_context *ctx, const struct cr_file *file,
		    bool made, struct cr_error *err)
{
	struct cr_sysv_sem s = { 0 };
	int ret = cr_object_unrecord(file, cr_sysv_sem_record, &s, err);

	for (size_t i = 0; ret >= 0 && i < s.n; i++) {
		if (made && !s.sem[i].pid && !s.sem[i].value)
			continue;
		ret = cr_restore_call(ctx, by(ctx, s.sem[i].pid),
				      "value of a semaphore", SYS_semctl,
				      (uint64_t[6]){ (uint64_t)s.perm.id, i,
						     SETVAL, s.sem[i].value },
				      0, NULL, 0, err);
	}
	for (size_t i = 0; ret >= 0 && i < s.n_undo; i++)
		ret = fill_undo(ctx, &s, &s.undo[i], err);
	cr_sysv_sem_free(&s);
	return ret;
}

static int send_message(struct cr_restore_context *ctx, int32_t pid, int id,
			int64_t type, const void *data, size_t len,
			struct cr_error *err)
{
	char *buf = malloc(sizeof(type) + len);
	int ret;

	if (!buf)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memcpy(buf, &type, sizeof(type));
	if (len)
		memcpy(buf + sizeof(type), data, len);
	ret = cr_restore_call(ctx, pid, "sending a System V message",
			      SYS_msgsnd,
			      (uint64_t[6]){ (uint64_t)id, 0, len, IPC_NOWAIT },
			      1, buf, sizeof(type) + len, err);
	free(buf);
	return ret;
}

/* What it holds now is later than the checkpoint. */
static int drain(int id, struct cr_error *err)
{
	struct {
		long type;
		char text[8];
	} m;

	while (msgrcv(id, &m, 0, 0, IPC_NOWAIT | MSG_NOERROR) >= 0)
		;
	return errno == ENOMSG
		       ? 0
		       : cr_error_set(err, -errno,
				      "emptying System V message queue %d: %s",
				      id, strerror(errno));
}

static int fill_queue(struct cr_restore_context *ctx,
		      const struct cr_file *file, struct cr_error *err)
{
	struct cr_sysv_msg s = { 0 };
	struct msqid_ds ds;
	int64_t nothing[2] = { 0 };
	int32_t sender, receiver;
	int ret = cr_object_unrecord(file, cr_sysv_msg_record, &s, err);

	if (!ret)
		ret = drain(s.perm.id, err);
	if (!ret &&
	    (msgctl(s.perm.id, IPC_STAT, &ds) ||
	     (ds.msg_qbytes != s.qbytes &&
	      (ds.msg_qbytes = s.qbytes, msgctl(s.perm.id, IPC_SET, &ds)))))
		ret = cr_error_set(err, -errno,
				   "System V message queue %d: size: %s",
				   s.perm.id, strerror(errno));
	sender = by(ctx, s.lspid ? s.lspid : s.lrpid);
	receiver = by(ctx, s.lrpid ? s.lrpid : s.lspid);
	if (!ret)
		ret = send_message(ctx, sender, s.perm.id, 1, NULL, 0, err);
	if (!ret)
		ret = cr_restore_call(ctx, receiver,
				      "receiving a System V message",
				      SYS_msgrcv,
				      (uint64_t[6]){ (uint64_t)s.perm.id, 0, 0,
						     0, IPC_NOWAIT },
				      1, nothing, sizeof(nothing), err);
	for (size_t i = 0; ret >= 0 && i < s.n; i++)
		ret = send_message(ctx, sender, s.perm.id, s.message[i].type,
				   s.message[i].data.data,
				   s.message[i].data.len, err);
	cr_sysv_msg_free(&s);
	return ret;
}

int cr_sysv_fill(struct cr_restore_context *ctx, struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; ctx->sysv_made && ret >= 0 && i < ctx->img->n_files;
	     i++) {
		const struct cr_file *f = &ctx->img->files[i];

		if (f->kind == CR_OBJ_SYSV_SEM)
			ret = fill_set(ctx, f, ctx->sysv_made[i], err);
		else if (f->kind == CR_OBJ_SYSV_MSG)
			ret = fill_queue(ctx, f, err);
		if (ret >= 0 && cr_sysv_is(f->kind))
			ret = cr_sysv_own(f, err);
	}
	return ret < 0 ? ret : 0;
}
