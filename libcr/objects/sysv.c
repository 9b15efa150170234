/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysv.c - System V IPC as it is in an image, and as it is here */
#include "objects/sysv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"

#define PERM 0777u

union cr_semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

static void perm_record(struct cr_pack *p, struct cr_sysv_perm *s)
{
	cr_pack_s32(p, &s->id);
	cr_pack_s32(p, &s->key);
	cr_pack_u32(p, &s->mode);
	cr_pack_u32(p, &s->uid);
	cr_pack_u32(p, &s->gid);
}

void cr_sysv_shm_record(struct cr_pack *p, void *state)
{
	struct cr_sysv_shm *s = state;

	perm_record(p, &s->perm);
	cr_pack_u64(p, &s->size);
	cr_pack_u32(p, &s->shm);
}

void cr_sysv_sem_record(struct cr_pack *p, void *state)
{
	struct cr_sysv_sem *s = state;

	perm_record(p, &s->perm);
	CR_PACK_ARRAY(p, s->sem, s->n, 8);
	for (size_t i = 0; i < s->n && !p->status; i++) {
		cr_pack_u32(p, &s->sem[i].value);
		cr_pack_s32(p, &s->sem[i].pid);
	}
	CR_PACK_ARRAY(p, s->undo, s->n_undo, 12);
	for (size_t i = 0; i < s->n_undo && !p->status; i++) {
		cr_pack_u32(p, &s->undo[i].sem);
		cr_pack_s32(p, &s->undo[i].pid);
		cr_pack_s32(p, &s->undo[i].adj);
	}
}

void cr_sysv_msg_record(struct cr_pack *p, void *state)
{
	struct cr_sysv_msg *s = state;

	perm_record(p, &s->perm);
	cr_pack_u64(p, &s->qbytes);
	cr_pack_s32(p, &s->lspid);
	cr_pack_s32(p, &s->lrpid);
	CR_PACK_ARRAY(p, s->message, s->n, 16);
	for (size_t i = 0; i < s->n && !p->status; i++) {
		cr_pack_s64(p, &s->message[i].type);
		cr_pack_blob(p, &s->message[i].data);
	}
}

void cr_sysv_sem_free(struct cr_sysv_sem *s)
{
	free(s->sem);
	free(s->undo);
	memset(s, 0, sizeof(*s));
}

void cr_sysv_msg_free(struct cr_sysv_msg *s)
{
	for (size_t i = 0; s->message && i < s->n; i++)
		free(s->message[i].data.data);
	free(s->message);
	memset(s, 0, sizeof(*s));
}

bool cr_sysv_is(uint32_t kind)
{
	return kind == CR_OBJ_SYSV_SHM || kind == CR_OBJ_SYSV_SEM ||
	       kind == CR_OBJ_SYSV_MSG;
}

bool cr_sysv_shm_of(const struct cr_image *img, uint32_t shm,
		    struct cr_sysv_shm *s)
{
	for (size_t i = 0; i < img->n_files; i++)
		if (img->files[i].kind == CR_OBJ_SYSV_SHM &&
		    !cr_object_unrecord(&img->files[i], cr_sysv_shm_record, s,
					NULL) &&
		    s->shm == shm)
			return true;
	return false;
}

/* One of any kind: what they have in common, and what tells them apart. */
struct any {
	const char *name, *next_id;
	struct cr_sysv_perm perm;
	uint64_t size; /* bytes, or semaphores, or 0 */
};

static void name_any(struct any *a, uint32_t kind)
{
	memset(a, 0, sizeof(*a));
	a->name = kind == CR_OBJ_SYSV_SHM   ? "shared memory segment"
		  : kind == CR_OBJ_SYSV_SEM ? "semaphore set"
					    : "message queue";
	a->next_id = kind == CR_OBJ_SYSV_SHM   ? "/proc/sys/kernel/shm_next_id"
		     : kind == CR_OBJ_SYSV_SEM ? "/proc/sys/kernel/sem_next_id"
					       : "/proc/sys/kernel/msg_next_id";
}

static int read_any(const struct cr_file *file, struct any *a,
		    struct cr_error *err)
{
	struct cr_sysv_shm shm = { 0 };
	struct cr_sysv_sem sem = { 0 };
	struct cr_sysv_msg msg = { 0 };
	int ret;

	name_any(a, file->kind);
	switch (file->kind) {
	case CR_OBJ_SYSV_SHM:
		ret = cr_object_unrecord(file, cr_sysv_shm_record, &shm, err);
		a->perm = shm.perm;
		a->size = shm.size;
		break;
	case CR_OBJ_SYSV_SEM:
		ret = cr_object_unrecord(file, cr_sysv_sem_record, &sem, err);
		a->perm = sem.perm;
		a->size = sem.n;
		cr_sysv_sem_free(&sem);
		break;
	default:
		ret = cr_object_unrecord(file, cr_sysv_msg_record, &msg, err);
		a->perm = msg.perm;
		cr_sysv_msg_free(&msg);
	}
	if (!ret && a->perm.id < 0)
		ret = cr_error_set(err, -EINVAL, "System V id %d", a->perm.id);
	return ret;
}

