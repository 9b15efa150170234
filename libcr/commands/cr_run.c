/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_run.c - run a command with libcr in it */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

static const char help[] =
	"Usage: cr_run [--run | --omit] COMMAND [ARGUMENT]...\n"
	"Runs COMMAND with libcr in it and in what it starts.\n"
	"\n"
	"  --run   callbacks and critical sections work, MPI programs can be\n"
	"          checkpointed (default)\n"
	"  --omit  its processes are left out of checkpoints of others\n"
	"  --help, --version\n"
	"\n"
	"Only dynamically linked programs are reached.  Others, and programs\n"
	"started without cr_run, can be checkpointed all the same.\n"
	"\n"
	"Exit status: that of COMMAND, 126 if it cannot be run, 127 if it is\n"
	"not found, 125 if cr_run itself fails.\n";

enum { FAILED = 125, NOT_RUN = 126, NOT_FOUND = 127 };

static void __attribute__((noreturn)) usage(const char *why, const char *what)
{
	fprintf(stderr,
		"cr_run: %s%s\nTry 'cr_run --help' for more information.\n",
		why, what);
	exit(FAILED);
}

/* Is there such a library, and can its name stand in LD_PRELOAD? */
static bool find(char *path, size_t size, const char *name, bool needed)
{
	const char *dir = getenv("CR_LIBDIR");

	snprintf(path, size, "%s/%s", dir ? dir : CR_LIBDIR, name);
	if (access(path, R_OK)) {
		if (!needed)
			return false;
		fprintf(stderr, "cr_run: %s: %m\n", path);
		exit(FAILED);
	}
	if (strpbrk(path, " :")) {
		fprintf(stderr,
			"cr_run: %s: the loader does not take a path with "
			"a space or colon\n",
			path);
		exit(FAILED);
	}
	return true;
}

/* Is the library in this list (separated by colons and spaces) already? */
static bool contains(const char *list, const char *path)
{
	size_t n = strlen(path), len;

	for (;;) {
		list += strspn(list, ": ");
		len = strcspn(list, ": ");
		if (!len)
			return false;
		if (len == n && !strncmp(list, path, n))
			return true;
		list += len;
	}
}

static void preload(const char *path)
{
	const char *old = getenv("LD_PRELOAD");
	char *list;

	if (old && contains(old, path))
		return;
	if (asprintf(&list, "%s%s%s", path, old && *old ? ":" : "",
		     old ? old : "") < 0 ||
	    setenv("LD_PRELOAD", list, 1)) {
		fprintf(stderr, "cr_run: out of memory\n");
		exit(FAILED);
	}
	free(list);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "run", no_argument, NULL, 'r' },
		{ "omit", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	bool omit = false;
	char path[4096];
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		switch (opt) {
		case 'r':
			omit = false;
			break;
		case 'o':
			omit = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'v':
			puts("cr_run (Stillpoint) " PACKAGE_VERSION);
			return 0;
		default:
			usage("unknown option ", argv[optind - 1]);
		}
	}
	if (!argv[optind])
		usage("no command given", "");
	if (find(path, sizeof(path), omit ? "libcr_omit.so" : "libcr_run.so",
		 true))
		preload(path);
	/* not part of every installation; does nothing before MPI_Init() */
	if (!omit && find(path, sizeof(path), "libcr_mpi.so", false))
		preload(path);
	execvp(argv[optind], argv + optind);
	opt = errno == ENOENT ? NOT_FOUND : NOT_RUN;
	fprintf(stderr, "cr_run: %s: %m\n", argv[optind]);
	return opt;
}
