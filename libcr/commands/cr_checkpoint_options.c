/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_checkpoint_options.c - the command line of cr_checkpoint */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/cr_checkpoint.h"
#include "config.h"

#define PTRACED_BOTH (CR_CHKPT_PTRACED_SKIP | CR_CHKPT_PTRACED_ALLOW)

enum { /* long options without a letter */
       OPT_ATOMIC = 256,
       OPT_BACKUP,
       OPT_CLOBBER,
       OPT_NOCLOBBER,
       OPT_RUN,
       OPT_STOP,
       OPT_TERM,
       OPT_ABORT,
       OPT_KILL,
       OPT_CONT,
       OPT_SYNC,
       OPT_NOSYNC,
       OPT_SAVE_NONE,
       OPT_SAVE_EXE,
       OPT_SAVE_PRIVATE,
       OPT_SAVE_SHARED,
       OPT_SAVE_ALL,
       OPT_PTRACED_ERROR,
       OPT_PTRACED_SKIP,
       OPT_PTRACER_ERROR,
       OPT_PTRACER_SKIP,
       OPT_NOTHING, /* asks for what is so anyway */
       OPT_PTRACED_ALLOW,
       OPT_SNAPSHOT,
       OPT_ENGINE,
       OPT_DIRECT,
       OPT_DROP_CONNECTIONS,
       OPT_CHECK,
       OPT_HELP,
       OPT_VERSION,
};

static const struct option options[] = {
	{ "tree", no_argument, NULL, 'T' },
	{ "pid", no_argument, NULL, 'p' },
	{ "pgid", no_argument, NULL, 'g' },
	{ "sid", no_argument, NULL, 's' },
	{ "cwd", no_argument, NULL, 'c' },
	{ "file", required_argument, NULL, 'f' },
	{ "fd", required_argument, NULL, 'F' },
	{ "dir", required_argument, NULL, 'd' },
	{ "atomic", no_argument, NULL, OPT_ATOMIC },
	{ "backup", optional_argument, NULL, OPT_BACKUP },
	{ "clobber", no_argument, NULL, OPT_CLOBBER },
	{ "noclobber", no_argument, NULL, OPT_NOCLOBBER },
	{ "run", no_argument, NULL, OPT_RUN },
	{ "signal", required_argument, NULL, 'S' },
	{ "stop", no_argument, NULL, OPT_STOP },
	{ "term", no_argument, NULL, OPT_TERM },
	{ "abort", no_argument, NULL, OPT_ABORT },
	{ "kill", no_argument, NULL, OPT_KILL },
	{ "cont", no_argument, NULL, OPT_CONT },
	{ "sync", no_argument, NULL, OPT_SYNC },
	{ "nosync", no_argument, NULL, OPT_NOSYNC },
	{ "save-none", no_argument, NULL, OPT_SAVE_NONE },
	{ "save-exe", no_argument, NULL, OPT_SAVE_EXE },
	{ "save-private", no_argument, NULL, OPT_SAVE_PRIVATE },
	{ "save-shared", no_argument, NULL, OPT_SAVE_SHARED },
	{ "save-all", no_argument, NULL, OPT_SAVE_ALL },
	{ "ptraced-error", no_argument, NULL, OPT_PTRACED_ERROR },
	{ "ptraced-skip", no_argument, NULL, OPT_PTRACED_SKIP },
	{ "ptraced-allow", no_argument, NULL, OPT_PTRACED_ALLOW },
	{ "ptracer-error", no_argument, NULL, OPT_PTRACER_ERROR },
	{ "ptracer-skip", no_argument, NULL, OPT_PTRACER_SKIP },
	{ "kmsg-none", no_argument, NULL, OPT_NOTHING },
	{ "kmsg-error", no_argument, NULL, OPT_NOTHING },
	{ "kmsg-warning", no_argument, NULL, OPT_NOTHING },
	{ "time", required_argument, NULL, 't' },
	{ "snapshot", required_argument, NULL, OPT_SNAPSHOT },
	{ "engine", required_argument, NULL, OPT_ENGINE },
	{ "direct", no_argument, NULL, OPT_DIRECT },
	{ "drop-connections", no_argument, NULL, OPT_DROP_CONNECTIONS },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "verbose", no_argument, NULL, 'v' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

static const char help[] =
	"Usage: cr_checkpoint [OPTION]... ID\n"
	"Saves running processes in a context file, from which cr_restart "
	"brings\n"
	"them back.  They are not disturbed.\n"
	"\n"
	"What ID names:\n"
	"  -T, --tree       a process and its descendants (default)\n"
	"  -p, --pid        one process      -g, --pgid  a process group\n"
	"  -s, --sid        a session\n"
	"Where to:\n"
	"  -c, --cwd        context.ID in the current directory (default)\n"
	"  -d, --dir DIR    context.ID in DIR\n"
	"  -f, --file FILE  FILE             -F, --fd FD a descriptor of the "
	"caller\n"
	"If the file exists:\n"
	"  --atomic         it is replaced once the new one is complete "
	"(default)\n"
	"  --clobber        it is overwritten, and damaged if that fails\n"
	"  --backup[=NAME]  it is kept as NAME (FILE~)\n"
	"  --noclobber      the request is refused\n"
	"Afterwards the processes:\n"
	"  --run            run on (default)\n"
	"  -S, --signal NUM, --stop, --term, --abort, --kill, --cont\n"
	"                   get a signal, once the file is complete\n"
	"Files that memory shows (programs, libraries, data):\n"
	"  --save-exe, --save-private, --save-shared, --save-all, --save-none\n"
	"                   the content of the executable, of other private, of\n"
	"                   shared mappings is saved, too (default: none)\n"
	"Debuggers:\n"
	"  --ptraced-error, --ptraced-skip   traced processes are an obstacle\n"
	"                   (default), or left out\n"
	"  --ptraced-allow  as the first, for there is no other way to save them\n"
	"  --ptracer-error, --ptracer-skip   the same for those that trace\n"
	"Connections to others:\n"
	"  --drop-connections  come back as reset; else they are an obstacle\n"
	"Others:\n"
	"  --check          only say what stands in the way, stop nothing\n"
	"  -t, --time SEC   give up after so many seconds\n"
	"  --snapshot=auto|fork|copy  how memory is held still (auto)\n"
	"  --engine=auto|module|user  who writes the memory ($CR_ENGINE, "
	"auto)\n"
	"  --direct         write the memory past the page cache\n"
	"  --sync, --nosync wait until the file is on disk (default), or not\n"
	"  -v, --verbose    show the phases and their times    -q, --quiet\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 done, 1 not done (the processes run on), 2 wrong "
	"usage.\n";

static void __attribute__((noreturn, format(printf, 1, 2)))
usage(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "cr_checkpoint: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry 'cr_checkpoint --help'.\n");
	exit(2);
}

