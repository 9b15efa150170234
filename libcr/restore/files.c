/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files.c - opens what the tree had open and puts it where it was */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "objects/object.h"
#include "objects/sysv.h"
#include "restore/build.h"

/* All are: by a descriptor, or in a message that is on its way. */
static bool file_used(const struct cr_image *img, uint32_t file)
{
	return !cr_sysv_is(img->files[file].kind);
}

/* How a mapped file must be opened: which areas there are of it. */
static int mapped_mode(const struct cr_image *img, uint32_t file, bool *used)
{
	bool shared = false, written = false;

	*used = false;
	for (size_t i = 0; i < img->n_mms; i++) {
		const struct cr_mm *mm = &img->mms[i];

		if (mm->exe == file && !img->mapped[file].deleted)
			*used = true;
		for (size_t k = 0; k < mm->n_areas; k++) {
			const struct cr_area *a = &mm->areas[k];

			if (a->file != file ||
			    (a->kind != CR_AREA_FILE_PRIVATE &&
			     a->kind != CR_AREA_FILE_SHARED) ||
			    (a->kind == CR_AREA_FILE_PRIVATE &&
			     img->mapped[file].deleted))
				continue;
			*used = true;
			shared |= a->kind == CR_AREA_FILE_SHARED &&
				  !(a->vm_flags & CR_VM_READONLY);
			written |=
				a->kind == CR_AREA_FILE_SHARED && (a->prot & 2);
		}
	}
	return written ? O_RDWR : shared ? -O_RDWR : O_RDONLY;
}

static bool is_executable(const struct cr_image *img, uint32_t file)
{
	for (size_t i = 0; i < img->n_mms; i++)
		if (img->mms[i].exe == file)
			return true;
	return false;
}

/*
 * Its content is in the image, and it need not be there.  Where it is,
 * /proc/PID/exe shows it.
 */
static int open_executable(struct cr_restore_context *ctx, uint32_t i,
			   struct cr_error *err)
{
	const struct cr_file_id *id = &ctx->img->mapped[i];
	const char *path = cr_restore_path(ctx, id->path);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (fd < 0)
		return 0;
	if (!cr_verify_same(id, fd)) {
		close(fd);
		return 0;
	}
	ctx->mapped_fd[i] = fd;
	return cr_context_park_fd(ctx, &ctx->mapped_fd[i], err);
}

/*
 * Shared mappings want the file writable, because the program may change the
 * protection later; read-only ones do without where that is not allowed.
 */
static int open_mapped(struct cr_restore_context *ctx, uint32_t i,
		       struct cr_error *err)
{
	const struct cr_file_id *id = &ctx->img->mapped[i];
	const char *path;
	bool used;
	int mode = mapped_mode(ctx->img, i, &used), fd;

	if (!used)
		return is_executable(ctx->img, i) ? open_executable(ctx, i, err)
						  : 0;
	path = cr_restore_path(ctx, id->path);
	if (!path)
		return cr_error_set(err, -ENOMEM, "out of memory");
	fd = open(path, (mode < 0 ? O_RDWR : mode) | O_CLOEXEC);
	if (fd < 0 && mode < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_set(err, -errno, "mapped file %s: %s", path,
				    strerror(errno));
	ctx->mapped_fd[i] = fd;
	fd = cr_context_park_fd(ctx, &ctx->mapped_fd[i], err);
	return fd < 0 ? fd : cr_readonly_file(ctx, i, err);
}

static int open_file(struct cr_restore_context *ctx, uint32_t i,
		     const struct cr_object_ops *ops, struct cr_error *err)
{
	const struct cr_file *f = &ctx->img->files[i];
	int ret = ops->restore(ctx, f, err);

	if (ret < 0)
		return cr_error_set(err, ret, "%s%s%s: %s", ops->name,
				    f->id.path ? " " : "",
				    f->id.path ? f->id.path : "",
				    strerror(-ret));
	/*
	 * A number of its own: objects may hand out what they remembered, and
	 * the program may want this one.
	 */
	ctx->file_fd[i] = ret;
	return cr_context_park_fd(ctx, &ctx->file_fd[i], err);
}

/* Inherited by all stubs. */
static int make_channel(struct cr_restore_context *ctx, struct cr_error *err)
{
	int ret;

	if (ctx->late[0] >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ctx->late))
		return cr_error_set(err, -errno, "socketpair: %s",
				    strerror(errno));
	ret = cr_context_park_fd(ctx, &ctx->late[0], err);
	return ret < 0 ? ret : cr_context_park_fd(ctx, &ctx->late[1], err);
}

