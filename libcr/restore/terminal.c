/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* terminal.c - the sessions of pseudo terminals that are in the tree */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "objects/pty.h"
#include "objects/record.h"
#include "restore/build.h"

/* For each pair of the image that belongs to a session. */
typedef int (*each_fn)(struct cr_restore_context *ctx,
		       const struct cr_pty_state *s, int slave, int32_t arg,
		       struct cr_error *err);

static int each(struct cr_restore_context *ctx, each_fn fn, int32_t arg,
		struct cr_error *err)
{
	struct cr_pty_state s = { 0 };
	int slave, ret = 0;

	for (size_t i = 0; !ret && i < ctx->img->n_files; i++) {
		const struct cr_file *f = &ctx->img->files[i];

		if (f->kind != CR_OBJ_PTY)
			continue;
		ret = cr_object_unrecord(f, cr_pty_record, &s, err);
		if (!ret && s.role == CR_PTY_MASTER && s.sid &&
		    !cr_restore_lookup(ctx, CR_OBJ_PTY, f->object_id, 1,
				       &slave))
			ret = fn(ctx, &s, slave, arg, err);
		cr_pty_free(&s);
	}
	return ret;
}

int cr_terminals_prepare(struct cr_restore_context *ctx, struct cr_error *err)
{
	if (!ctx->own_namespace || !cr_pty_look(ctx->img, NULL))
		return 0;
	/* others have these numbers: so have all of our own */
	if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=0620"))
		return cr_error_set(err, -errno,
				    "pseudo terminals of its own: %s",
				    strerror(errno));
	return 0;
}

static int take(struct cr_restore_context *ctx, const struct cr_pty_state *s,
		int slave, int32_t pid, struct cr_error *err)
{
	uint32_t i = cr_plan_find(ctx->img, pid);
	int64_t ret;

	if (s->sid != pid || i == CR_NONE)
		return 0;
	ret = cr_stub_call(&ctx->stubs[i].tasks[0], "its terminal", SYS_ioctl,
			   (uint64_t[6]){ (uint64_t)slave, TIOCSCTTY, 0 }, err);
	return ret < 0 ? (int)ret : 0;
}

int cr_terminal_take(struct cr_restore_context *ctx, int32_t pid,
		     struct cr_error *err)
{
	return each(ctx, take, pid, err);
}

static int give(struct cr_restore_context *ctx, const struct cr_pty_state *s,
		int slave, int32_t arg, struct cr_error *err)
{
	uint32_t i = cr_plan_find(ctx->img, s->sid);
	struct cr_task *t;
	uint64_t at;
	int64_t ret;

	if (!s->pgid || s->pgid == s->sid || i == CR_NONE)
		return 0;
	t = &ctx->stubs[i].tasks[0];
	at = cr_stub_put(ctx, t, 0, &s->pgid, sizeof(s->pgid), err);
	if (!at)
		return err->code;
	ret = cr_stub_call(t, "the foreground group of its terminal", SYS_ioctl,
			   (uint64_t[6]){ (uint64_t)slave, TIOCSPGRP, at },
			   err);
	return ret < 0 ? (int)ret : 0;
}

int cr_terminals_give(struct cr_restore_context *ctx, struct cr_error *err)
{
	return each(ctx, give, 0, err);
}
