/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysv.h - between the files of libcapture about System V IPC */
#ifndef CR_CAPTURE_SYSV_H
#define CR_CAPTURE_SYSV_H

#include <sys/ipc.h>

#include "capture/internal.h"
#include "objects/record.h"
#include "objects/sysv.h"

struct attached;
struct cap_sysv {
	struct cr_capture *c;
	struct cr_task *t; /* that makes the calls */
	struct cap_proc *p;
	struct attached *seg; /* the segments */
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
int cap_sysv_refuse(struct cap_sysv *w, const char *what, int32_t id,
		    int32_t outsider, struct cr_error *err);

/* sysv_sem.c */
int cap_sysv_add_sets(struct cap_sysv *w, struct cr_error *err);

#endif
