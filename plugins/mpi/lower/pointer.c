/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pointer.c - each half has a thread pointer of its own
 *
 * x86-64 code finds its thread control block through FS, and the program
 * needs FS for its own.  Setting it takes about 11 ns each way, twice for
 * each MPI call.  Nobody uses GS: so the lower half's code is rewritten to
 * find its control block through GS (one byte of each such instruction, see
 * segment.c), and a thread has both, all the time.
 *
 * While the lower half comes up, crossings set FS as well: code that could
 * not be rewritten works too.  If there is none of it when MPI is up, that
 * ends (cr_lower_settled()); otherwise it stays so.  From then on a library
 * that cannot be rewritten cannot be loaded any more.
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "mpi/lower/segment.h"

#define FS 0x64
#define GS 0x65

struct change {
	unsigned char *text;
	unsigned char from, to;
	unsigned int count;
	bool odd; /* what is there is not what is in the file */
};

static void change_one(size_t at, void *arg)
{
	struct change *c = arg;

	if (c->text[at] != c->from) {
		c->odd = true;
		return;
	}
	c->text[at] = c->to;
	c->count++;
}

static bool change_all(const struct cr_segment_text *t, unsigned char *text)
{
	struct change there = { text, FS, GS, 0, false };
	struct change back = { text, GS, FS, 0, false };

	if (cr_segment_scan(t, change_one, &there) && !there.odd)
		return true;
	cr_segment_scan(t, change_one, &back);
	return false;
}

static bool rewrite(unsigned char *text, size_t len, int fd, size_t offset)
{
	struct cr_hook_args r = { 0, 0, PROT_READ, MAP_PRIVATE, fd, 0, 0 };
	struct cr_segment_text t = { 0 };
	struct stat st;
	bool done;
	long file;

	if (cr_raw_syscall(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) < 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	r.b = st.st_size;
	file = cr_arena_map(&r);
	if (file < 0)
		return false;
	t.file = (const unsigned char *)file;
	t.size = (size_t)st.st_size;
	t.offset = offset;
	t.len = len;
	done = cr_raw_syscall(SYS_mprotect, (long)text, (long)len,
			      PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0,
			      0) == 0;
	if (done) {
		done = change_all(&t, text);
		cr_raw_syscall(SYS_mprotect, (long)text, (long)len,
			       PROT_READ | PROT_EXEC, 0, 0, 0);
	}
	cr_raw_syscall(SYS_munmap, file, st.st_size, 0, 0, 0, 0);
	return done;
}

bool cr_pointer_rewrite(unsigned char *text, size_t len, int fd, size_t offset)
{
	if (!cr_hook.two_pointers)
		return true;
	if (rewrite(text, len, fd, offset)) {
		cr_hook.rewritten++;
		return true;
	}
	if (!cr_lower.switching)
		return false;
	cr_hook.left++;
	return true;
}

/* As the last system call of ld.so when it makes the first control block. */
void cr_pointer_set(unsigned long block)
{
	if (cr_hook.two_pointers)
		__asm__ volatile("wrgsbase %0" : : "r"(block) : "memory");
}

unsigned long cr_pointer_get(void)
{
	unsigned long block = 0;

	if (cr_hook.two_pointers)
		__asm__ volatile("rdgsbase %0" : "=r"(block));
	return block;
}

bool cr_pointer_is_free(void)
{
	unsigned long block = cr_pointer_get();

	return !block || cr_lower_owns((void *)block);
}

void cr_lower_settled(void)
{
	if (cr_hook.two_pointers && cr_hook.rewritten && !cr_hook.left)
		cr_lower.switching = false;
}
