// SPDX-License-Identifier: GPL-2.0
/* session.c - one opening of /dev/cr: its calls, and its end at any moment */
#include <linux/cred.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "internal.h"

union cr_argument {
	struct cr_ioc_info info;
	struct cr_ioc_target target;
	struct cr_ioc_pages pages;
	struct cr_ioc_stop stop;
	struct cr_ioc_threads threads;
	struct cr_ioc_read read;
	struct cr_ioc_done done;
};

static int session_open(struct inode *inode, struct file *file)
{
	struct cr_session *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return -ENOMEM;
	mutex_init(&s->lock);
	INIT_LIST_HEAD(&s->targets);
	INIT_LIST_HEAD(&s->windows);
	s->cred = get_current_cred();
	s->owner = get_task_pid(current, PIDTYPE_TGID);
	s->table = current->files;
	file->private_data = s;
	return nonseekable_open(inode, file);
}

/* Ends it: the targets run on, what was granted is taken back. */
static void session_end(struct cr_session *s)
{
	lockdep_assert_held(&s->lock);
	if (s->over)
		return;
	s->over = true;
	cr_target_drop_all(s);
	cr_pids_drop_all(s);
	cr_audit_over(s);
}

/*
 * Children may have inherited the descriptor.  The session is not theirs: it
 * ends when its owner closes it or dies.  Its owner is known by its table of
 * descriptors; a fork that fails closes those of the child in our name.
 */
static int session_flush(struct file *file, fl_owner_t id)
{
	struct cr_session *s = file->private_data;

	if (id != s->table)
		return 0;
	mutex_lock(&s->lock);
	session_end(s);
	mutex_unlock(&s->lock);
	return 0;
}

static int session_release(struct inode *inode, struct file *file)
{
	struct cr_session *s = file->private_data;

	mutex_lock(&s->lock);
	session_end(s);
	mutex_unlock(&s->lock);
	put_pid(s->owner);
	put_cred(s->cred);
	kfree(s);
	return 0;
}

/* Its descriptor may have been sent to another user, or kept over setuid. */
static bool session_is_mine(const struct cr_session *s)
{
	return uid_eq(current_euid(), s->cred->euid) &&
	       current_user_ns() == s->cred->user_ns;
}

static int session_info(struct cr_ioc_info *info)
{
	*info = (struct cr_ioc_info){
		.version = CR_ABI_VERSION,
		.features = CR_FEATURE_PAGES | CR_FEATURE_DIGESTS,
		.max_targets = CR_MAX_TARGETS,
		.max_threads = CR_MAX_THREADS,
	};
	if (cr_pids_available())
		info->features |= CR_FEATURE_PIDS;
	if (cr_stop_available())
		info->features |= CR_FEATURE_STOP;
	if (READ_ONCE(cr_strict))
		info->policy |= CR_POLICY_STRICT;
	if (!READ_ONCE(cr_pids))
		info->policy |= CR_POLICY_NO_PIDS;
	return 0;
}

static int session_pages(struct cr_session *s, struct cr_ioc_pages *arg)
{
	struct cr_target *t;
	int ret;

	mutex_lock(&s->lock);
	t = s->over ? NULL : cr_target_find(s, arg->pid);
	if (t)
		kref_get(&t->ref);
	mutex_unlock(&s->lock);
	if (!t)
		return -ESRCH;
	ret = cr_pages_write(t, arg);
	cr_target_put(t);
	return ret;
}

static int session_locked(struct cr_session *s, unsigned int nr,
			  union cr_argument *arg)
{
	lockdep_assert_held(&s->lock);
	if (s->over)
		return -ESHUTDOWN;
	switch (nr) {
	case _IOC_NR(CR_IOC_ATTACH):
		return cr_target_attach(s, &arg->target);
	case _IOC_NR(CR_IOC_DETACH):
		return cr_target_detach(s, &arg->target);
	case _IOC_NR(CR_IOC_STOP):
		return cr_stop(s, &arg->stop);
	case _IOC_NR(CR_IOC_RESUME):
		return cr_stop_resume(s, &arg->target);
	case _IOC_NR(CR_IOC_PIDS_OPEN):
		return cr_pids_open(s);
	case _IOC_NR(CR_IOC_PIDS_CLOSE):
		return cr_pids_close(s);
	case _IOC_NR(CR_IOC_DONE):
		return cr_audit_done(s, &arg->done);
	}
	return -ENOTTY;
}

static int session_call(struct cr_session *s, unsigned int nr,
			union cr_argument *arg)
{
	int ret;

	if (nr == _IOC_NR(CR_IOC_INFO))
		return session_info(&arg->info);
	if (!session_is_mine(s))
		return -EPERM;
	/*
	 * These touch the caller's memory, and may wait for it without end.
	 * The owner's death needs the lock.
	 */
	switch (nr) {
	case _IOC_NR(CR_IOC_PAGES):
		return session_pages(s, &arg->pages);
	case _IOC_NR(CR_IOC_THREADS):
		return cr_stop_threads(s, &arg->threads);
	case _IOC_NR(CR_IOC_READ):
		return cr_stop_read(s, &arg->read);
	}
	if (mutex_lock_interruptible(&s->lock))
		return -EINTR;
	ret = session_locked(s, nr, arg);
	mutex_unlock(&s->lock);
	return ret;
}

/* The commands of this version; a caller's may have another size. */
static const unsigned int session_calls[] = {
	CR_IOC_INFO,	  CR_IOC_ATTACH,     CR_IOC_DETACH, CR_IOC_PAGES,
	CR_IOC_STOP,	  CR_IOC_RESUME,     CR_IOC_THREADS, CR_IOC_READ,
	CR_IOC_PIDS_OPEN, CR_IOC_PIDS_CLOSE, CR_IOC_DONE,
};

static long session_ioctl(struct file *file, unsigned int cmd,
			  unsigned long uarg)
{
	unsigned int nr = _IOC_NR(cmd), known, size = _IOC_SIZE(cmd);
	void __user *user = (void __user *)uarg;
	union cr_argument arg;
	int ret;

	if (_IOC_TYPE(cmd) != CR_IOC_MAGIC || nr >= ARRAY_SIZE(session_calls))
		return -ENOTTY;
	known = session_calls[nr];
	if (_IOC_DIR(cmd) != _IOC_DIR(known))
		return -ENOTTY;
	if (!size != !_IOC_SIZE(known))
		return -EINVAL;
	memset(&arg, 0, sizeof(arg));
	if (_IOC_DIR(cmd) & _IOC_WRITE) {
		ret = copy_struct_from_user(&arg, _IOC_SIZE(known), user, size);
		if (ret)
			return ret;
	}
	ret = session_call(file->private_data, nr, &arg);
	/* what was done is told even if it ended in an error */
	if (_IOC_DIR(cmd) & _IOC_READ) {
		known = min(size, _IOC_SIZE(known));
		if (copy_to_user(user, &arg, known) ||
		    clear_user(user + known, size - known))
			return -EFAULT;
	}
	return ret;
}

const struct file_operations cr_session_fops = {
	.owner = THIS_MODULE,
	.open = session_open,
	.flush = session_flush,
	.release = session_release,
	.unlocked_ioctl = session_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};
