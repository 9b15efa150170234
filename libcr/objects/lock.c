/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.c - locks on files: flock(2), fcntl(2), leases */
#include "objects/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "objects/record.h"
#include "restore/restore.h"

void cr_locks_record(struct cr_pack *p, void *locks)
{
	struct cr_locks *s = locks;

	CR_PACK_ARRAY(p, s->lock, s->n, 25);
	for (size_t i = 0; i < s->n && !p->status; i++) {
		cr_pack_u32(p, &s->lock[i].kind);
		cr_pack_bool(p, &s->lock[i].exclusive);
		cr_pack_s32(p, &s->lock[i].pid);
		cr_pack_u64(p, &s->lock[i].start);
		cr_pack_u64(p, &s->lock[i].end);
	}
}

/* The line of fdinfo after "lock:"; false: of another kind. */
static bool parse(const struct cr_object_source *src, const char *line,
		  struct cr_lock *l)
{
	char kind[16], active[16], type[16], end[24];
	unsigned long long start;
	int pid;

	if (sscanf(line, " %*d: %15s %15s %15s %d %*s %llu %23s", kind, active,
		   type, &pid, &start, end) != 6)
		return false;
	*l = (struct cr_lock){ .start = start, .end = UINT64_MAX };
	if (!strcmp(kind, "FLOCK"))
		l->kind = CR_LOCK_FLOCK;
	else if (!strcmp(kind, "POSIX"))
		l->kind = CR_LOCK_POSIX;
	else if (!strcmp(kind, "OFDLCK"))
		l->kind = CR_LOCK_OFD;
	else if (!strcmp(kind, "LEASE"))
		l->kind = CR_LOCK_LEASE;
	else
		return false;
	if (l->kind == CR_LOCK_POSIX)
		l->pid = src->vpid;
	if (l->kind == CR_LOCK_LEASE && src->number)
		l->pid = src->number(src, pid, false);
	l->exclusive = !strcmp(type, "WRITE");
	if (strcmp(end, "EOF") != 0)
		l->end = strtoull(end, NULL, 10);
	return !strcmp(active, l->kind == CR_LOCK_LEASE ? "ACTIVE"
							: "ADVISORY") &&
	       (l->exclusive || !strcmp(type, "READ"));
}

/* The next one at or after p, or NULL. */
static const char *next(const char *p)
{
	p = strstr(p, "lock:");
	return p ? p + 5 : NULL;
}

int cr_locks_check(const struct cr_object_source *src, struct cr_error *err)
{
	struct cr_lock l;
	int ret = 0;

	if (strlen(src->fdinfo) == sizeof(src->fdinfo) - 1)
		return cr_error_set(err, -ENOTSUP,
				    "%s has too many locks to be saved; unlock "
				    "some before the checkpoint",
				    cr_object_label(src));
	for (const char *p = next(src->fdinfo); p && !ret; p = next(p))
		if (!parse(src, p, &l))
			ret = cr_error_set(err, -ENOTSUP,
					   "%s has a lease or lock (%.*s) "
					   "that cannot be saved; give it "
					   "back before the checkpoint",
					   cr_object_label(src),
					   (int)strcspn(p + 1, "\n"), p + 1);
		else if (l.kind == CR_LOCK_LEASE)
			ret = cr_lease_check(src, err);
	return ret;
}

static bool same(const struct cr_lock *a, const struct cr_lock *b)
{
	return a->kind == b->kind && a->pid == b->pid && a->start == b->start &&
	       a->end == b->end;
}

static int add(struct cr_locks *s, const struct cr_lock *l)
{
	struct cr_lock *more;
	size_t i;

	for (i = 0; i < s->n; i++)
		if (same(&s->lock[i], l))
			return 0; /* another number of the same description */
	more = realloc(s->lock, (s->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->lock = more;
	s->lock[s->n++] = *l;
	return 0;
}

int cr_locks_capture(const struct cr_object_source *src, struct cr_file *file,
		     struct cr_error *err)
{
	struct cr_locks s = { 0 };
	struct cr_lock l;
	int ret;

	ret = cr_locks_check(src, err);
	if (!ret && file->extra.len)
		ret = cr_object_unrecord(file, cr_locks_record, &s, err);
	for (const char *p = next(src->fdinfo); p && !ret; p = next(p))
		if (parse(src, p, &l) && add(&s, &l))
			ret = cr_error_set(err, -ENOMEM, "out of memory");
	if (!ret && s.n) {
		free(file->extra.data);
		file->extra = (struct cr_blob){ 0 };
		ret = cr_object_record(file, cr_locks_record, &s, err);
	}
	free(s.lock);
	return ret;
}

int cr_locks_hint(const struct cr_object_source *src, struct cr_file *file,
		  struct cr_error *err)
{
	struct cr_lock l = { .kind = CR_LOCK_HINT, .end = UINT64_MAX };
	struct cr_locks s = { &l, 1 };
	int fd = cr_object_dup(src, err);

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_GET_RW_HINT, &l.start))
		l.start = 0;
	cr_object_undup(src, fd);
	return l.start ? cr_object_record(file, cr_locks_record, &s, err) : 0;
}