int cr_files_open(struct cr_restore_context *ctx, struct cr_error *err)
{
	const struct cr_image *img = ctx->img;

	for (uint32_t i = 0; i < img->n_mapped; i++) {
		int ret = open_mapped(ctx, i, err);

		if (ret < 0)
			return ret;
	}
	for (uint32_t i = 0; i < img->n_files; i++) {
		const struct cr_object_ops *ops =
			cr_object_ops_of(img->files[i].kind);
		int ret;

		if (!file_used(img, i))
			continue;
		if (!ops || !ops->restore)
			return cr_error_set(err, -ENOTSUP,
					    "open file %u is of a kind (%u) "
					    "that cannot be restored",
					    i, img->files[i].kind);
		ret = ops->late ? make_channel(ctx, err)
				: open_file(ctx, i, ops, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int cr_files_open_late(struct cr_restore_context *ctx, struct cr_error *err)
{
	for (uint32_t i = 0; i < ctx->img->n_files; i++) {
		const struct cr_object_ops *ops =
			cr_object_ops_of(ctx->img->files[i].kind);
		int ret = 0;

		if (ops->late && file_used(ctx->img, i))
			ret = open_file(ctx, i, ops, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int send_fd(int to, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec vec = { &byte, 1 };
	struct msghdr m = { .msg_iov = &vec,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(to, &m, MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* What the stub has not inherited; its number there. */
static int pass(struct cr_restore_context *ctx, struct cr_task *t, int fd,
		struct cr_error *err)
{
	struct {
		struct msghdr m;
		struct iovec vec;
		char byte[8];
		char control[CMSG_SPACE(sizeof(int))];
	} a = { 0 };
	uint64_t at = ctx->bench.data;
	struct cmsghdr *c = (struct cmsghdr *)a.control;
	int64_t ret;

	a.m.msg_iov = (void *)(uintptr_t)(at + offsetof(typeof(a), vec));
	a.m.msg_iovlen = 1;
	a.m.msg_control =
		(void *)(uintptr_t)(at + offsetof(typeof(a), control));
	a.m.msg_controllen = sizeof(a.control);
	a.vec.iov_base = (void *)(uintptr_t)(at + offsetof(typeof(a), byte));
	a.vec.iov_len = 1;
	if (!cr_stub_put(ctx, t, 0, &a, sizeof(a), err))
		return err->code;
	ret = send_fd(ctx->late[0], fd);
	if (ret < 0)
		return cr_error_set(err, (int)ret, "sending a descriptor: %s",
				    strerror((int)-ret));
	ret = cr_stub_call(t, "receiving a descriptor", SYS_recvmsg,
			   (uint64_t[6]){ (uint64_t)ctx->late[1], at,
					  MSG_CMSG_CLOEXEC | MSG_DONTWAIT },
			   err);
	if (ret >= 0)
		ret = cr_remote_read(t->tid, at, &a, sizeof(a), err);
	if (ret < 0)
		return (int)ret;
	if (c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return cr_error_set(err, -EBADF,
				    "process %d: no descriptor came (see "
				    "ulimit -n)",
				    t->tgid);
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int place_late(struct cr_restore_context *ctx, struct cr_task *t,
		      const struct cr_fd *fd, struct cr_error *err)
{
	int got = pass(ctx, t, ctx->file_fd[fd->file], err);
	int64_t ret;

	if (got < 0)
		return got;
	if (got == fd->fd)
		return (int)cr_stub_call(
			t, "placing a descriptor", SYS_fcntl,
			(uint64_t[6]){ (uint64_t)got, F_SETFD, fd->cloexec },
			err);
	ret = cr_stub_call(t, "placing a descriptor", SYS_dup3,
			   (uint64_t[6]){ (uint64_t)got, (uint64_t)fd->fd,
					  fd->cloexec ? O_CLOEXEC : 0 },
			   err);
	if (ret >= 0)
		ret = cr_stub_call(t, "closing", SYS_close,
				   (uint64_t[6]){ (uint64_t)got }, err);
	return ret < 0 ? (int)ret : 0;
}

static int close_between(struct cr_task *t, uint32_t first, uint32_t last,
			 struct cr_error *err)
{
	if (first > last)
		return 0;
	return (int)cr_stub_call(t, "closing descriptors", SYS_close_range,
				 (uint64_t[6]){ first, last }, err);
}

int cr_files_place(struct cr_restore_context *ctx, struct cr_stub *s,
		   struct cr_error *err)
{
	struct cr_task *t = &s->tasks[0];
	uint32_t next = 0;
	int64_t ret;

	for (size_t i = 0; i < s->p->n_fds; i++) {
		const struct cr_fd *fd = &s->p->fds[i];

		if (cr_object_ops_of(ctx->img->files[fd->file].kind)->late) {
			ret = place_late(ctx, t, fd, err);
			if (ret < 0)
				return (int)ret;
			continue;
		}
		ret = cr_stub_call(
			t, "placing a descriptor", SYS_dup3,
			(uint64_t[6]){ (uint64_t)ctx->file_fd[fd->file],
				       (uint64_t)fd->fd,
				       fd->cloexec ? O_CLOEXEC : 0 },
			err);
		if (ret < 0)
			return (int)ret;
	}
	for (size_t i = 0; i < s->p->n_fds; i++) {
		uint32_t fd = (uint32_t)s->p->fds[i].fd;

		if (fd > 0 && fd > next) {
			ret = close_between(t, next, fd - 1, err);
			if (ret < 0)
				return (int)ret;
		}
		next = fd + 1;
	}
	return close_between(t, next, UINT32_MAX, err);
}

int cr_restore_file(struct cr_restore_context *ctx, uint32_t file)
{
	return file < ctx->img->n_files ? ctx->file_fd[file] : -1;
}

static struct cr_stub *stub_of(struct cr_restore_context *ctx, int32_t pid)
{
	for (size_t i = 0; i < ctx->img->n_procs; i++)
		if (ctx->stubs[i].created && ctx->stubs[i].pid == pid)
			return &ctx->stubs[i];
	return NULL;
}

int cr_restore_fd_of(struct cr_restore_context *ctx, int32_t pid,
		     const struct cr_file *file)
{
	struct cr_stub *s = stub_of(ctx, pid);
	const struct cr_process *p = s ? s->p : NULL;

	if (p && p->fds_of != CR_NONE)
		p = &ctx->img->procs[p->fds_of];
	for (size_t i = 0; p && i < p->n_fds; i++)
		if (&ctx->img->files[p->fds[i].file] == file)
			return p->fds[i].fd;
	return -1;
}

int cr_restore_call(struct cr_restore_context *ctx, int32_t pid,
		    const char *what, long nr, const uint64_t args[6], int at,
		    const void *data, size_t len, struct cr_error *err)
{
	struct cr_stub *s = stub_of(ctx, pid);
	uint64_t a[6];
	int64_t ret;

	if (!s)
		return cr_error_set(err, -ESRCH, "process %d is not there",
				    pid);
	memcpy(a, args, sizeof(a));
	if (data) {
		a[at] = cr_stub_put(ctx, cr_stub_task(s), 0, data, len, err);
		if (!a[at])
			return err ? err->code : -EIO;
	}
	ret = cr_stub_call(cr_stub_task(s), what, nr, a, err);
	return (int)ret;
}

static int each(struct cr_restore_context *ctx, bool start,
		struct cr_error *err)
{
	for (uint32_t i = 0; i < ctx->img->n_files; i++) {
		const struct cr_file *f = &ctx->img->files[i];
		const struct cr_object_ops *ops = cr_object_ops_of(f->kind);
		int ret = 0;

		if (ctx->file_fd[i] < 0)
			continue;
		if (!start && ops->connect)
			ret = ops->connect(ctx, f, ctx->file_fd[i], err);
		if (start && ops->start)
			ret = ops->start(ctx, f, ctx->file_fd[i], err);
		if (ret < 0)
			return cr_error_set(err, ret, "%s: %s", ops->name,
					    strerror(-ret));
	}
	return 0;
}

int cr_files_connect(struct cr_restore_context *ctx, struct cr_error *err)
{
	return each(ctx, false, err);
}

/*
 * The last step; then nothing is open here any more but in the processes, so
 * that who waits for the end of a pipe finds it at once.
 */
int cr_files_start(struct cr_restore_context *ctx, struct cr_error *err)
{
	int ret;

	for (uint32_t i = 0; i < ctx->img->n_mapped; i++)
		if (ctx->mapped_fd[i] >= 0) {
			close(ctx->mapped_fd[i]);
			close(ctx->mapped_readonly[i]);
		}
	ret = each(ctx, true, err);
	for (uint32_t i = 0; !ret && i < ctx->img->n_files; i++)
		if (ctx->file_fd[i] >= 0)
			close(ctx->file_fd[i]);
	if (!ret)
		cr_context_forget(ctx);
	return ret;
}
