// SPDX-License-Identifier: GPL-2.0
/*
 * pages.c - pages of a target go to a file, without a copy in user space
 *
 * Pages that were never touched are not brought into being by looking at
 * them: FOLL_DUMP has the kernel say EFAULT instead.  FOLL_FORCE reads what
 * the program itself may not, as a core dump does.
 *
 * Whoever stores pages in a context file needs their digests, and does not
 * want those that are full of zeros; both would take him to read them all
 * again, so it is done here, while they are at hand.
 */
#include <linux/bvec.h>
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat/compat.h"
#include "digest.h"
#include "internal.h"

#define BATCH 256UL /* pages that are held at a time */
#define LOOK (1UL << 36) /* how far for a page table before others may run */

struct transfer {
	struct mm_struct *mm;
	struct file *file;
	struct cr_ioc_pages *arg;
	bool is_pipe;
	bool written;		/* anything, by this call */
	struct cr_range run;	/* the last one, not yet told */
	struct cr_digest digest; /* of what is in it */
	struct page *pages[BATCH];
	struct bio_vec vec[BATCH];
};

/* Where the levels above have been found to be there. */
static pud_t *pud_at(struct mm_struct *mm, unsigned long addr)
{
	return pud_offset(p4d_offset(pgd_offset(mm, addr), addr), addr);
}

/*
 * The first address from addr on, below end, that has a page table.  Where a
 * level is folded its entry ends with that of the level above.
 */
static unsigned long skip_empty(struct mm_struct *mm, unsigned long addr,
				unsigned long end)
{
	unsigned long next;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;

	lockdep_assert_held(&mm->mmap_lock);
	while (addr < end) {
		pgd = pgd_offset(mm, addr);
		next = pgd_addr_end(addr, end);
		if (pgd_none(READ_ONCE(*pgd))) {
			addr = next;
			continue;
		}
		p4d = p4d_offset(pgd, addr);
		next = p4d_addr_end(addr, next);
		if (p4d_none(READ_ONCE(*p4d))) {
			addr = next;
			continue;
		}
		pud = pud_offset(p4d, addr);
		next = pud_addr_end(addr, next);
		if (pud_none(READ_ONCE(*pud))) {
			addr = next;
			continue;
		}
		if (pud_leaf(READ_ONCE(*pud)) ||
		    !pmd_none(READ_ONCE(*pmd_offset(pud, addr))))
			break;
		addr = pmd_addr_end(addr, next);
	}
	return min(addr, end);
}

/* Only there does an empty table mean that there is nothing. */
static bool is_anonymous(const struct vm_area_struct *vma)
{
	return !vma->vm_ops && !vma->vm_file;
}

/*
 * Is there a page at addr that is not in memory?  Tables do not change their
 * place while we have the lock, but newer kernels free empty ones after a
 * grace period.
 */
static bool is_elsewhere(struct mm_struct *mm, unsigned long addr)
{
	bool yes = false;
	pmd_t pmd;
	pte_t pte;

	lockdep_assert_held(&mm->mmap_lock);
	if (skip_empty(mm, addr, addr + PAGE_SIZE) != addr)
		return false;
	rcu_read_lock();
	if (pud_leaf(READ_ONCE(*pud_at(mm, addr))))
		goto out;
	pmd = READ_ONCE(*pmd_offset(pud_at(mm, addr), addr));
	if (pmd_none(pmd))
		goto out;
	yes = !pmd_present(pmd);
	if (yes || pmd_leaf(pmd))
		goto out;
	pte = READ_ONCE(*pte_offset_kernel(&pmd, addr));
	yes = !pte_none(pte) && !pte_present(pte);
out:
	rcu_read_unlock();
	return yes;
}

/*
 * Pages from addr on: how many, or -EFAULT when there is nothing at addr.  The
 * kernel says the same when it cannot read a page back from swap.  To leave
 * that one out would be to lose it.
 */
static long get_pages(struct transfer *t, unsigned long addr, long n)
{
	long got;
	int try;

	for (try = 0; try < 2; try++) {
		got = cr_compat_get_pages(t->mm, addr, n,
					  FOLL_GET | FOLL_DUMP | FOLL_FORCE |
					  FOLL_HWPOISON, t->pages);
		if (got != -EFAULT || !is_elsewhere(t->mm, addr))
			return got ? got : -EIO;
	}
	return -ENODATA;
}

/*
 * The next pages of [*addr, end), *addr being moved to the first of them.
 * Returns their number, 0 when there are none any more, -EAGAIN when others
 * should run: not before it has come a bit further.
 */