static struct flock range(const struct cr_lock *l)
{
	return (struct flock){
		.l_type = l->exclusive ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)l->start,
		.l_len = l->end == UINT64_MAX ? 0
					      : (off_t)(l->end - l->start + 1),
	};
}

int cr_locks_take(int fd, const struct cr_file *file, struct cr_error *err)
{
	struct cr_locks s = { 0 };
	int ret = 0;

	if (file->extra.len)
		ret = cr_object_unrecord(file, cr_locks_record, &s, err);
	for (size_t i = 0; i < s.n && !ret; i++) {
		struct flock r = range(&s.lock[i]);

		/* about speed only: not every user may, or kernel can */
		if (s.lock[i].kind == CR_LOCK_HINT)
			fcntl(fd, F_SET_RW_HINT, &s.lock[i].start);
		else if (s.lock[i].kind == CR_LOCK_OFD)
			ret = fcntl(fd, F_OFD_SETLK, &r);
		else if (s.lock[i].kind == CR_LOCK_FLOCK)
			ret = flock(fd,
				    LOCK_NB | (s.lock[i].exclusive ? LOCK_EX
								   : LOCK_SH));
		if (ret)
			ret = cr_error_set(err, -errno,
					   "%s: its %s lock cannot be taken "
					   "again: %s",
					   file->id.path,
					   s.lock[i].kind == CR_LOCK_OFD
						   ? "fcntl(2)"
						   : "flock(2)",
					   strerror(errno));
	}
	free(s.lock);
	return ret;
}

int cr_locks_connect(struct cr_restore_context *ctx, const struct cr_file *file,
		     int fd, struct cr_error *err)
{
	struct cr_locks s = { 0 };
	int ret = 0, number;
	char what[512];

	if (file->extra.len)
		ret = cr_object_unrecord(file, cr_locks_record, &s, err);
	for (size_t i = 0; i < s.n && !ret; i++) {
		struct flock r = range(&s.lock[i]);

		if (s.lock[i].kind != CR_LOCK_POSIX)
			continue;
		snprintf(what, sizeof(what), "locking %s again", file->id.path);
		number = cr_restore_fd_of(ctx, s.lock[i].pid, file);
		ret = cr_restore_call(
			ctx, s.lock[i].pid, what, SYS_fcntl,
			(uint64_t[6]){ (uint64_t)number, F_SETLK }, 2, &r,
			sizeof(r), err);
	}
	free(s.lock);
	return ret;
}

int cr_locks_verify(const struct cr_file *file, struct cr_error *err)
{
	struct cr_locks s = { 0 };
	int ret = 0;

	if (file->extra.len)
		ret = cr_object_unrecord(file, cr_locks_record, &s, err);
	for (size_t i = 0; i < s.n && !ret; i++)
		if (!s.lock[i].kind || s.lock[i].kind > CR_LOCK_HINT)
			ret = cr_error_set(err, -ENOTSUP,
					   "%s: a lock of a kind (%u) that "
					   "this version cannot take",
					   file->id.path, s.lock[i].kind);
	free(s.lock);
	return ret;
}

int cr_locks_lease(struct cr_restore_context *ctx, const struct cr_file *file,
		   int fd, struct cr_error *err)
{
	struct cr_locks s = { 0 };
	int ret = 0;

	if (file->extra.len)
		ret = cr_object_unrecord(file, cr_locks_record, &s, err);
	for (size_t i = 0; i < s.n && !ret; i++)
		if (s.lock[i].kind == CR_LOCK_LEASE)
			ret = cr_lease_take(ctx, file, &s.lock[i], fd, err);
	free(s.lock);
	return ret;
}