static long number(const char *text, const char *what, long min, long max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (!*text || *end || errno || n < min || n > max)
		usage("%s: \"%s\" is no valid %s", what, text, what);
	return n;
}

static double seconds(const char *text)
{
	char *end;
	double t = strtod(text, &end);

	if (!*text || *end || !(t > 0) || t > 1e9)
		usage("\"%s\" is no time in seconds", text);
	return t;
}

static int snapshot_kind(const char *text)
{
	if (!strcmp(text, "auto"))
		return CR_SNAPSHOT_AUTO;
	if (!strcmp(text, "fork"))
		return CR_SNAPSHOT_FORK;
	if (!strcmp(text, "copy"))
		return CR_SNAPSHOT_COPY;
	usage("\"%s\" is no kind of snapshot (auto, fork, copy)", text);
}

/* The helper has the same directory; callbacks want an absolute path. */
static void make_path(char *to, const char *dir, const char *name)
{
	char cwd[PATH_MAX] = "";
	int n;

	if ((dir ? dir[0] : name[0]) != '/' &&
	    (!getcwd(cwd, sizeof(cwd) - 1) || !strcat(cwd, "/")))
		usage("current directory: %s", strerror(errno));
	n = snprintf(to, PATH_MAX, "%s%s%s%s", cwd, dir ? dir : "",
		     dir ? "/" : "", name);
	if (n >= PATH_MAX)
		usage("%s: the name is too long", name);
}

