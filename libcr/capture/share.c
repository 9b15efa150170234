/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* share.c - which processes share memory, descriptors, directories, actions */
#include <errno.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/internal.h"

/*
 * The first process before p with which it shares what type says, or p
 * itself.  Where kcmp(2) is not to be had, sharing shows in no other way:
 * -errno.
 */
static int sharer(struct cr_capture *c, size_t k, int type,
		  struct cap_proc **result, struct cr_error *err)
{
	struct cap_proc *p = c->procs[k], *q;
	size_t i;
	long r;

	*result = p;
	for (i = 0; i < k; i++) {
		q = c->procs[i];
		if (q->zombie || q->launcher || q->omitted)
			continue;
		r = syscall(SYS_kcmp, p->tid, q->tid, type, 0, 0);
		if (r < 0)
			return cr_error_set(err, -errno,
					    "processes %d and %d: kcmp: %s",
					    q->vpid, p->vpid, strerror(errno));
		if (r == 0) {
			*result = q;
			return 0;
		}
	}
	return 0;
}

int cap_share(struct cr_capture *c, struct cr_error *err)
{
	struct cap_proc *p;
	size_t i;
	int ret;

	for (i = 0; i < c->n_procs; i++) {
		p = c->procs[i];
		p->mm_of = p->fds_of = p->fs_of = p->sighand_of = p;
		if (p->zombie || p->launcher || p->omitted)
			continue;
		ret = sharer(c, i, KCMP_VM, &p->mm_of, err);
		if (!ret)
			ret = sharer(c, i, KCMP_FILES, &p->fds_of, err);
		if (!ret)
			ret = sharer(c, i, KCMP_FS, &p->fs_of, err);
		if (!ret)
			ret = sharer(c, i, KCMP_SIGHAND, &p->sighand_of, err);
		if (ret)
			return ret;
	}
	return 0;
}
