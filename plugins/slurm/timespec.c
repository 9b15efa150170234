/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timespec.c - Slurm's ways of writing a length of time */
#include "timespec.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>

/* Reads one number at *p and moves behind it; -1 if there is none. */
static long timespec_number(const char **p)
{
	long n = 0;

	if (!isdigit((unsigned char)**p))
		return -1;
	for (; isdigit((unsigned char)**p); (*p)++)
		if (n <= INT_MAX) /* else too much anyway: the caller sees */
			n = n * 10 + (**p - '0');
	return n;
}

long cr_timespec_parse(const char *text)
{
	const char *p = text;
	long days = -1, f[3] = { 0, 0, 0 }, total;
	int n = 0;

	f[n] = timespec_number(&p);
	if (f[n] < 0)
		return -EINVAL;
	n++;
	if (*p == '-') {
		p++;
		days = f[0];
		f[0] = timespec_number(&p);
		if (f[0] < 0)
			return -EINVAL;
	}
	while (*p == ':' && n < 3) {
		p++;
		f[n] = timespec_number(&p);
		if (f[n++] < 0)
			return -EINVAL;
	}
	if (*p)
		return -EINVAL;
	for (int i = 0; i < 3; i++)
		if (f[i] > INT_MAX)
			return -ERANGE;
	if (days > INT_MAX / 86400)
		return -ERANGE;
	if (days >= 0) /* d-h[:m[:s]] */
		total = days * 86400 + f[0] * 3600 + f[1] * 60 + f[2];
	else if (n == 1) /* minutes */
		total = f[0] * 60;
	else if (n == 2) /* m:s */
		total = f[0] * 60 + f[1];
	else
		total = f[0] * 3600 + f[1] * 60 + f[2];
	return total > INT_MAX ? -ERANGE : total;
}