static long next_pages(struct transfer *t, unsigned long *addr,
		       unsigned long end)
{
	const unsigned long from = *addr;
	struct vm_area_struct *vma;
	unsigned long stop;
	long n;

	lockdep_assert_held(&t->mm->mmap_lock);
	while (*addr < end) {
		if (signal_pending(current) ||
		    (need_resched() && *addr != from))
			return -EAGAIN;
		vma = find_vma(t->mm, *addr);
		if (!vma || vma->vm_start >= end)
			break;
		*addr = max(*addr, vma->vm_start);
		stop = min(end, vma->vm_end);
		if (vma->vm_flags & (VM_IO | VM_PFNMAP)) {
			*addr = stop;
			continue;
		}
		stop = min(stop, *addr + LOOK);
		if (is_anonymous(vma))
			*addr = skip_empty(t->mm, *addr, stop);
		if (*addr == stop)
			continue;
		n = get_pages(t, *addr, min(BATCH, (stop - *addr) >> PAGE_SHIFT));
		if (n != -EFAULT)
			return n;
		/* untouched, or nothing there: behind the end of its file */
		*addr += PAGE_SIZE;
	}
	*addr = end;
	return 0;
}

/*
 * A call that is made again by itself would not tell of what was written: its
 * argument has been changed.
 */
static long without_restart(long ret)
{
	switch (ret) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		return -EINTR;
	default:
		return ret;
	}
}

/* How many of the n pages from first on were written; -errno: none. */
static long write_some(struct transfer *t, long first, long n)
{
	loff_t pos = t->arg->offset;
	struct iov_iter iter;
	ssize_t put = 0;
	size_t done = 0;
	long i;

	for (i = 0; i < n; i++)
		t->vec[i] = (struct bio_vec){ .bv_page = t->pages[first + i],
					      .bv_len = PAGE_SIZE };
	while (done < n << PAGE_SHIFT) {
		iov_iter_bvec(&iter, ITER_SOURCE, t->vec, n, n << PAGE_SHIFT);
		iov_iter_advance(&iter, done);
		put = cr_compat_write_iter(t->file, &iter, &pos);
		if (put <= 0)
			break;
		done += put;
	}
	/* in a pipe half a page stays for ever, in a file it is written again */
	if (t->is_pipe && done % PAGE_SIZE)
		return -EIO;
	n = done >> PAGE_SHIFT;
	if (!n)
		return put < 0 ? without_restart(put) : -EIO;
	t->written = true;
	if (!t->is_pipe)
		t->arg->offset += n << PAGE_SHIFT;
	return n;
}

static int tell_digest(struct transfer *t)
{
	struct cr_range_digest __user *to = u64_to_user_ptr(t->arg->digests);
	struct cr_range_digest digest;

	if (!to)
		return 0;
	cr_digest_end(&t->digest, digest.bytes);
	return copy_to_user(&to[t->arg->n_runs], &digest, sizeof(digest)) ?
		       -EFAULT : 0;
}

static int tell_run(struct transfer *t)
{
	struct cr_range __user *runs = u64_to_user_ptr(t->arg->runs);

	if (!t->run.len)
		return 0;
	if (copy_to_user(&runs[t->arg->n_runs], &t->run, sizeof(t->run)) ||
	    tell_digest(t))
		return -EFAULT;
	t->arg->n_runs++;
	t->run.len = 0;
	return 0;
}

/* Does what lies at addr go on with the last run? */
static bool run_goes_on(const struct transfer *t, unsigned long addr)
{
	return t->run.len && t->run.addr + t->run.len == addr &&
	       (!t->arg->max_len || t->run.len < t->arg->max_len);
}

/* How many pages at addr may be of one run; 0: no room for another run. */
static long run_room(const struct transfer *t, unsigned long addr)
{
	const u64 max = t->arg->max_len ?: TASK_SIZE_MAX;

	if (run_goes_on(t, addr))
		return (max - t->run.len) >> PAGE_SHIFT;
	if (t->arg->n_runs + !!t->run.len >= t->arg->max_runs)
		return 0;
	return max >> PAGE_SHIFT;
}

/* Pages that have just been written. */
static int add_run(struct transfer *t, unsigned long addr, long first, long n)
{
	long i;
	int ret;

	if (!run_goes_on(t, addr)) {
		ret = tell_run(t);
		if (ret)
			return ret;
		t->run.addr = addr;
		cr_digest_start(&t->digest);
	}
	t->run.len += n << PAGE_SHIFT;
	for (i = first; t->arg->digests && i < first + n; i++)
		cr_digest_page(&t->digest, page_address(t->pages[i]));
	return 0;
}

static bool is_unwanted(const struct transfer *t, long i)
{
	return t->arg->flags & CR_PAGES_NO_ZEROS &&
	       !memchr_inv(page_address(t->pages[i]), 0, PAGE_SIZE);
}

