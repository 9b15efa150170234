/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_checkpoint_options.c - the command line of cr_checkpoint */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/args.h"
#include "commands/cr_checkpoint.h"
#include "config.h"

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
	"  --kmsg-none, --kmsg-error, --kmsg-warning  accepted: there are none\n"
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

static int number(const char *text, const char *what, int min, int max)
{
	int n;

	if (cr_args_number(text, min, max, &n))
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

/* What is named before it is known what it is relative to. */
struct parsed {
	struct options *o;
	const char *dir, *file, *backup;
};

static int set_scope(void *to, const char *arg, int scope)
{
	struct parsed *p = to;

	p->o->scope = (cr_scope_t)scope;
	return -1;
}

static int set_cwd(void *to, const char *arg, int value)
{
	struct parsed *p = to;

	p->dir = p->file = NULL;
	p->o->fd = -1;
	return -1;
}

static int set_file(void *to, const char *arg, int value)
{
	struct parsed *p = to;

	p->file = arg;
	p->dir = NULL;
	return -1;
}

static int set_dir(void *to, const char *arg, int value)
{
	struct parsed *p = to;

	p->dir = arg;
	p->file = NULL;
	return -1;
}

static int set_fd(void *to, const char *arg, int value)
{
	struct parsed *p = to;

	p->o->fd = number(arg, "descriptor", 0, INT_MAX);
	return -1;
}

static int set_existing(void *to, const char *arg, int existing)
{
	struct parsed *p = to;

	p->o->existing = existing;
	if (existing == EXISTING_BACKUP)
		p->backup = arg;
	return -1;
}

static int set_signal(void *to, const char *arg, int signo)
{
	struct parsed *p = to;

	p->o->signal = arg ? number(arg, "signal", 1, 64) : signo;
	return -1;
}

static int set_sync(void *to, const char *arg, int yes)
{
	struct parsed *p = to;

	p->o->fsync = yes;
	return -1;
}

/* Of a policy with several flags one is chosen, or (0) none. */
static void choose(struct options *o, unsigned int among, int flag)
{
	o->flags = (o->flags & ~among) | (unsigned int)flag;
}

static int set_save(void *to, const char *arg, int flag)
{
	struct parsed *p = to;

	if (flag)
		p->o->flags |= (unsigned int)flag;
	else
		choose(p->o, CR_CHKPT_DUMP_ALL, 0);
	return -1;
}

static int set_ptraced(void *to, const char *arg, int flag)
{
	struct parsed *p = to;

	choose(p->o, CR_CHKPT_PTRACED_SKIP | CR_CHKPT_PTRACED_ALLOW, flag);
	return -1;
}

static int set_ptracer(void *to, const char *arg, int flag)
{
	struct parsed *p = to;

	choose(p->o, CR_CHKPT_PTRACER_SKIP, flag);
	return -1;
}

/* Asks for what is so anyway. */
static int set_nothing(void *to, const char *arg, int value)
{
	return -1;
}

static int set_time(void *to, const char *arg, int value)
{
	struct parsed *p = to;

	p->o->timeout = seconds(arg);
	return -1;
}

static int set_snapshot(void *to, const char *arg, int value)
{
	struct parsed *p = to;

	p->o->snapshot = snapshot_kind(arg);
	return -1;
}

static int set_engine(void *to, const char *arg, int value)
{
	struct parsed *p = to;

	if (cr_engine_parse(arg, &p->o->engine))
		usage("no such engine: %s", arg);
	return -1;
}

/* value is where in struct options it is. */
static int set_flag(void *to, const char *arg, int value)
{
	struct parsed *p = to;

	*(bool *)((char *)p->o + value) = true;
	return -1;
}

static int set_verbose(void *to, const char *arg, int value)
{
	struct parsed *p = to;

	p->o->verbose++;
	return -1;
}

static int show_help(void *to, const char *arg, int value)
{
	fputs(help, stdout);
	return 0;
}

static int show_version(void *to, const char *arg, int value)
{
	puts("cr_checkpoint (" PACKAGE_NAME ") " PACKAGE_VERSION);
	return 0;
}

#define FLAG(field) set_flag, offsetof(struct options, field)

static const struct cr_args_option options[] = {
	{ "tree", 'T', no_argument, set_scope, CR_SCOPE_TREE },
	{ "pid", 'p', no_argument, set_scope, CR_SCOPE_PROC },
	{ "pgid", 'g', no_argument, set_scope, CR_SCOPE_PGRP },
	{ "sid", 's', no_argument, set_scope, CR_SCOPE_SESS },
	{ "cwd", 'c', no_argument, set_cwd, 0 },
	{ "file", 'f', required_argument, set_file, 0 },
	{ "fd", 'F', required_argument, set_fd, 0 },
	{ "dir", 'd', required_argument, set_dir, 0 },
	{ "atomic", 0, no_argument, set_existing, EXISTING_REPLACE },
	{ "backup", 0, optional_argument, set_existing, EXISTING_BACKUP },
	{ "clobber", 0, no_argument, set_existing, EXISTING_OVERWRITE },
	{ "noclobber", 0, no_argument, set_existing, EXISTING_REFUSE },
	{ "run", 0, no_argument, set_signal, 0 },
	{ "signal", 'S', required_argument, set_signal, 0 },
	{ "stop", 0, no_argument, set_signal, SIGSTOP },
	{ "term", 0, no_argument, set_signal, SIGTERM },
	{ "abort", 0, no_argument, set_signal, SIGABRT },
	{ "kill", 0, no_argument, set_signal, SIGKILL },
	{ "cont", 0, no_argument, set_signal, SIGCONT },
	{ "sync", 0, no_argument, set_sync, true },
	{ "nosync", 0, no_argument, set_sync, false },
	{ "save-none", 0, no_argument, set_save, 0 },
	{ "save-exe", 0, no_argument, set_save, CR_CHKPT_DUMP_EXEC },
	{ "save-private", 0, no_argument, set_save, CR_CHKPT_DUMP_PRIVATE },
	{ "save-shared", 0, no_argument, set_save, CR_CHKPT_DUMP_SHARED },
	{ "save-all", 0, no_argument, set_save, CR_CHKPT_DUMP_ALL },
	{ "ptraced-error", 0, no_argument, set_ptraced, 0 },
	{ "ptraced-skip", 0, no_argument, set_ptraced, CR_CHKPT_PTRACED_SKIP },
	{ "ptraced-allow", 0, no_argument, set_ptraced,
	  CR_CHKPT_PTRACED_ALLOW },
	{ "ptracer-error", 0, no_argument, set_ptracer, 0 },
	{ "ptracer-skip", 0, no_argument, set_ptracer, CR_CHKPT_PTRACER_SKIP },
	{ "kmsg-none", 0, no_argument, set_nothing, 0 },
	{ "kmsg-error", 0, no_argument, set_nothing, 0 },
	{ "kmsg-warning", 0, no_argument, set_nothing, 0 },
	{ "time", 't', required_argument, set_time, 0 },
	{ "snapshot", 0, required_argument, set_snapshot, 0 },
	{ "engine", 0, required_argument, set_engine, 0 },
	{ "direct", 0, no_argument, FLAG(direct) },
	{ "drop-connections", 0, no_argument, FLAG(drop_connections) },
	{ "check", 0, no_argument, FLAG(check_only) },
	{ "verbose", 'v', no_argument, set_verbose, 0 },
	{ "quiet", 'q', no_argument, FLAG(quiet) },
	{ "help", 0, no_argument, show_help, 0 },
	{ "version", 0, no_argument, show_version, 0 },
};

/* The absolute paths: of the file, and of the backup of what it replaces. */
static void name_files(const struct parsed *p)
{
	struct options *o = p->o;
	char name[64];

	snprintf(name, sizeof(name), "context.%d", o->target);
	make_path(o->path, p->dir, p->file ? p->file : name);
	if (p->backup)
		make_path(o->backup, NULL, p->backup);
	else if (snprintf(o->backup, PATH_MAX, "%s~", o->path) >= PATH_MAX)
		usage("%s: the name is too long", o->path);
}

void options_parse(struct options *o, int argc, char **argv)
{
	struct parsed p = { .o = o };
	int status;

	*o = (struct options){ .scope = CR_SCOPE_TREE,
			       .fd = -1,
			       .fsync = true,
			       .engine = cr_engine_default() };
	status = cr_args_parse(options, sizeof(options) / sizeof(options[0]),
			       "+", &p, 2, argc, argv);
	if (status > 0)
		usage("see the message above");
	if (status == 0)
		exit(0);
	if (optind + 1 != argc)
		usage(optind == argc ? "the ID is missing"
				     : "there is more than one ID");
	o->target = number(argv[optind], "ID", 1, INT_MAX);
	if (o->fd < 0)
		name_files(&p);
}