static bool alive(pid_t pid)
{
	return pid > 0 && (!kill(pid, 0) || errno == EPERM);
}

/* Who uses the semaphores or the queue: the last that did, if it is there. */
static pid_t user_of_set(int id, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		int pid = semctl(id, (int)i, GETPID);

		if (alive(pid))
			return pid;
	}
	return 0;
}

/* IPC_STAT of any kind; used: what stands in the way, or 0. */
static int stat_any(const struct cr_file *file, int id, struct ipc_perm *perm,
		    uint64_t *size, pid_t *used)
{
	struct semid_ds sem;
	struct shmid_ds shm;
	struct msqid_ds msg;

	*used = 0;
	*size = 0;
	switch (file->kind) {
	case CR_OBJ_SYSV_SHM:
		if (shmctl(id, IPC_STAT, &shm))
			return -errno;
		*perm = shm.shm_perm;
		*size = shm.shm_segsz;
		*used = shm.shm_nattch ? shm.shm_lpid ? shm.shm_lpid : -1 : 0;
		return 0;
	case CR_OBJ_SYSV_SEM:
		if (semctl(id, 0, IPC_STAT, (union cr_semun){ .buf = &sem }))
			return -errno;
		*perm = sem.sem_perm;
		*size = sem.sem_nsems;
		*used = user_of_set(id, *size);
		return 0;
	default:
		if (msgctl(id, IPC_STAT, &msg))
			return -errno;
		*perm = msg.msg_perm;
		*used = alive(msg.msg_lspid)   ? msg.msg_lspid
			: alive(msg.msg_lrpid) ? msg.msg_lrpid
					       : 0;
		return 0;
	}
}

static int get(uint32_t kind, const struct any *a, int flags)
{
	if (kind == CR_OBJ_SYSV_SHM)
		return shmget(a->perm.key, a->size, flags);
	if (kind == CR_OBJ_SYSV_SEM)
		return semget(a->perm.key, (int)a->size, flags);
	return msgget(a->perm.key, flags);
}

/* There must be no other with its key. */
static int look_for_key(const struct cr_file *file, const struct any *a,
			struct cr_error *err)
{
	struct any other = *a;
	int id;

	other.size = 0;
	if (a->perm.key == IPC_PRIVATE)
		return 0;
	id = get(file->kind, &other, 0);
	if (id < 0 && errno == ENOENT)
		return 0;
	return cr_error_set(err, -EEXIST,
			    "System V %s %d had the key 0x%x, which another "
			    "one (%d) has now; remove that (ipcrm), or use "
			    "--no-restore-pid",
			    a->name, a->perm.id, (unsigned int)a->perm.key, id);
}

int cr_sysv_look(const struct cr_file *file, bool *there, struct cr_error *err)
{
	struct ipc_perm perm = { 0 };
	struct any a;
	uint64_t size;
	pid_t used;
	int ret;

	*there = false;
	ret = read_any(file, &a, err);
	if (ret)
		return ret;
	ret = stat_any(file, a.perm.id, &perm, &size, &used);
	if (ret == -EINVAL || ret == -EIDRM)
		return look_for_key(file, &a, err);
	if (ret || perm.__key != a.perm.key || size != a.size ||
	    perm.uid != a.perm.uid || perm.mode & SHM_DEST)
		return cr_error_set(err, -EEXIST,
				    "System V %s %d is another one now; remove "
				    "it (ipcrm), or use --no-restore-pid",
				    a.name, a.perm.id);
	if (used)
		return cr_error_set(err, -EEXIST,
				    "System V %s %d is in use by process %d; "
				    "end that, or use --no-restore-pid",
				    a.name, a.perm.id, used);
	*there = true;
	return 0;
}

/* Which id the next one gets. */
static int choose(const struct any *a)
{
	int fd = open(a->next_id, O_WRONLY | O_CLOEXEC), n, ret = 0;
	char text[16];

	if (fd < 0)
		return -errno;
	n = snprintf(text, sizeof(text), "%d", a->perm.id);
	if (write(fd, text, (size_t)n) != n)
		ret = -errno;
	close(fd);
	return ret;
}