/* The n pages at addr.  1: there is no room for the run of the next. */
static int write_pages(struct transfer *t, unsigned long addr, long n)
{
	long i = 0, end, room, put;
	int ret = 0;

	while (!ret && i < n) {
		if (is_unwanted(t, i)) {
			t->arg->next_addr = addr + (++i << PAGE_SHIFT);
			continue;
		}
		room = run_room(t, addr + (i << PAGE_SHIFT));
		if (!room)
			return 1;
		room = min(room, n - i);
		for (end = i + 1; end < i + room && !is_unwanted(t, end);)
			end++;
		put = write_some(t, i, end - i);
		if (put < 0)
			return put;
		ret = add_run(t, addr + (i << PAGE_SHIFT), i, put);
		i += put;
		t->arg->next_addr = addr + (i << PAGE_SHIFT);
	}
	return ret;
}

static void put_pages_back(struct transfer *t, long n)
{
	while (n > 0)
		put_page(t->pages[--n]);
}

/* 1: enough for this call. */
static int write_range(struct transfer *t, unsigned long addr,
		       unsigned long end)
{
	long n;
	int ret = 0;

	while (!ret && addr < end) {
		mmap_read_lock(t->mm);
		n = next_pages(t, &addr, end);
		mmap_read_unlock(t->mm);
		t->arg->next_addr = addr;
		if (n == -EAGAIN) {
			if (signal_pending(current))
				return -EINTR;
			cond_resched();
			continue;
		}
		if (n <= 0)
			return n;
		ret = write_pages(t, addr, n);
		put_pages_back(t, n);
		addr += n << PAGE_SHIFT;
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	return ret;
}

static int get_range(const struct cr_ioc_pages *arg, struct cr_range *range)
{
	const struct cr_range __user *from = u64_to_user_ptr(arg->ranges);

	if (copy_from_user(range, &from[arg->next_range], sizeof(*range)))
		return -EFAULT;
	if (!PAGE_ALIGNED(range->addr) || !PAGE_ALIGNED(range->len) ||
	    range->addr > TASK_SIZE_MAX ||
	    range->len > TASK_SIZE_MAX - range->addr)
		return -EINVAL;
	if (!arg->next_addr)
		return 0;
	if (!PAGE_ALIGNED(arg->next_addr) || arg->next_addr < range->addr ||
	    arg->next_addr > range->addr + range->len)
		return -EINVAL;
	range->len -= arg->next_addr - range->addr;
	range->addr = arg->next_addr;
	return 0;
}

static int write_ranges(struct transfer *t)
{
	struct cr_ioc_pages *arg = t->arg;
	struct cr_range range;
	int ret = 0, told;

	while (!ret && arg->next_range < arg->n_ranges) {
		ret = get_range(arg, &range);
		if (!ret)
			ret = write_range(t, range.addr,
					  range.addr + range.len);
		if (!ret) {
			arg->next_range++;
			arg->next_addr = 0;
		}
		if (!ret && signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	told = tell_run(t);
	if (told)
		return told;
	/* a signal, or no more room: the caller goes on from there */
	if (ret == 1 || (ret == -EINTR && t->written))
		return 0;
	return ret;
}

/* Where pages may go: not into what takes a write for a command. */
static int check_file(struct file *file, const struct cr_ioc_pages *arg)
{
	umode_t mode = file_inode(file)->i_mode;

	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (S_ISFIFO(mode))
		return arg->offset ? -ESPIPE : 0;
	if ((!S_ISREG(mode) && !S_ISBLK(mode)) || file->f_flags & O_APPEND)
		return -EINVAL;
	return arg->offset > MAX_LFS_FILESIZE ? -EFBIG : 0;
}

int cr_pages_write(struct cr_target *target, struct cr_ioc_pages *arg)
{
	struct transfer *t;
	int ret;

	arg->n_runs = 0;
	if (arg->flags & ~CR_PAGES_NO_ZEROS || arg->reserved ||
	    arg->next_range > arg->n_ranges || !arg->max_runs ||
	    !PAGE_ALIGNED(arg->max_len))
		return -EINVAL;
	t = kvzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return -ENOMEM;
	t->arg = arg;
	ret = -EBADF;
	t->file = fget(arg->fd);
	if (!t->file)
		goto out_free;
	t->is_pipe = S_ISFIFO(file_inode(t->file)->i_mode);
	ret = check_file(t->file, arg);
	if (ret)
		goto out_file;
	ret = -ESRCH;
	t->mm = cr_target_mm(target);
	if (!t->mm)
		goto out_file;
	ret = write_ranges(t);
	mmput(t->mm);
out_file:
	fput(t->file);
out_free:
	kvfree(t);
	return ret;
}
