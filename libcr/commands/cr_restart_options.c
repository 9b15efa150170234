/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_restart_options.c - the command line of cr_restart */
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/cr_restart.h"
#include "config.h"

enum {
	OPT_RUN = 256,
	OPT_STOP,
	OPT_TERM,
	OPT_ABORT,
	OPT_KILL,
	OPT_CONT,
	OPT_OMIT_MAYBE,
	OPT_OMIT_ALWAYS,
	OPT_OMIT_NEVER,
	OPT_ON_SUCCESS,
	OPT_ON_ARGS,
	OPT_ON_TEMP,
	OPT_ON_ENV,
	OPT_ON_PERM,
	OPT_ON_FAILURE,
	OPT_RELOCATE,
	OPT_GROWN,
	OPT_APPEND,
	OPT_PID,
	OPT_NO_PID,
	OPT_PGID,
	OPT_NO_PGID,
	OPT_SID,
	OPT_NO_SID,
	OPT_KMSG,
	OPT_CHECK,
	OPT_ENGINE,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option options[] = {
	{ "file", required_argument, NULL, 'f' },
	{ "fd", required_argument, NULL, 'F' },
	{ "dir", required_argument, NULL, 'd' },
	{ "signal", required_argument, NULL, 'S' },
	{ "run", no_argument, NULL, OPT_RUN },
	{ "stop", no_argument, NULL, OPT_STOP },
	{ "term", no_argument, NULL, OPT_TERM },
	{ "abort", no_argument, NULL, OPT_ABORT },
	{ "kill", no_argument, NULL, OPT_KILL },
	{ "cont", no_argument, NULL, OPT_CONT },
	{ "omit-maybe", no_argument, NULL, OPT_OMIT_MAYBE },
	{ "omit-always", no_argument, NULL, OPT_OMIT_ALWAYS },
	{ "omit-never", no_argument, NULL, OPT_OMIT_NEVER },
	{ "run-on-success", required_argument, NULL, OPT_ON_SUCCESS },
	{ "run-on-fail-args", required_argument, NULL, OPT_ON_ARGS },
	{ "run-on-fail-temp", required_argument, NULL, OPT_ON_TEMP },
	{ "run-on-fail-env", required_argument, NULL, OPT_ON_ENV },
	{ "run-on-fail-perm", required_argument, NULL, OPT_ON_PERM },
	{ "run-on-failure", required_argument, NULL, OPT_ON_FAILURE },
	{ "relocate", required_argument, NULL, OPT_RELOCATE },
	{ "grown", required_argument, NULL, OPT_GROWN },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "restore-pid", no_argument, NULL, OPT_PID },
	{ "no-restore-pid", no_argument, NULL, OPT_NO_PID },
	{ "restore-pgid", no_argument, NULL, OPT_PGID },
	{ "no-restore-pgid", no_argument, NULL, OPT_NO_PGID },
	{ "restore-sid", no_argument, NULL, OPT_SID },
	{ "no-restore-sid", no_argument, NULL, OPT_NO_SID },
	{ "kmsg-none", no_argument, NULL, OPT_KMSG },
	{ "kmsg-error", no_argument, NULL, OPT_KMSG },
	{ "kmsg-warning", no_argument, NULL, OPT_KMSG },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "engine", required_argument, NULL, OPT_ENGINE },
	{ "verbose", no_argument, NULL, 'v' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"Usage: cr_restart [OPTION]... FILE\n"
	"Restart the processes that a context file holds, and wait for them.\n"
	"\n"
	"  -f, --file FILE       the context file\n"
	"  -F, --fd FD           read it from an open descriptor\n"
	"  -d, --dir DIR         the one file context.* in DIR\n"
	"      --check           see whether it could be restarted, no more\n"
	"\n"
	"Afterwards the processes get\n"
	"  -S, --signal NUM      this signal\n"
	"      --stop --term --abort --kill --cont   SIGSTOP, SIGTERM, ...\n"
	"      --run             none (default)\n"
	"\n"
	"Process ids:\n"
	"      --restore-pid     the same on this host, or fail\n"
	"      --no-restore-pid  the same in a namespace of their own\n"
	"                        (default: the first, else the second)\n"
	"      --restore-pgid, --restore-sid   group and session of the root,\n"
	"                        too; default: those of cr_restart\n"
	"      --relocate OLD=NEW   paths below OLD are now below NEW; up to "
	"16\n"
	"      --grown PATH      this file may have become longer; what has been\n"
	"                        added stays, and the program goes on behind it\n"
	"      --append keep|cut|fail   of a file opened for appending that has:\n"
	"                        it stays (default), is moved aside, or is an\n"
	"                        obstacle\n"
	"\n"
	"      --engine auto|module|user   with the help of the kernel module:\n"
	"                        where it is there (default), always, never\n"
	"\n"
	"cr_restart itself is left out of checkpoints\n"
	"      --omit-maybe      that name it, which mean the restarted tree\n"
	"                        (default)\n"
	"      --omit-always, --omit-never\n"
	"\n"
	"A shell command that takes the place of the rest of cr_restart:\n"
	"      --run-on-success, --run-on-failure, --run-on-fail-args,\n"
	"      --run-on-fail-temp, --run-on-fail-env, --run-on-fail-perm=CMD\n"
	"\n"
	"  -v, --verbose         say what is done, and how long it took\n"
	"  -q, --quiet           no messages but errors\n"
	"      --help, --version\n"
	"\n"
	"The exit status is that of the program, 125 if it did not run.  See\n"
	"cr_restart(1).\n";

static int wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int wrong(const char *fmt, ...)
{
	va_list ap;

	fputs("cr_restart: ", cr_restart_log);
	va_start(ap, fmt);
	vfprintf(cr_restart_log, fmt, ap);
	va_end(ap);
	fputs("\nTry 'cr_restart --help'.\n", cr_restart_log);
	return CR_RESTART_FAILED;
}

static int number(const char *text, int min, int max, int *value)
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

/*
 * The '=' that ends OLD; in OLD a backslash makes the next character an
 * ordinary one, and is taken out here.
 */
static char *split(char *arg)
{
	char *to = arg;

	for (; *arg && *arg != '='; arg++) {
		if (arg[0] == '\\' && arg[1])
			arg++;
		*to++ = *arg;
	}
	if (!*arg)
		return NULL;
	*to = '\0';
	return arg + 1;
}

static int append(struct cr_restart_options *o, const char *how)
{
	static const char *const words[] = { [CR_APPEND_KEEP] = "keep",
					     [CR_APPEND_CUT] = "cut",
					     [CR_APPEND_FAIL] = "fail" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(how, words[i])) {
			o->restore.append = (enum cr_restore_append)i;
			return -1;
		}
	return wrong("--append: \"%s\" is not keep, cut or fail", how);
}

static int relocate(struct cr_restart_options *o, char *arg)
{
	struct cr_rstrt_relocate *r = &o->relocate;
	char *new = split(arg);

	if (!new || arg[0] != '/' || new[0] != '/')
		return wrong("--relocate wants OLD=NEW, two absolute paths: %s",
			     arg);
	if (r->count == CR_MAX_RSTRT_RELOC)
		return wrong("more than %d times --relocate",
			     CR_MAX_RSTRT_RELOC);
	r->path[r->count].oldpath = arg;
	r->path[r->count++].newpath = new;
	return -1;
}

/* The only context file in a directory. */
static int find_in(const char *dir, const char **file)
{
	static char path[4096];
	char pattern[4096];
	glob_t g;
	int ret;

	snprintf(pattern, sizeof(pattern), "%s/context.*", dir);
	ret = glob(pattern, 0, NULL, &g);
	if (ret)
		return wrong("no file context.* in %s", dir);
	if (g.gl_pathc > 1)
		ret = wrong("more than one file context.* in %s: name one",
			    dir);
	else
		ret = -1;
	snprintf(path, sizeof(path), "%s", g.gl_pathv[0]);
	*file = path;
	globfree(&g);
	return ret;
}

static int signal_option(int c)
{
	switch (c) {
	case OPT_STOP:
		return SIGSTOP;
	case OPT_TERM:
		return SIGTERM;
	case OPT_ABORT:
		return SIGABRT;
	case OPT_KILL:
		return SIGKILL;
	case OPT_CONT:
		return SIGCONT;
	default:
		return 0;
	}
}

static const char **command_option(struct cr_restart_options *o, int c)
{
	switch (c) {
	case OPT_ON_SUCCESS:
		return &o->on_success;
	case OPT_ON_ARGS:
		return &o->on_args;
	case OPT_ON_TEMP:
		return &o->on_temp;
	case OPT_ON_ENV:
		return &o->on_env;
	case OPT_ON_PERM:
		return &o->on_perm;
	default:
		return &o->on_failure;
	}
}

static int one(struct cr_restart_options *o, int c)
{
	switch (c) {
	case 'f':
		o->file = optarg;
		return -1;
	case 'F':
		if (number(optarg, 0, 1 << 30, &o->fd) < 0)
			return wrong("--fd wants a number: %s", optarg);
		return -1;
	case 'd':
		return find_in(optarg, &o->file);
	case 'S':
		if (number(optarg, 1, 64, &o->restore.signal) < 0)
			return wrong("--signal wants 1 to 64: %s", optarg);
		return -1;
	case OPT_RUN:
	case OPT_STOP:
	case OPT_TERM:
	case OPT_ABORT:
	case OPT_KILL:
	case OPT_CONT:
		o->restore.signal = signal_option(c);
		return -1;
	case OPT_OMIT_MAYBE:
		o->restore.omit = CR_OMIT_MAYBE;
		return -1;
	case OPT_OMIT_ALWAYS:
		o->restore.omit = CR_OMIT_ALWAYS;
		return -1;
	case OPT_OMIT_NEVER:
		o->restore.omit = CR_OMIT_NEVER;
		return -1;
	case OPT_KMSG: /* there are no messages of a kernel module */
	case OPT_NO_PGID:
	case OPT_NO_SID:
		return -1;
	case OPT_RELOCATE:
		return relocate(o, optarg);
	case OPT_GROWN:
		if (o->restore.n_grown == CR_RESTORE_GROWN)
			return wrong("more than %d times --grown",
				     CR_RESTORE_GROWN);
		o->restore.grown[o->restore.n_grown++] = optarg;
		return -1;
	case OPT_APPEND:
		return append(o, optarg);
	case OPT_PID:
		o->restore.pids = CR_PIDS_HOST;
		return -1;
	case OPT_NO_PID:
		o->restore.pids = CR_PIDS_NAMESPACE;
		return -1;
	case OPT_PGID:
		o->restore.restore_pgid = true;
		return -1;
	case OPT_SID:
		o->restore.restore_sid = true;
		return -1;
	case OPT_CHECK:
		o->restore.verify_only = true;
		return -1;
	case OPT_ENGINE:
		if (cr_engine_parse(optarg, &o->restore.engine))
			return wrong("no such engine: %s", optarg);
		return -1;
	case 'v':
		o->verbose++;
		return -1;
	case 'q':
		o->verbose = -1;
		return -1;
	case OPT_HELP:
		fputs(usage, stdout);
		return 0;
	case OPT_VERSION:
		printf("cr_restart (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
		return 0;
	case OPT_ON_SUCCESS:
	case OPT_ON_ARGS:
	case OPT_ON_TEMP:
	case OPT_ON_ENV:
	case OPT_ON_PERM:
	case OPT_ON_FAILURE:
		*command_option(o, c) = optarg;
		return -1;
	}
	fputs("Try 'cr_restart --help'.\n", stderr);
	return CR_RESTART_FAILED;
}

int cr_restart_parse(struct cr_restart_options *o, int argc, char **argv)
{
	int c, ret;

	memset(o, 0, sizeof(*o));
	o->restore.engine = cr_engine_default();
	o->fd = -1;
	o->restore.pids = CR_PIDS_AUTO;
	o->restore.relocate = &o->relocate;
	for (int i = 0; i < 3; i++)
		o->restore.stdio[i] = i;
	while ((c = getopt_long(argc, argv, "f:F:d:S:vq", options, NULL)) !=
	       -1) {
		ret = one(o, c);
		if (ret >= 0)
			return ret;
	}
	if (optind < argc && !o->file && o->fd < 0)
		o->file = argv[optind++];
	if (optind < argc)
		return wrong("too many arguments: %s", argv[optind]);
	if (!o->file && o->fd < 0)
		return wrong("which context file?");
	if (o->file && o->fd >= 0)
		return wrong("a file and a descriptor: which one?");
	return -1;
}
