/* SPDX-License-Identifier: GPL-2.0-or-later */
/* args.c - the options of a command as a table */
#include "commands/args.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LONG 256 /* + the row: what getopt_long() returns */

static const struct cr_args_option *
row_of(const struct cr_args_option *table, size_t n, int c)
{
	if (c >= LONG)
		return &table[c - LONG];
	for (size_t i = 0; i < n; i++)
		if (table[i].letter == c)
			return &table[i];
	return NULL;
}

int cr_args_parse(const struct cr_args_option *table, size_t n,
		  const char *mode, void *to, int wrong, int argc, char **argv)
{
	struct option options[CR_ARGS_MAX + 1] = { 0 };
	const struct cr_args_option *row;
	char letters[2 * CR_ARGS_MAX + 2];
	char *end = letters;
	int c, ret = -1;

	assert(n <= CR_ARGS_MAX);
	end += sprintf(end, "%s", mode);
	for (size_t i = 0; i < n; i++) {
		options[i] = (struct option){ table[i].name, table[i].has_arg,
					      NULL, LONG + (int)i };
		if (table[i].letter)
			end += sprintf(end, "%c%s", table[i].letter,
				       table[i].has_arg ? ":" : "");
	}
	while (ret < 0 &&
	       (c = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		row = row_of(table, n, c);
		ret = row ? row->set(to, optarg, row->value) : wrong;
	}
	return ret;
}

int cr_args_number(const char *text, int min, int max, int *value)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < min || n > max)
		return -1;
	*value = (int)n;
	return 0;
}
