// SPDX-License-Identifier: GPL-2.0
/*
 * authorise.c - may this caller look into that process?
 *
 * The kernel answers: ptrace_may_access() is not exported, but opening a file
 * of /proc/PID asks it, security modules included.  "maps" needs
 * PTRACE_MODE_READ, "mem" PTRACE_MODE_ATTACH, on which Yama insists besides.
 * The caller's own /proc can be anything, so we have one that nobody sees.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>

#include "compat/compat.h"
#include "internal.h"

static struct vfsmount *proc_mnt;

/* Its numbers are those of who mounts it: of the first namespace. */
int cr_authorise_init(void)
{
	struct file_system_type *proc;

	if (task_active_pid_ns(current) != &init_pid_ns)
		return -EPERM;
	proc = get_fs_type("proc");
	if (!proc)
		return -ENODEV;
	proc_mnt = kern_mount(proc);
	module_put(proc->owner);
	return PTR_ERR_OR_ZERO(proc_mnt);
}

void cr_authorise_exit(void)
{
	kern_unmount(proc_mnt);
}

static int may_access(struct pid *pid)
{
	char name[32];
	struct file *file;

	snprintf(name, sizeof(name), "%d/%s", pid_nr(pid),
		 READ_ONCE(cr_strict) ? "mem" : "maps");
	file = cr_compat_open_below(proc_mnt, name, O_RDONLY);
	if (IS_ERR(file))
		return -EPERM;
	fput(file);
	return 0;
}

/*
 * On success *mm is the memory for which the answer was given, with a
 * reference.  An exec meanwhile would have changed it, to one for which
 * another answer may hold: the check is made again then.
 */
int cr_authorise(struct pid *pid, struct task_struct *task,
		 struct mm_struct **result)
{
	struct mm_struct *mm, *after;
	int ret;

	do {
		mm = get_task_mm(task);
		if (!mm)
			return -ESRCH; /* it is ending, or a kernel thread */
		ret = may_access(pid);
		after = get_task_mm(task);
		if (after)
			mmput(after);
		if (!ret && after == mm) {
			*result = mm;
			return 0;
		}
		mmput(mm);
	} while (!ret && !fatal_signal_pending(current));
	return ret ? ret : -EINTR;
}