void options_parse(struct options *o, int argc, char **argv)
{
	const char *dir = NULL, *file = NULL, *backup = NULL;
	char name[64];
	int c, i = 0;

	*o = (struct options){ .scope = CR_SCOPE_TREE,
			       .fd = -1,
			       .fsync = true,
			       .engine = cr_engine_default() };
	while ((c = getopt_long(argc, argv, "+Tpgscf:F:d:S:t:vq", options,
				&i)) != -1) {
		switch (c) {
		case 'T':
			o->scope = CR_SCOPE_TREE;
			break;
		case 'p':
			o->scope = CR_SCOPE_PROC;
			break;
		case 'g':
			o->scope = CR_SCOPE_PGRP;
			break;
		case 's':
			o->scope = CR_SCOPE_SESS;
			break;
		case 'c':
			dir = file = NULL;
			o->fd = -1;
			break;
		case 'f':
			file = optarg;
			dir = NULL;
			break;
		case 'd':
			dir = optarg;
			file = NULL;
			break;
		case 'F':
			o->fd = (int)number(optarg, "descriptor", 0, INT_MAX);
			break;
		case OPT_ATOMIC:
			o->existing = EXISTING_REPLACE;
			break;
		case OPT_CLOBBER:
			o->existing = EXISTING_OVERWRITE;
			break;
		case OPT_NOCLOBBER:
			o->existing = EXISTING_REFUSE;
			break;
		case OPT_BACKUP:
			o->existing = EXISTING_BACKUP;
			backup = optarg;
			break;
		case OPT_RUN:
			o->signal = 0;
			break;
		case 'S':
			o->signal = (int)number(optarg, "signal", 1, 64);
			break;
		case OPT_STOP:
			o->signal = SIGSTOP;
			break;
		case OPT_TERM:
			o->signal = SIGTERM;
			break;
		case OPT_ABORT:
			o->signal = SIGABRT;
			break;
		case OPT_KILL:
			o->signal = SIGKILL;
			break;
		case OPT_CONT:
			o->signal = SIGCONT;
			break;
		case OPT_SYNC:
			o->fsync = true;
			break;
		case OPT_NOSYNC:
			o->fsync = false;
			break;
		case OPT_SAVE_NONE:
			o->flags &= ~(unsigned int)CR_CHKPT_DUMP_ALL;
			break;
		case OPT_SAVE_EXE:
			o->flags |= CR_CHKPT_DUMP_EXEC;
			break;
		case OPT_SAVE_PRIVATE:
			o->flags |= CR_CHKPT_DUMP_PRIVATE;
			break;
		case OPT_SAVE_SHARED:
			o->flags |= CR_CHKPT_DUMP_SHARED;
			break;
		case OPT_SAVE_ALL:
			o->flags |= CR_CHKPT_DUMP_ALL;
			break;
		case OPT_PTRACED_ERROR:
			o->flags &= ~(unsigned int)PTRACED_BOTH;
			break;
		case OPT_PTRACED_SKIP:
			o->flags &= ~(unsigned int)PTRACED_BOTH;
			o->flags |= CR_CHKPT_PTRACED_SKIP;
			break;
		case OPT_PTRACED_ALLOW:
			o->flags &= ~(unsigned int)PTRACED_BOTH;
			o->flags |= CR_CHKPT_PTRACED_ALLOW;
			break;
		case OPT_PTRACER_ERROR:
			o->flags &= ~(unsigned int)CR_CHKPT_PTRACER_SKIP;
			break;
		case OPT_PTRACER_SKIP:
			o->flags |= CR_CHKPT_PTRACER_SKIP;
			break;
		case OPT_NOTHING:
			break;
		case 't':
			o->timeout = seconds(optarg);
			break;
		case OPT_SNAPSHOT:
			o->snapshot = snapshot_kind(optarg);
			break;
		case OPT_ENGINE:
			if (cr_engine_parse(optarg, &o->engine))
				usage("no such engine: %s", optarg);
			break;
		case OPT_DIRECT:
			o->direct = true;
			break;
		case OPT_DROP_CONNECTIONS:
			o->drop_connections = true;
			break;
		case OPT_CHECK:
			o->check_only = true;
			break;
		case 'v':
			o->verbose++;
			break;
		case 'q':
			o->quiet = true;
			break;
		case OPT_HELP:
			fputs(help, stdout);
			exit(0);
		case OPT_VERSION:
			puts("cr_checkpoint (" PACKAGE_NAME
			     ") " PACKAGE_VERSION);
			exit(0);
		default:
			usage("see the message above");
		}
	}
	if (optind + 1 != argc)
		usage(optind == argc ? "the ID is missing"
				     : "there is more than one ID");
	o->target = (pid_t)number(argv[optind], "ID", 1, INT_MAX);
	snprintf(name, sizeof(name), "context.%d", o->target);
	if (o->fd >= 0)
		return;
	make_path(o->path, dir, file ? file : name);
	if (backup)
		make_path(o->backup, NULL, backup);
	else if (snprintf(o->backup, PATH_MAX, "%s~", o->path) >= PATH_MAX)
		usage("%s: the name is too long", o->path);
}
