/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check_files.c - descriptors that stand in the way, while the program runs
 *
 * What is said is what the capture would say, in the same order.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/files.h"

/*
 * It has been closed meanwhile, or its process has ended, or it may not be
 * looked at before the process has agreed to being traced (Yama).
 */
static bool is_unknown(int code)
{
	return code == -EBADF || code == -ESRCH || code == -EPERM;
}

static int check_source(struct cap_files *w, struct cr_object_source *src)
{
	struct cr_object_source *before = w->src;
	struct cr_file f = { .flags = cr_object_flags(src) };
	const struct cr_object_ops *ops;
	struct cr_error why = { 0 };

	/* one for all that is asked */
	src->local = cr_object_dup(src, NULL);
	ops = cr_object_find(src, &why);
	f.kind = ops ? ops->kind : 0;
	w->src = src;
	if (ops)
		cap_file_owner(w, &f, &why);
	w->src = before;
	if (ops && !why.code && ops->check)
		ops->check(src, &why);
	if (src->local >= 0)
		close(src->local);
	src->local = -1;
	if (why.code && !is_unknown(why.code))
		cap_report(w->c, "%s", why.text);
	return 0;
}

static int check_fd(struct cap_files *w, struct cap_proc *p,
		    struct cr_error *err)
{
	return check_source(w, w->src);
}

/* What is on its way will be captured, too. */
static int check_queued(struct cap_files *w, struct cr_error *err)
{
	struct cr_object_source *src = malloc(sizeof(*src));
	size_t i;

	if (!src)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < w->n_queued; i++)
		if (!cap_files_queued_at(w, i, src))
			check_source(w, src);
	free(src);
	return 0;
}

int cap_check_files(struct cr_capture *c, struct cr_error *err)
{
	return cap_files_walk(c, false, check_fd, check_queued, err);
}
