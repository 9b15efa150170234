/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw.h - code that runs where no libc is: in the middle of a system call
 *
 * A file that includes this first may be called with any FS base, on any
 * stack, while vector registers hold values of the interrupted code: general
 * registers only, no TLS, no stack protector, no function of libc.
 */
#ifndef CR_LOWER_RAW_H
#define CR_LOWER_RAW_H

#pragma GCC target("general-regs-only")
#pragma GCC optimize("no-stack-protector")
#pragma GCC optimize("no-tree-loop-distribute-patterns")

#include <sys/syscall.h>

/* Calls younger than the oldest headers that we are built with. */
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_fsmount
#define SYS_open_tree 428
#define SYS_fsmount 432
#endif

static inline long cr_raw_syscall(long nr, long a, long b, long c, long d,
				  long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r = nr;

	__asm__ volatile("syscall"
			 : "+a"(r)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

#endif
