/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.c - what belongs to a process besides memory, files and threads */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "objects/object.h"
#include "restore/build.h"

static uint32_t index_of(struct cr_restore_context *ctx, struct cr_stub *s)
{
	return (uint32_t)(s - ctx->stubs);
}

/* Does it bring the table that it may share with others? */
static bool owns(struct cr_restore_context *ctx, struct cr_stub *s,
		 uint32_t owner)
{
	return owner == index_of(ctx, s) || owner == CR_NONE;
}

static int change_dir(struct cr_restore_context *ctx, struct cr_task *t,
		      const char *path, long nr, const char *what,
		      struct cr_error *err)
{
	char text[256];
	uint64_t at;

	path = cr_restore_path(ctx, path);
	if (!path)
		return cr_error_set(err, -ENOMEM, "out of memory");
	at = cr_stub_put(ctx, t, 0, path, strlen(path) + 1, err);
	if (!at)
		return err->code;
	snprintf(text, sizeof(text), "%s %s", what, path);
	return (int)cr_stub_call(t, text, nr, (uint64_t[6]){ at }, err);
}

static int restore_fs(struct cr_restore_context *ctx, struct cr_stub *s,
		      struct cr_error *err)
{
	struct cr_task *t = &s->tasks[0];
	int64_t ret = 0;

	/* the directory first: its path is that of the outside */
	if (s->p->cwd)
		ret = change_dir(ctx, t, s->p->cwd, SYS_chdir,
				 "working directory", err);
	if (ret >= 0 && s->p->root && strcmp(s->p->root, "/"))
		ret = change_dir(ctx, t, s->p->root, SYS_chroot,
				 "root directory", err);
	if (ret < 0)
		return (int)ret;
	ret = cr_stub_call(t, "umask", SYS_umask, (uint64_t[6]){ s->p->umask },
			   err);
	return ret < 0 ? (int)ret : 0;
}

static int restore_actions(struct cr_restore_context *ctx, struct cr_stub *s,
			   struct cr_error *err)
{
	struct {
		uint64_t handler, flags, restorer, mask;
	} act;

	for (int sig = 1; sig <= CR_NSIG; sig++) {
		const struct cr_sigaction *a = &s->p->sigaction[sig - 1];
		uint64_t at;
		int64_t ret;

		if (sig == 9 || sig == 19 ||
		    (!a->handler && !a->flags && !a->mask))
			continue;
		act.handler = a->handler;
		act.flags = a->flags;
		act.restorer = a->restorer;
		act.mask = a->mask;
		at = cr_stub_put(ctx, &s->tasks[0], 0, &act, sizeof(act), err);
		if (!at)
			return err->code;
		ret = cr_stub_call(
			&s->tasks[0], "signal action", SYS_rt_sigaction,
			(uint64_t[6]){ (uint64_t)sig, at, 0, 8 }, err);
		if (ret < 0)
			return (int)ret;
	}
	return 0;
}

/* Lowering needs a privilege; without it the value stays what it is here. */
static void restore_oom(struct cr_stub *s)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", s->pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	dprintf(fd, "%d", s->p->oom_score_adj);
	close(fd);
}

static int simple_calls(struct cr_stub *s, struct cr_error *err)
{
	struct cr_task *t = &s->tasks[0];
	int64_t ret;

	ret = cr_stub_call(t, "personality", SYS_personality,
			   (uint64_t[6]){ s->p->personality }, err);
	if (ret >= 0 && s->p->child_subreaper)
		ret = cr_stub_call(t, "becoming a reaper of orphans", SYS_prctl,
				   (uint64_t[6]){ PR_SET_CHILD_SUBREAPER, 1 },
				   err);
	return ret < 0 ? (int)ret : 0;
}

int cr_process_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		       struct cr_error *err)
{
	int ret = 0;

	if (owns(ctx, s, s->p->fds_of))
		ret = cr_files_place(ctx, s, err);
	if (!ret && owns(ctx, s, s->p->fs_of))
		ret = restore_fs(ctx, s, err);
	if (!ret && owns(ctx, s, s->p->sighand_of))
		ret = restore_actions(ctx, s, err);
	if (!ret)
		ret = simple_calls(s, err);
	if (!ret)
		restore_oom(s);
	return ret;
}

int cr_process_owners(struct cr_restore_context *ctx, struct cr_stub *s,
		      struct cr_error *err)
{
	if (!owns(ctx, s, s->p->fds_of))
		return 0;
	for (size_t i = 0; i < s->p->n_fds; i++) {
		const struct cr_file *f = &ctx->img->files[s->p->fds[i].file];
		struct f_owner_ex owner = { f->owner_type, f->owner_pid };
		int fd = ctx->file_fd[s->p->fds[i].file];
		int64_t ret;

		if ((f->owner_type >= 0 && f->owner_pid &&
		     fcntl(fd, F_SETOWN_EX, &owner) < 0) ||
		    (f->owner_sig && fcntl(fd, F_SETSIG, f->owner_sig) < 0))
			return cr_error_set(err, -errno,
					    "process %d: owner of descriptor "
					    "%d: %s",
					    s->pid, s->p->fds[i].fd,
					    strerror(errno));
		/* the signal tells the number in the process that asked */
		ret = !(f->flags & O_ASYNC) ? 0 :
			cr_stub_call(&s->tasks[0], "O_ASYNC", SYS_fcntl,
				     (uint64_t[6]){ (uint64_t)s->p->fds[i].fd,
						    F_SETFL, f->flags },
				     err);
		if (ret < 0)
			return (int)ret;
	}
	return 0;
}
