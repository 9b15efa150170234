/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error.h - the cause of a failure, carried from where it happened to the user */
#ifndef CR_ERROR_H
#define CR_ERROR_H

#include <stdarg.h>

/* Room for one sentence that names process, object and operation. */
#define CR_ERROR_MAX 1024

struct cr_error {
	int code; /* -errno of the first failure, 0 if none */
	char text[CR_ERROR_MAX];
};

/*
 * Records a failure and returns its code, so that callers write
 * "return cr_error_set(err, -ENOENT, ...)".  The first failure stays: what
 * follows from it is noise.  err may be NULL.  Not async-signal-safe.
 */
int cr_error_set(struct cr_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int cr_error_vset(struct cr_error *err, int code, const char *fmt, va_list ap);

/*
 * Puts "context: " before the text, where a caller knows what the failing
 * function did not (the process, say).  Returns err->code.
 */
int cr_error_prefix(struct cr_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void cr_error_clear(struct cr_error *err);

#endif