int cr_sysv_may_choose(uint32_t kind, struct cr_error *err)
{
	struct any a;
	int fd;

	name_any(&a, kind);
	fd = open(a.next_id, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		return close(fd);
	return cr_error_set(err, -EPERM,
			    "a System V %s is not there any more, and "
			    "choosing the id of a new one needs "
			    "CAP_CHECKPOINT_RESTORE; use --no-restore-pid",
			    a.name);
}

int cr_sysv_make(const struct cr_file *file, struct cr_error *err)
{
	struct any a;
	int id, ret;

	ret = read_any(file, &a, err);
	if (ret)
		return ret;
	if (a.perm.mode & SHM_DEST)
		a.perm.key = IPC_PRIVATE;
	ret = choose(&a);
	if (ret)
		return cr_error_set(err, ret, "System V %s %d: %s: %s", a.name,
				    a.perm.id, a.next_id, strerror(-ret));
	id = get(file->kind, &a,
		 IPC_CREAT | IPC_EXCL | (int)(a.perm.mode & PERM) | 0600);
	if (id == a.perm.id)
		return 0;
	ret = id < 0 ? -errno : -EEXIST;
	if (id >= 0 && file->kind == CR_OBJ_SYSV_SHM)
		shmctl(id, IPC_RMID, NULL);
	else if (id >= 0 && file->kind == CR_OBJ_SYSV_SEM)
		semctl(id, 0, IPC_RMID);
	else if (id >= 0)
		msgctl(id, IPC_RMID, NULL);
	return cr_error_set(err, ret, "System V %s %d cannot be made: %s",
			    a.name, a.perm.id, strerror(-ret));
}

int cr_sysv_own(const struct cr_file *file, struct cr_error *err)
{
	struct semid_ds sem;
	struct shmid_ds shm;
	struct msqid_ds msg;
	struct any a;
	int ret;

	ret = read_any(file, &a, err);
	if (ret)
		return ret;
#define SET(p)                                                                 \
	((p).uid = a.perm.uid, (p).gid = a.perm.gid,                           \
	 (p).mode = (unsigned short)(a.perm.mode & PERM))
	switch (file->kind) {
	case CR_OBJ_SYSV_SHM:
		ret = shmctl(a.perm.id, IPC_STAT, &shm);
		SET(shm.shm_perm);
		ret = ret ? ret : shmctl(a.perm.id, IPC_SET, &shm);
		if (!ret && a.perm.mode & SHM_LOCKED)
			ret = shmctl(a.perm.id, SHM_LOCK, NULL);
		if (!ret && a.perm.mode & SHM_DEST)
			ret = shmctl(a.perm.id, IPC_RMID, NULL);
		break;
	case CR_OBJ_SYSV_SEM:
		ret = semctl(a.perm.id, 0, IPC_STAT,
			     (union cr_semun){ .buf = &sem });
		SET(sem.sem_perm);
		ret = ret ? ret
			  : semctl(a.perm.id, 0, IPC_SET,
				   (union cr_semun){ .buf = &sem });
		break;
	default:
		ret = msgctl(a.perm.id, IPC_STAT, &msg);
		SET(msg.msg_perm);
		ret = ret ? ret : msgctl(a.perm.id, IPC_SET, &msg);
	}
#undef SET
	return ret ? cr_error_set(err, -errno,
				  "System V %s %d: owner, mode: %s", a.name,
				  a.perm.id, strerror(errno))
		   : 0;
}

void cr_sysv_remove(const struct cr_file *file)
{
	struct any a;

	if (read_any(file, &a, NULL))
		return;
	if (file->kind == CR_OBJ_SYSV_SHM)
		shmctl(a.perm.id, IPC_RMID, NULL);
	else if (file->kind == CR_OBJ_SYSV_SEM)
		semctl(a.perm.id, 0, IPC_RMID);
	else
		msgctl(a.perm.id, IPC_RMID, NULL);
}

/* No descriptor is one of these. */
static bool claims(const struct cr_object_source *src)
{
	return false;
}

/* Where they are to be is not known yet: only what they are. */
static int verify(const struct cr_image *img, const struct cr_file *file,
		  struct cr_error *err)
{
	struct cr_sysv_shm shm;
	struct any a;
	int ret = read_any(file, &a, err);

	if (ret || file->kind != CR_OBJ_SYSV_SHM)
		return ret;
	ret = cr_object_unrecord(file, cr_sysv_shm_record, &shm, err);
	if (!ret && (shm.shm >= img->n_shms ||
		     img->shms[shm.shm].size != ((shm.size + 4095) & ~4095ULL)))
		ret = cr_error_set(err, -EINVAL,
				   "shared memory segment %d has no content",
				   shm.perm.id);
	return ret;
}

const struct cr_object_ops cr_object_sysv_shm = {
	.kind = CR_OBJ_SYSV_SHM,
	.name = "System V shared memory",
	.claims = claims,
	.verify = verify,
};
const struct cr_object_ops cr_object_sysv_sem = {
	.kind = CR_OBJ_SYSV_SEM,
	.name = "System V semaphores",
	.claims = claims,
	.verify = verify,
};
const struct cr_object_ops cr_object_sysv_msg = {
	.kind = CR_OBJ_SYSV_MSG,
	.name = "System V message queue",
	.claims = claims,
	.verify = verify,
};
