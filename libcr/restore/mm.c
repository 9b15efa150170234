/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mm.c - brk, the auxiliary vector and other facts of an address space */
#include <errno.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "restore/build.h"

#define AUXV_OFFSET 1024 /* in the bench's data, behind the map */

/*
 * PR_SET_MM_MAP needs no privilege except for the executable's link, which
 * is that of choosing process ids; without it the link stays that of the
 * restart command.  -EBUSY: the program's memory shows the restart command's
 * own file.
 */
static int set_map(struct cr_restore_context *ctx, struct cr_task *t,
		   const struct cr_mm *mm, struct cr_error *err)
{
	const struct cr_mm_fields *f = &mm->fields;
	struct prctl_mm_map map = {
		.start_code = f->start_code,
		.end_code = f->end_code,
		.start_data = f->start_data,
		.end_data = f->end_data,
		.start_brk = f->start_brk,
		.brk = f->brk,
		.start_stack = f->start_stack,
		.arg_start = f->arg_start,
		.arg_end = f->arg_end,
		.env_start = f->env_start,
		.env_end = f->env_end,
		.auxv_size = (uint32_t)f->auxv.len,
		.exe_fd = (uint32_t)-1,
	};
	int64_t ret = 0;
	uint64_t at;
	int r;

	if (f->auxv.len) {
		at = cr_stub_put(ctx, t, AUXV_OFFSET, f->auxv.data, f->auxv.len,
				 err);
		if (!at)
			return err->code;
		map.auxv = (void *)(uintptr_t)at;
	}
	if (mm->exe != CR_NONE && ctx->mapped_fd[mm->exe] >= 0)
		map.exe_fd = (uint32_t)ctx->mapped_fd[mm->exe];
	r = cr_engine_grant_to(&ctx->engine, t, err);
	if (r < 0)
		return r;
	for (;;) {
		at = cr_stub_put(ctx, t, 0, &map, sizeof(map), err);
		if (!at)
			return err->code;
		r = cr_stub_try(t, &ret, SYS_prctl,
				(uint64_t[6]){ PR_SET_MM, PR_SET_MM_MAP, at,
					       sizeof(map), 0 },
				err);
		if (r < 0)
			return r;
		if (ret >= 0 || map.exe_fd == (uint32_t)-1 ||
		    (ret != -EPERM && ret != -EACCES && ret != -ETXTBSY &&
		     ret != -EBUSY))
			break;
		map.exe_fd = (uint32_t)-1;
	}
	r = cr_engine_revoke_from(&ctx->engine, t, err);
	if (r < 0)
		return r;
	if (ret < 0)
		return cr_error_set(err, (int)ret,
				    "process %d: end of the heap and other "
				    "limits of its memory: %s",
				    t->tgid, strerror((int)-ret));
	return 0;
}

static uint64_t thp_flags(const struct cr_image *img, uint32_t mm)
{
	for (size_t i = 0; i < img->n_settings; i++)
		if (img->settings[i].kind == CR_SETTING_THP &&
		    img->settings[i].owner == mm)
			return img->settings[i].value;
	return 0;
}

int cr_mm_fields_restore(struct cr_restore_context *ctx, struct cr_stub *s,
			 struct cr_error *err)
{
	const struct cr_mm *mm = &ctx->img->mms[s->p->mm];
	struct cr_task *t = &s->tasks[0];
	uint64_t but = thp_flags(ctx->img, s->p->mm);
	int64_t r = -EINVAL;
	int ret;

	ret = set_map(ctx, t, mm, err);
	/* an older kernel does not know them: then all of it, for speed only */
	if (!ret && but)
		ret = cr_stub_try(t, &r, SYS_prctl,
				  (uint64_t[6]){ PR_SET_THP_DISABLE, 1, but },
				  err);
	if (!ret && r < 0 && (mm->thp_disable || but)) {
		r = cr_stub_call(t, "disabling huge pages", SYS_prctl,
				 (uint64_t[6]){ PR_SET_THP_DISABLE, 1 }, err);
		ret = r < 0 ? (int)r : 0;
	}
	return ret;
}
