/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* limits.c - resource limits, as far as they may be raised here */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "restore/build.h"

/*
 * A hard limit that is lower here than it was stays: the soft limit then
 * goes as high as it may.
 */
int cr_limits_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		      struct cr_error *err)
{
	struct cr_task *t = cr_stub_task(s);

	for (int i = 0; i < CR_NRLIMIT; i++) {
		struct rlimit old,
			new = { s->p->rlimit[i].cur, s->p->rlimit[i].max };
		int64_t ret;
		uint64_t at;
		int r;

		if (prlimit(s->pid, (enum __rlimit_resource)i, NULL, &old) < 0)
			return cr_error_set(err, -errno,
					    "process %d: limit %d: %s", s->pid,
					    i, strerror(errno));
		for (int again = 0; again < 2; again++) {
			at = cr_stub_put(ctx, t, 0, &new, sizeof(new), err);
			if (!at)
				return err->code;
			r = cr_stub_try(t, &ret, SYS_setrlimit,
					(uint64_t[6]){ (uint64_t)i, at }, err);
			if (r < 0)
				return r;
			if (ret != -EPERM)
				break;
			if (new.rlim_max > old.rlim_max)
				new.rlim_max = old.rlim_max;
			if (new.rlim_cur > new.rlim_max)
				new.rlim_cur = new.rlim_max;
		}
		if (ret < 0)
			return cr_error_set(err, (int)ret,
					    "process %d: limit %d: %s", s->pid,
					    i, strerror((int)-ret));
	}
	return 0;
}
