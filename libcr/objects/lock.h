/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.h - locks on files: flock(2), fcntl(2), leases */
#ifndef CR_LOCK_H
#define CR_LOCK_H

#include "image/pack.h"
#include "objects/object.h"

enum cr_lock_kind {
	CR_LOCK_FLOCK = 1,
	CR_LOCK_POSIX, /* of process pid */
	CR_LOCK_OFD,
	CR_LOCK_LEASE,
	CR_LOCK_HINT, /* no lock: F_SET_RW_HINT of the file; start has it */
};

struct cr_lock {
	uint32_t kind;
	bool exclusive;
	int32_t pid; /* CR_LOCK_POSIX, as the program sees it; CR_LOCK_LEASE: who
			asked for it, 0: nobody in the tree */
	uint64_t start;
	uint64_t end; /* the last byte; UINT64_MAX: to the end of the file */
};

struct cr_locks {
	struct cr_lock *lock;
	size_t n;
};

void cr_locks_record(struct cr_pack *p, void *locks);
int cr_locks_check(const struct cr_object_source *src, struct cr_error *err);
/* Adds to those in file->extra what this descriptor shows of them. */
int cr_locks_capture(const struct cr_object_source *src, struct cr_file *file,
		     struct cr_error *err);
/* Sets file->extra to the file's hint (F_SET_RW_HINT), if it has one. */
int cr_locks_hint(const struct cr_object_source *src, struct cr_file *file,
		  struct cr_error *err);
/* Those of the description, by its fd in the caller. */
int cr_locks_take(int fd, const struct cr_file *file, struct cr_error *err);
/* Those of processes; a connect() of cr_object_ops. */
int cr_locks_connect(struct cr_restore_context *ctx, const struct cr_file *file,
		     int fd, struct cr_error *err);
/* Are those in the image of a kind that is known here? */
int cr_locks_verify(const struct cr_file *file, struct cr_error *err);
/* Leases, by the description's fd in the caller: nobody opens the file now. */
int cr_locks_lease(struct cr_restore_context *ctx, const struct cr_file *file,
		   int fd, struct cr_error *err);

/* lease.c */
int cr_lease_check(const struct cr_object_source *src, struct cr_error *err);
int cr_lease_take(struct cr_restore_context *ctx, const struct cr_file *file,
		  const struct cr_lock *l, int fd, struct cr_error *err);

#endif
