/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error.c - the cause of a failure, carried from where it happened to the user */
#include "common/error.h"

#include <stdio.h>
#include <string.h>

int cr_error_vset(struct cr_error *err, int code, const char *fmt, va_list ap)
{
	if (err && !err->code) {
		err->code = code;
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
	}
	return code;
}

int cr_error_set(struct cr_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cr_error_vset(err, code, fmt, ap);
	va_end(ap);
	return code;
}

int cr_error_prefix(struct cr_error *err, const char *fmt, ...)
{
	char text[CR_ERROR_MAX];
	va_list ap;
	size_t n;

	if (!err)
		return 0;
	memcpy(text, err->text, sizeof(text));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", text);
	return err->code;
}

void cr_error_clear(struct cr_error *err)
{
	if (err) {
		err->code = 0;
		err->text[0] = '\0';
	}
}
