/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rewrite.c - makes the system call sites of the lower half come to the hook
 *
 * A site is replaced by a jump to a thunk of its own:
 *
 *   imm      b8 NR 00 00  0f 05          mov $nr,%eax; syscall
 *   generic  4c 8b 4c 24 08  0f 05       syscall(3): mov 8(%rsp),%r9; syscall
 *   before   48 89 modrm disp8  0f 05     mov %r64,disp(%r64); syscall
 *   far      0f 05  48 3d imm32          syscall; cmp $imm,%rax
 *            0f 05  3d imm32             syscall; cmp $imm,%eax
 *            0f 05  48 8b 45 disp8       syscall; mov disp(%rbp),%rax
 *            0f 05  41 89 modrm          syscall; mov %r32,%r32
 *            with "mov $nr,%eax" some instructions before
 *
 * The thunk leaves the red zone alone, calls the hook, runs what it replaced
 * besides, and jumps back.  Thunks lie above all text: UCX's own hooks copy
 * beginnings of functions and read a jump's displacement as unsigned.
 *
 * Sites of wanted calls that fit no pattern are counted for the self-test.
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/hook.h"

#include <sys/mman.h>

#define THUNK_SIZE 96
#define LOOK_BACK 32

enum kind { NONE, IMM, GENERIC, BEFORE, FAR, ODD };

struct site {
	enum kind kind;
	unsigned char *at; /* first byte replaced */
	unsigned int len;  /* bytes replaced, 5 at least */
	unsigned int nr;   /* but GENERIC */
	unsigned int tail; /* FAR: bytes after the syscall instruction */
};

static bool is_syscall(const unsigned char *p)
{
	return p[0] == 0x0f && p[1] == 0x05;
}

/* "mov $nr,%eax" with a number below 64 Ki at p: the number, else -1 */
static int immediate(const unsigned char *p)
{
	if (p[0] != 0xb8 || p[3] || p[4])
		return -1;
	return p[1] | p[2] << 8;
}

/* Length of the instruction after the system call that a thunk can take. */
static unsigned int tail_length(const unsigned char *p)
{
	if (p[0] == 0x48 && p[1] == 0x3d)
		return 6; /* cmp $imm32,%rax */
	if (p[0] == 0x3d)
		return 5; /* cmp $imm32,%eax */
	if (p[0] == 0x48 && p[1] == 0x8b && p[2] == 0x45)
		return 4; /* mov disp8(%rbp),%rax */
	if (p[0] == 0x41 && p[1] == 0x89 && (p[2] & 0xc0) == 0xc0)
		return 3; /* mov %r32,%r32 */
	return 0;
}

/* Looks at the system call at text[i]; i + 2 <= len. */
static struct site classify(unsigned char *text, size_t len, size_t i)
{
	struct site s = { NONE, text + i, 0, 0, 0 };
	unsigned char *p = text + i;
	size_t back;
	int nr;

	if (i < 5)
		return s;
	nr = immediate(p - 5);
	if (nr >= 0) {
		if (!cr_hook_wants((unsigned int)nr))
			return s;
		s.kind = IMM;
		s.nr = (unsigned int)nr;
		s.at = p - 5;
		s.len = 7;
		return s;
	}
	if (p[-5] == 0x4c && p[-4] == 0x8b && p[-3] == 0x4c &&
	    p[-2] == 0x24 && p[-1] == 0x08) {
		s.kind = GENERIC;
		s.at = p - 5;
		s.len = 7;
		return s;
	}
	for (back = 6; back <= LOOK_BACK && back <= i; back++) {
		nr = immediate(p - back);
		if (nr >= 0)
			break;
	}
	if (nr < 0 || !cr_hook_wants((unsigned int)nr))
		return s;
	/* the middle of a displacement rather than an instruction */
	if (i + 8 > len || p[2] == 0x00 || p[2] == 0xff)
		return s;
	s.kind = ODD;
	s.nr = (unsigned int)nr;
	s.tail = tail_length(p + 2);
	if (s.tail) {
		s.kind = FAR;
		s.len = 2 + s.tail;
	} else if (p[-4] == 0x48 && p[-3] == 0x89 && (p[-2] & 0xc0) == 0x40 &&
		   (p[-2] & 7) != 4) {
		s.kind = BEFORE;
		s.at = p - 4;
		s.len = 6;
	}
	if (nr == SYS_clone3 || (nr == SYS_clone && cr_hook.two_pointers))
		s.kind = ODD; /* a new thread cannot come back through C */
	return s;
}

static unsigned char *put(unsigned char *q, const char *bytes, size_t n)
{
	while (n--)
		*q++ = (unsigned char)*bytes++;
	return q;
}
#define PUT(q, bytes) put(q, bytes, sizeof(bytes) - 1)

