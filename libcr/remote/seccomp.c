/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seccomp.c - calls of ours that a seccomp filter does not see, and filters
 *
 * Both only for who has CAP_SYS_ADMIN and no filter itself (ptrace(2)).
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote/internal.h"

static bool set_suspended(struct cr_task *t, bool suspended)
{
	bool before = t->unfiltered;

	t->unfiltered = suspended;
	if (!ptrace(PTRACE_SETOPTIONS, t->tid, 0, cr_remote_options(t)))
		return true;
	t->unfiltered = before;
	return false;
}

bool cr_remote_suspend_filters(struct cr_task *t)
{
	return t->unfiltered || set_suspended(t, true);
}

void cr_remote_resume_filters(struct cr_task *t)
{
	if (t->unfiltered)
		set_suspended(t, false);
}

bool cr_remote_is_filtered(const struct cr_task *t)
{
	return ptrace(PTRACE_SECCOMP_GET_FILTER, t->tid, 0, NULL) > 0;
}

/* Of a child of ours: may we? */
bool cr_remote_can_suspend_filters(void)
{
	pid_t child = fork();
	bool yes;

	if (child < 0)
		return false;
	if (!child)
		for (;;)
			pause();
	yes = !ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_SUSPEND_SECCOMP);
	kill(child, SIGKILL);
	while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		;
	return yes;
}

int cr_remote_get_filter(struct cr_task *t, unsigned int i,
			 struct cr_remote_filter *f, struct cr_error *err)
{
	struct __ptrace_seccomp_metadata meta = { .filter_off = i };
	long n = ptrace(PTRACE_SECCOMP_GET_FILTER, t->tid, i, NULL);

	memset(f, 0, sizeof(*f));
	if (n < 0 && errno == ENOENT)
		return -ENOENT;
	if (n > 0) {
		f->len = (size_t)n * sizeof(struct sock_filter);
		f->code = malloc(f->len);
		if (!f->code)
			return cr_error_set(err, -ENOMEM, "out of memory");
		n = ptrace(PTRACE_SECCOMP_GET_FILTER, t->tid, i, f->code);
	}
	if (n > 0 && ptrace(PTRACE_SECCOMP_GET_METADATA, t->tid, sizeof(meta),
			    &meta) > 0) {
		f->log = meta.flags & SECCOMP_FILTER_FLAG_LOG;
		return 0;
	}
	n = n ? -errno : -EPROTO;
	free(f->code);
	f->code = NULL;
	return cr_error_set(err, (int)n, "thread %d: seccomp filter %u: %s",
			    t->tid, i, strerror((int)-n));
}
