/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysv.h - between the files of libcapture about System V IPC */
#ifndef CR_CAPTURE_SYSV_H
#define CR_CAPTURE_SYSV_H

#include <sys/ipc.h>

#include "capture/internal.h"
#include "objects/record.h"
#include "objects/sysv.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

#define CAP_SYSV_SEMAPHORES 4096u /* in a set, at most */
#define CAP_SYSV_MESSAGE (CAP_SCRATCH_SIZE - 8u)

/* How many areas of the tree show a segment; each counts as attached. */
struct cap_sysv_segment {
	uint64_t id;
	uint32_t shm; /* in the image */
	int32_t vpid;
	uint64_t areas, bytes; /* of all */
};

struct cap_sysv {
	struct cr_capture *c;
	struct cr_task *t; /* that makes the calls */
	struct cap_proc *p;
	struct cap_sysv_segment *seg;
	size_t n;
};

int cap_sysv_no_memory(struct cr_error *err);
/* A call in the tree; the second: what it writes to the scratch memory, too. */
int cap_sysv_ask(struct cap_sysv *w, int64_t *r, long nr, uint64_t a,
		 uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		 struct cr_error *err);
int cap_sysv_ask_for(struct cap_sysv *w, int64_t *r, long nr, uint64_t a,
		     uint64_t b, uint64_t c, uint64_t d, void *buf, size_t len,
		     struct cr_error *err);
void cap_sysv_perm(struct cr_sysv_perm *to, int32_t id,
		   const struct ipc_perm *from);
/* Into the image. */
int cap_sysv_add(struct cap_sysv *w, uint32_t kind, cr_object_record_fn fn,
		 void *state, struct cr_error *err);
bool cap_sysv_in_tree(const struct cr_capture *c, int32_t pid);
/* Sets *outsider if there is a process with this id not of the tree. */
int cap_sysv_outsider(struct cap_sysv *w, int32_t pid, int32_t *outsider,
		      struct cr_error *err);
/* The segments that p has in its memory. */
int cap_sysv_segments(struct cap_sysv *w, struct cap_proc *p);

/* sysv_check.c: what cannot be saved */
int cap_sysv_refuse(const struct cap_sysv *w, const char *what, int32_t id,
		    int32_t outsider, struct cr_error *err);
int cap_sysv_refuse_shared(const struct cap_sysv_segment *seg,
			   struct cr_error *err);
int cap_sysv_refuse_part(const struct cap_sysv_segment *seg,
			 struct cr_error *err);
int cap_sysv_refuse_size(const struct cap_sysv *w, int32_t id,
			 struct cr_error *err);
int cap_sysv_refuse_thread(const struct cap_proc *p, int32_t vtid,
			   struct cr_error *err);
int cap_sysv_refuse_message(const struct cap_sysv *w, int32_t id, size_t i,
			    int code, struct cr_error *err);

/* sysv_sem.c */
/* May this thread have adjustments (SEM_UNDO) that its process has not? */
bool cap_sysv_own_undo(const struct cap_proc *p, pid_t tid);
int cap_sysv_add_sets(struct cap_sysv *w, struct cr_error *err);

#endif
