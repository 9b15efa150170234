/* SPDX-License-Identifier: GPL-2.0-or-later */
/* args.h - the options of a command as a table */
#ifndef CR_ARGS_H
#define CR_ARGS_H

#include <getopt.h>
#include <stddef.h>

struct cr_args_option {
	const char *name;
	int letter;  /* short form, or 0 */
	int has_arg; /* no_argument, ... of getopt.h */
	/*
	 * Notes it in what cr_args_parse() was given.  Returns -1 to go on;
	 * otherwise the exit status (what there is to say has been said).
	 */
	int (*set)(void *to, const char *arg, int value);
	int value; /* for set() */
};

#define CR_ARGS_MAX 64

/*
 * Options first, or ('+' as for getopt(3)) up to the first that is none;
 * optind is then the index of what is left.  Returns what set() did, or wrong
 * for what is in no row.
 */
int cr_args_parse(const struct cr_args_option *table, size_t n,
		  const char *mode, void *to, int wrong, int argc, char **argv);

/* A whole number from min to max: 0, or -1. */
int cr_args_number(const char *text, int min, int max, int *value);

#endif
