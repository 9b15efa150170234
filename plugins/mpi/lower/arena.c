/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arena.c - the one range of addresses in which the lower half lives
 *
 * Addresses are handed out upwards and not used twice until the range is
 * through; MAP_FIXED_NOREPLACE protects what is there.  Libraries lie
 * together below the thunks, within reach of a 32-bit displacement.
 *
 * Areas are MADV_DONTFORK: the copy-on-write snapshot of a checkpoint does
 * not copy their page tables, pages pinned by a network card stay where they
 * are, and a child of the program, which can use no MPI, does not carry them.
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/hook.h"

#include <errno.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define HUGE (2UL << 20)
#define SHM_SLOT (4UL << 30) /* a SysV segment's size is not known before */
#define TRIES 1000

static unsigned long round_up(unsigned long n, unsigned long to)
{
	return (n + to - 1) & ~(to - 1);
}

/* A free address; an unmapped gap on both sides catches stray pointers. */
static unsigned long next_address(unsigned long len, bool text)
{
	unsigned long *next = text ? &cr_hook.next_text : &cr_hook.next_data;
	unsigned long align = !text && len >= HUGE ? HUGE : PAGE, a;

	a = __atomic_fetch_add(next, round_up(len, PAGE) + 2 * align,
			       __ATOMIC_RELAXED);
	return round_up(a, align);
}

static void keep_from_children(long addr, unsigned long len)
{
	cr_raw_syscall(SYS_madvise, addr, (long)len, MADV_DONTFORK, 0, 0, 0);
}

long cr_arena_map(const struct cr_hook_args *r)
{
	/* ld.so, and nobody else, maps libraries with MAP_DENYWRITE */
	bool text = (r->d & MAP_DENYWRITE) && (int)r->e >= 0;
	unsigned long len = (unsigned long)r->b;
	int i;

	if (len == 0 || len > CR_LOWER_SIZE / 2)
		return len ? -ENOMEM : -EINVAL;
	for (i = 0; i < TRIES; i++) {
		unsigned long a = next_address(len, text);
		long x;

		if (text && a + len > CR_ARENA_THUNKS)
			return -ENOMEM;
		if (a + len > CR_ARENA_END) {
			__atomic_store_n(&cr_hook.next_data, CR_ARENA_DATA,
					 __ATOMIC_RELAXED);
			continue;
		}
		x = cr_raw_syscall(SYS_mmap, (long)a, r->b, r->c,
				   (r->d & ~(long)MAP_32BIT) |
					   MAP_FIXED_NOREPLACE,
				   r->e, r->f);
		if (x == -EEXIST)
			continue;
		if (x > 0)
			keep_from_children(x, len);
		return x;
	}
	return -ENOMEM;
}

/*
 * Text of a library: rewrite it before it can run, but not beyond the file.
 * False: it must not run.
 */
static bool rewrite_text(long addr, const struct cr_hook_args *r)
{
	long stat[18], in_file;

	if (cr_raw_syscall(SYS_fstat, r->e, (long)stat, 0, 0, 0, 0) < 0)
		return true;
	in_file = stat[6] - r->f; /* st_size */
	if (in_file > r->b)
		in_file = r->b;
	if (in_file <= 0)
		return true;
	cr_rewrite((unsigned char *)addr, (size_t)in_file);
	return cr_pointer_rewrite((unsigned char *)addr, (size_t)in_file,
				  (int)r->e, (size_t)r->f);
}

static long hook_mmap(struct cr_hook_args *r)
{
	long x;

	if (r->d & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		x = cr_raw_syscall(SYS_mmap, r->a, r->b, r->c, r->d, r->e,
				   r->f);
		if (x > 0 && !cr_lower_owns((void *)x))
			cr_hook.outside++;
		else if (x > 0)
			keep_from_children(x, (unsigned long)r->b);
	} else {
		x = cr_arena_map(r);
	}
	if (x > 0 && (r->c & PROT_EXEC) && (int)r->e >= 0 &&
	    !rewrite_text(x, r)) {
		cr_raw_syscall(SYS_munmap, x, r->b, 0, 0, 0, 0);
		return -EACCES;
	}
	return x;
}

/* The kernel must not choose the new place: it would be outside. */
static long hook_mremap(struct cr_hook_args *r)
{
	long x;

	if (r->d & MREMAP_FIXED) {
		x = cr_raw_syscall(SYS_mremap, r->a, r->b, r->c, r->d, r->e,
				   0);
		if (x > 0 && !cr_lower_owns((void *)x))
			cr_hook.outside++;
		return x;
	}
	x = cr_raw_syscall(SYS_mremap, r->a, r->b, r->c,
			   r->d & ~(long)MREMAP_MAYMOVE, 0, 0);
	if (x > 0 || !(r->d & MREMAP_MAYMOVE))
		return x;
	return cr_raw_syscall(SYS_mremap, r->a, r->b, r->c,
			      r->d | MREMAP_FIXED,
			      (long)next_address((unsigned long)r->c, false),
			      0);
}

static long hook_shmat(struct cr_hook_args *r)
{
	long x = cr_raw_syscall(
		SYS_shmat, r->a,
		r->b ? r->b : (long)next_address(SHM_SLOT, false), r->c, 0, 0,
		0);

	if (x > 0 && !cr_lower_owns((void *)x))
		cr_hook.outside++;
	return x;
}

long cr_arena_hook(struct cr_hook_args *r)
{
	switch (r->nr) {
	case SYS_mmap:
		return hook_mmap(r);
	case SYS_mremap:
		return hook_mremap(r);
	case SYS_shmat:
		return hook_shmat(r);
	case SYS_brk:
		return 0; /* sbrk() fails with ENOMEM, malloc goes to mmap */
	}
	return -ENOSYS;
}