static unsigned char *put_jump(unsigned char *q, const unsigned char *to)
{
	int32_t rel = (int32_t)(to - (q + 5));

	*q++ = 0xe9;
	return put(q, (const char *)&rel, sizeof(rel));
}

/*
 * A system call that makes a thread, after a test for CLONE_SETTLS: the new
 * thread's GS becomes what its FS is.
 */
static unsigned char *put_clone(unsigned char *q, const unsigned char *back)
{
	/* jz plain; syscall; test %eax,%eax; jnz back */
	q = PUT(q, "\x74\x15\x0f\x05\x85\xc0\x75\x0a");
	if (cr_hook.two_pointers) /* rdfsbase %r11; wrgsbase %r11 */
		q = PUT(q, "\xf3\x49\x0f\xae\xc3\xf3\x49\x0f\xae\xdb");
	else /* nop, twice */
		q = PUT(q, "\x0f\x1f\x44\0\0\x0f\x1f\x44\0\0");
	q = put_jump(q, back);
	q = PUT(q, "\x0f\x05"); /* plain: syscall */
	return put_jump(q, back);
}

static unsigned char *write_thunk(unsigned char *q, const struct site *s)
{
	unsigned long hook = (unsigned long)cr_hook_enter;

	if (s->kind == IMM || s->kind == GENERIC)
		q = put(q, (const char *)s->at, 5); /* mov */
	if (s->kind == BEFORE)
		q = put(q, (const char *)s->at, 4); /* mov */
	if (s->kind == IMM && s->nr == SYS_clone) {
		/*
		 * A child with a stack of its own cannot come back through
		 * C: test %rsi,%rsi; jz fork; test $CLONE_SETTLS,%edi
		 */
		q = PUT(q, "\x48\x85\xf6\x74\x24"
			   "\xf7\xc7\x00\x00\x08\x00");
		q = put_clone(q, s->at + s->len);
	}
	if (s->kind == IMM && s->nr == SYS_clone3) {
		/* testl $CLONE_SETTLS,(%rdi) */
		q = PUT(q, "\xf7\x07\x00\x00\x08\x00");
		return put_clone(q, s->at + s->len);
	}
	q = PUT(q, "\x48\x8d\x64\x24\x80"); /* lea -128(%rsp),%rsp */
	q = PUT(q, "\x49\xbb");		    /* movabs $hook,%r11 */
	q = put(q, (const char *)&hook, sizeof(hook));
	q = PUT(q, "\x41\xff\xd3"); /* call *%r11 */
	q = PUT(q, "\x48\x8d\xa4\x24\x80\0\0\0"); /* lea 128(%rsp),%rsp */
	q = put(q, (const char *)s->at + 2, s->tail);
	return put_jump(q, s->at + s->len);
}

static void replace(const struct site *s)
{
	unsigned char *thunk, *q = s->at;
	unsigned int i;

	thunk = __atomic_fetch_add(&cr_hook.thunk, THUNK_SIZE,
				   __ATOMIC_RELAXED);
	if (thunk + THUNK_SIZE > cr_hook.thunk_end ||
	    (unsigned long)(thunk - s->at) >= 1UL << 31) {
		cr_hook.unpatched_at = (unsigned long)s->at;
		cr_hook.unpatched++;
		return;
	}
	write_thunk(thunk, s);
	q = put_jump(q, thunk);
	for (i = 5; i < s->len; i++)
		*q++ = 0x90;
	cr_hook.patched++;
}

void cr_rewrite(unsigned char *text, size_t len)
{
	bool writable = false;
	size_t i;

	for (i = 0; i + 2 <= len; i++) {
		struct site s;

		if (!is_syscall(text + i))
			continue;
		s = classify(text, len, i);
		if (s.kind == ODD && s.nr == SYS_arch_prctl &&
		    !cr_hook.rewritten) {
			cr_hook.two_pointers = false; /* FS does as well */
			continue;
		}
		if (s.kind == ODD) {
			cr_hook.unpatched_at = (unsigned long)(text + i);
			cr_hook.unpatched++;
		}
		if (s.kind == NONE || s.kind == ODD)
			continue;
		if (!writable &&
		    cr_raw_syscall(SYS_mprotect, (long)text, (long)len,
				   PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0,
				   0) < 0) {
			cr_hook.no_exec++;
			return;
		}
		writable = true;
		replace(&s);
		i = (size_t)(s.at - text) + s.len - 1;
	}
	if (writable)
		cr_raw_syscall(SYS_mprotect, (long)text, (long)len,
			       PROT_READ | PROT_EXEC, 0, 0, 0);
}
