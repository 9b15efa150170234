/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redirect.h - lets an old vdso's functions lead into another kernel's vdso
 *
 * A program remembers addresses of vdso functions.  When the restarting
 * kernel's vdso is another one, the old code stays mapped at its place and
 * every function in it becomes a jump to its successor, or, where there is
 * none, the system call that it stands for.
 */
#ifndef CR_REDIRECT_H
#define CR_REDIRECT_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/*
 * old: a copy of the old vdso, changed in place; fresh: the vdso of this
 * kernel, which lies at fresh_addr in the process.  Neither is trusted.
 * -ENOTSUP with the function's name if one cannot be replaced.
 */
int cr_redirect(void *old, size_t old_len, const void *fresh, size_t fresh_len,
		uint64_t fresh_addr, struct cr_error *err);

#endif
