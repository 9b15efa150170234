// SPDX-License-Identifier: GPL-2.0
/* audit.c - one line in the kernel log for each checkpoint and restart */
#include <linux/cred.h>
#include <linux/printk.h>
#include <linux/uidgid.h>

#include "internal.h"

static void audit_line(const struct cr_session *s, const char *what, pid_t pid,
		       const char *result, int code)
{
	pr_info_ratelimited("cr: %s of process %d by uid %u, process %d: %s (%d)\n",
			    what, pid, from_kuid(&init_user_ns, s->cred->uid),
			    pid_nr(s->owner), result, code);
}

int cr_audit_done(struct cr_session *s, const struct cr_ioc_done *arg)
{
	lockdep_assert_held(&s->lock);
	if (arg->reserved || arg->result > 0 || arg->result < -MAX_ERRNO ||
	    (arg->what != CR_DONE_CHECKPOINT && arg->what != CR_DONE_RESTART))
		return -EINVAL;
	cr_pids_settle(s);
	audit_line(s,
		   arg->what == CR_DONE_RESTART ? "restart" : "checkpoint",
		   arg->pid, arg->result ? "failed" : "done", arg->result);
	s->unreported = false;
	return 0;
}

/* Who says nothing at the end is not forgotten. */
void cr_audit_over(struct cr_session *s)
{
	if (s->unreported)
		audit_line(s, "session", s->last, "ended without a result", 0);
	s->unreported = false;
}
