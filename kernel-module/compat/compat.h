/* SPDX-License-Identifier: GPL-2.0 */
/* compat.h - every difference between kernels 5.10 and current, in one place */
#ifndef CR_COMPAT_H
#define CR_COMPAT_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>
#include <linux/uio.h>
#include <linux/version.h>

/* 5.14 gave the direction of an iterator a name. */
#ifndef ITER_SOURCE
#if KERNEL_VERSION(5, 14, 0) > LINUX_VERSION_CODE
#define ITER_SOURCE WRITE
#endif
#endif

/* 5.14 renamed it, to find all users. */
static inline bool cr_compat_uninterruptible(struct task_struct *task)
{
#if KERNEL_VERSION(5, 14, 0) > LINUX_VERSION_CODE
	return READ_ONCE(task->state) & TASK_UNINTERRUPTIBLE;
#else
	return READ_ONCE(task->__state) & TASK_UNINTERRUPTIBLE;
#endif
}

/* 6.5 dropped an argument that hardly anybody used. */
static inline long cr_compat_get_pages(struct mm_struct *mm,
				       unsigned long addr, unsigned long n,
				       unsigned int flags, struct page **pages)
{
#if KERNEL_VERSION(6, 5, 0) > LINUX_VERSION_CODE
	return get_user_pages_remote(mm, addr, n, flags, pages, NULL, NULL);
#else
	return get_user_pages_remote(mm, addr, n, flags, pages, NULL);
#endif
}

/* Since 6.8 it waits by itself while a file system is frozen. */
static inline ssize_t cr_compat_write_iter(struct file *file,
					   struct iov_iter *iter, loff_t *pos)
{
	ssize_t ret;

	if (KERNEL_VERSION(6, 8, 0) > LINUX_VERSION_CODE)
		file_start_write(file);
	ret = vfs_iter_write(file, iter, pos, 0);
	if (KERNEL_VERSION(6, 8, 0) > LINUX_VERSION_CODE)
		file_end_write(file);
	return ret;
}

/* 5.12 made one of two arguments. */
static inline struct file *cr_compat_open_below(struct vfsmount *mnt,
						const char *name, int flags)
{
#if KERNEL_VERSION(5, 12, 0) > LINUX_VERSION_CODE
	return file_open_root(mnt->mnt_root, mnt, name, flags, 0);
#else
	struct path root = { .mnt = mnt, .dentry = mnt->mnt_root };

	return file_open_root(&root, name, flags, 0);
#endif
}

/* Threads that never go back to user space; the second kind came with 6.4. */
#ifdef PF_USER_WORKER
#define CR_COMPAT_WORKER (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER)
#else
#define CR_COMPAT_WORKER (PF_KTHREAD | PF_IO_WORKER)
#endif

/* A kernel without tracepoints has none to be asked for. */
static inline void cr_compat_each_tracepoint(void (*fn)(struct tracepoint *tp,
							void *priv),
					     void *priv)
{
#ifdef CONFIG_TRACEPOINTS
	for_each_kernel_tracepoint(fn, priv);
#endif
}

#endif
