/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysv.h - System V IPC: shared memory, semaphores, message queues
 *
 * No descriptor shows them.  They are among the files of an image all the
 * same, each a kind of its own, and no process refers to them.
 */
#ifndef CR_SYSV_H
#define CR_SYSV_H

#include "image/pack.h"
#include "objects/object.h"

struct cr_sysv_perm {
	int32_t id, key;
	uint32_t mode; /* with SHM_DEST and SHM_LOCKED */
	uint32_t uid, gid;
};

struct cr_sysv_shm {
	struct cr_sysv_perm perm;
	uint64_t size;
	uint32_t shm; /* index in cr_image.shms */
};

struct cr_sysv_sem {
	struct cr_sysv_perm perm;
	struct cr_sysv_value {
		uint32_t value;
		int32_t pid; /* of the last operation; 0: nobody in the tree */
	} * sem;
	size_t n;
	struct cr_sysv_undo {
		uint32_t sem;
		int32_t pid;
		int32_t adj; /* what the end of pid adds (SEM_UNDO) */
	} * undo;
	size_t n_undo;
};

struct cr_sysv_msg {
	struct cr_sysv_perm perm;
	uint64_t qbytes;
	int32_t lspid, lrpid; /* sent, received last; 0: nobody in the tree */
	struct cr_sysv_message {
		int64_t type;
		struct cr_blob data;
	} * message;
	size_t n;
};

void cr_sysv_shm_record(struct cr_pack *p, void *state);
void cr_sysv_sem_record(struct cr_pack *p, void *state);
void cr_sysv_msg_record(struct cr_pack *p, void *state);
void cr_sysv_sem_free(struct cr_sysv_sem *s);
void cr_sysv_msg_free(struct cr_sysv_msg *s);

/* Is it one of the three? */
bool cr_sysv_is(uint32_t kind);
/* The one that shared memory number shm of the image is; false: none. */
bool cr_sysv_shm_of(const struct cr_image *img, uint32_t shm,
		    struct cr_sysv_shm *s);

/*
 * Is there one with this id here?  *there says so if it is the same one and
 * nobody uses it; -EEXIST with the reason if it, or its key, is another's.
 */
int cr_sysv_look(const struct cr_file *file, bool *there,
		 struct cr_error *err);
/* -EPERM unless the id of a new one can be chosen here. */
int cr_sysv_may_choose(uint32_t kind, struct cr_error *err);
/* Makes it, empty, with its id, key and mode. */
int cr_sysv_make(const struct cr_file *file, struct cr_error *err);
/* The owner and the mode. */
int cr_sysv_own(const struct cr_file *file, struct cr_error *err);
void cr_sysv_remove(const struct cr_file *file);

#endif
