/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seccomp.c - seccomp filters come back
 *
 * They are suspended while a thread is held, so that no call of ours meets
 * them, nor one filter the installation of the next.  Who may do that need
 * not have no_new_privs for it.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "restore/build.h"

bool cr_is_filter(const struct cr_setting *s)
{
	return s->kind == CR_SETTING_FILTER ||
	       s->kind == CR_SETTING_FILTERS_OF || s->kind == CR_SETTING_STRICT;
}

int cr_filters_verify(struct cr_restore_context *ctx, struct cr_error *err)
{
	const struct cr_image *img = ctx->img;

	for (size_t i = 0; i < img->n_settings; i++) {
		if (!cr_is_filter(&img->settings[i]))
			continue;
		if (cr_remote_can_suspend_filters())
			return 0;
		return cr_error_set(err, -EPERM,
				    "thread %u had a seccomp filter, which "
				    "only those can bring back who have "
				    "CAP_SYS_ADMIN on this host, and no "
				    "filter: restart it as root, outside of "
				    "containers",
				    img->settings[i].owner);
	}
	return 0;
}

static int install(struct cr_restore_context *ctx, struct cr_task *t,
		   const struct cr_setting *s, bool for_all,
		   struct cr_error *err)
{
	const uint64_t flags = (s->value ? SECCOMP_FILTER_FLAG_LOG : 0) |
			       (for_all ? SECCOMP_FILTER_FLAG_TSYNC : 0);
	struct sock_fprog prog = {
		.len = (unsigned short)(s->data.len /
					sizeof(struct sock_filter)),
	};
	uint64_t at, code;
	int64_t ret;

	code = cr_stub_put(ctx, t, sizeof(prog), s->data.data, s->data.len,
			   err);
	prog.filter = (struct sock_filter *)(uintptr_t)code;
	at = code ? cr_stub_put(ctx, t, 0, &prog, sizeof(prog), err) : 0;
	if (!at)
		return err->code;
	ret = cr_stub_call(t, "seccomp filter", SYS_seccomp,
			   (uint64_t[6]){ SECCOMP_SET_MODE_FILTER, flags, at },
			   err);
	if (ret > 0)
		return cr_error_set(err, -EBUSY,
				    "process %d: seccomp filter: thread %d "
				    "has another one",
				    t->tgid, (int)ret);
	return ret < 0 ? (int)ret : 0;
}

/* All that thread "of" had, in t. */
static int install_all(struct cr_restore_context *ctx, struct cr_task *t,
		       uint64_t of, bool for_all, struct cr_error *err)
{
	const struct cr_image *img = ctx->img;
	int ret = 0;

	for (size_t i = 0; i < img->n_settings && !ret; i++)
		if (img->settings[i].kind == CR_SETTING_FILTER &&
		    img->settings[i].owner == of)
			ret = install(ctx, t, &img->settings[i], for_all, err);
	return ret;
}

static const struct cr_setting *find(const struct cr_image *img, int32_t tid)
{
	for (size_t i = 0; i < img->n_settings; i++)
		if (cr_is_filter(&img->settings[i]) &&
		    img->settings[i].owner == (uint32_t)tid)
			return &img->settings[i];
	return NULL;
}

/* They are the same objects then, which a program with TSYNC relies on. */
static bool one_for_all(const struct cr_image *img, const struct cr_stub *s)
{
	const int32_t first = s->p->threads[s->first].tid;

	for (size_t k = s->first + 1; k < s->n_tasks; k++) {
		const struct cr_setting *x =
			find(img, s->p->threads[k].tid);

		if (!x || x->kind != CR_SETTING_FILTERS_OF ||
		    x->value != (uint64_t)first)
			return false;
	}
	return true;
}

static int restore_thread(struct cr_restore_context *ctx, struct cr_task *t,
			  const struct cr_setting *x, bool for_all,
			  struct cr_error *err)
{
	int64_t ret;

	if (x->kind != CR_SETTING_STRICT)
		return install_all(ctx, t,
				   x->kind == CR_SETTING_FILTER ? x->owner
								: x->value,
				   for_all, err);
	ret = cr_stub_call(t, "seccomp strict mode", SYS_prctl,
			   (uint64_t[6]){ PR_SET_SECCOMP, SECCOMP_MODE_STRICT },
			   err);
	return ret < 0 ? (int)ret : 0;
}

int cr_filters_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		       struct cr_error *err)
{
	const struct cr_setting *x;
	bool for_all = one_for_all(ctx->img, s);
	int ret = 0;

	for (size_t k = s->first; k < s->n_tasks && !ret; k++) {
		x = find(ctx->img, s->p->threads[k].tid);
		s->tasks[k].filtered = x;
		if (x && !cr_remote_suspend_filters(&s->tasks[k]))
			ret = cr_error_set(err, -EPERM,
					   "process %d: seccomp filters cannot "
					   "be suspended",
					   s->pid);
	}
	for (size_t k = s->first; k < s->n_tasks && !ret; k++) {
		x = find(ctx->img, s->p->threads[k].tid);
		if (x)
			ret = restore_thread(ctx, &s->tasks[k], x, for_all,
					     err);
		if (for_all && x && x->kind == CR_SETTING_FILTER)
			break;
	}
	return ret;
}
