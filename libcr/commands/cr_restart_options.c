/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_restart_options.c - the command line of cr_restart */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/args.h"
#include "commands/cr_restart.h"
#include "config.h"

enum { UNKNOWN = 1000 }; /* an option that is not there */

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
	"                        too\n"
	"      --no-restore-pgid, --no-restore-sid   those of cr_restart "
	"(default)\n"
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
	"      --kmsg-none, --kmsg-error, --kmsg-warning   accepted: there are "
	"none\n"
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

/* context.ID, and not one that --backup has kept */
static bool is_context(const char *name)
{
	return !strncmp(name, "context.", strlen("context.")) &&
	       name[strlen(name) - 1] != '~';
}

/* The only context file in a directory. */
static int find_in(const char *dir, const char **file)
{
	static char path[PATH_MAX];
	int n = 0, len = 0;
	struct dirent *e;
	DIR *d = opendir(dir);

	if (!d)
		return wrong("%s: %s", dir, strerror(errno));
	while ((e = readdir(d)))
		if (is_context(e->d_name) && n++ == 0)
			len = snprintf(path, sizeof(path), "%s/%s", dir,
				       e->d_name);
	closedir(d);
	if (n == 0)
		return wrong("no file context.* in %s", dir);
	if (n > 1)
		return wrong("more than one file context.* in %s: name one",
			     dir);
	if (len >= (int)sizeof(path))
		return wrong("%s: the name is too long", dir);
	*file = path;
	return -1;
}

static int set_file(void *to, const char *arg, int value)
{
	struct cr_restart_options *o = to;

	o->file = arg;
	return -1;
}

static int set_dir(void *to, const char *arg, int value)
{
	struct cr_restart_options *o = to;

	return find_in(arg, &o->file);
}

static int set_fd(void *to, const char *arg, int value)
{
	struct cr_restart_options *o = to;

	if (cr_args_number(arg, 0, 1 << 30, &o->fd) < 0)
		return wrong("--fd wants a number: %s", arg);
	return -1;
}

static int set_signal(void *to, const char *arg, int signo)
{
	struct cr_restart_options *o = to;

	o->restore.signal = signo;
	if (arg && cr_args_number(arg, 1, 64, &o->restore.signal) < 0)
		return wrong("--signal wants 1 to 64: %s", arg);
	return -1;
}

static int set_omit(void *to, const char *arg, int omit)
{
	struct cr_restart_options *o = to;

	o->restore.omit = omit;
	return -1;
}

/* value is where in struct cr_restart_options it is. */
static int set_command(void *to, const char *arg, int value)
{
	*(const char **)((char *)to + value) = arg;
	return -1;
}

static int set_true(void *to, const char *arg, int value)
{
	*(bool *)((char *)to + value) = true;
	return -1;
}

static int set_false(void *to, const char *arg, int value)
{
	*(bool *)((char *)to + value) = false;
	return -1;
}

static int set_relocate(void *to, const char *arg, int value)
{
	struct cr_restart_options *o = to;
	struct cr_rstrt_relocate *r = &o->relocate;
	char *old = strdup(arg);
	char *new = old ? split(old) : NULL;

	if (!new || old[0] != '/' || new[0] != '/') {
		free(old);
		return wrong("--relocate wants OLD=NEW, two absolute paths: %s",
			     arg);
	}
	if (r->count == CR_MAX_RSTRT_RELOC) {
		free(old);
		return wrong("more than %d times --relocate",
			     CR_MAX_RSTRT_RELOC);
	}
	r->path[r->count].oldpath = old;
	r->path[r->count++].newpath = new;
	return -1;
}

static int set_grown(void *to, const char *arg, int value)
{
	struct cr_restart_options *o = to;

	if (o->restore.n_grown == CR_RESTORE_GROWN)
		return wrong("more than %d times --grown", CR_RESTORE_GROWN);
	o->restore.grown[o->restore.n_grown++] = arg;
	return -1;
}

static int set_append(void *to, const char *how, int value)
{
	static const char *const words[] = { [CR_APPEND_KEEP] = "keep",
					     [CR_APPEND_CUT] = "cut",
					     [CR_APPEND_FAIL] = "fail" };
	struct cr_restart_options *o = to;

	for (int i = 0; i < 3; i++)
		if (!strcmp(how, words[i])) {
			o->restore.append = (enum cr_restore_append)i;
			return -1;
		}
	return wrong("--append: \"%s\" is not keep, cut or fail", how);
}

static int set_pids(void *to, const char *arg, int pids)
{
	struct cr_restart_options *o = to;

	o->restore.pids = pids;
	return -1;
}

/* There are no messages of a kernel module. */
static int set_kmsg(void *to, const char *arg, int value)
{
	return -1;
}

static int set_engine(void *to, const char *arg, int value)
{
	struct cr_restart_options *o = to;

	if (cr_engine_parse(arg, &o->restore.engine))
		return wrong("no such engine: %s", arg);
	return -1;
}

static int set_verbose(void *to, const char *arg, int value)
{
	struct cr_restart_options *o = to;

	o->verbose = value < 0 ? value : o->verbose + value;
	return -1;
}

static int show_help(void *to, const char *arg, int value)
{
	fputs(usage, stdout);
	return 0;
}

static int show_version(void *to, const char *arg, int value)
{
	printf("cr_restart (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
	return 0;
}

#define FIELD(set, field) set, offsetof(struct cr_restart_options, field)

static const struct cr_args_option options[] = {
	{ "file", 'f', required_argument, set_file, 0 },
	{ "fd", 'F', required_argument, set_fd, 0 },
	{ "dir", 'd', required_argument, set_dir, 0 },
	{ "signal", 'S', required_argument, set_signal, 0 },
	{ "run", 0, no_argument, set_signal, 0 },
	{ "stop", 0, no_argument, set_signal, SIGSTOP },
	{ "term", 0, no_argument, set_signal, SIGTERM },
	{ "abort", 0, no_argument, set_signal, SIGABRT },
	{ "kill", 0, no_argument, set_signal, SIGKILL },
	{ "cont", 0, no_argument, set_signal, SIGCONT },
	{ "omit-maybe", 0, no_argument, set_omit, CR_OMIT_MAYBE },
	{ "omit-always", 0, no_argument, set_omit, CR_OMIT_ALWAYS },
	{ "omit-never", 0, no_argument, set_omit, CR_OMIT_NEVER },
	{ "run-on-success", 0, required_argument,
	  FIELD(set_command, on_success) },
	{ "run-on-fail-args", 0, required_argument,
	  FIELD(set_command, on_args) },
	{ "run-on-fail-temp", 0, required_argument,
	  FIELD(set_command, on_temp) },
	{ "run-on-fail-env", 0, required_argument, FIELD(set_command, on_env) },
	{ "run-on-fail-perm", 0, required_argument,
	  FIELD(set_command, on_perm) },
	{ "run-on-failure", 0, required_argument,
	  FIELD(set_command, on_failure) },
	{ "relocate", 0, required_argument, set_relocate, 0 },
	{ "grown", 0, required_argument, set_grown, 0 },
	{ "append", 0, required_argument, set_append, 0 },
	{ "restore-pid", 0, no_argument, set_pids, CR_PIDS_HOST },
	{ "no-restore-pid", 0, no_argument, set_pids, CR_PIDS_NAMESPACE },
	{ "restore-pgid", 0, no_argument,
	  FIELD(set_true, restore.restore_pgid) },
	{ "no-restore-pgid", 0, no_argument,
	  FIELD(set_false, restore.restore_pgid) },
	{ "restore-sid", 0, no_argument,
	  FIELD(set_true, restore.restore_sid) },
	{ "no-restore-sid", 0, no_argument,
	  FIELD(set_false, restore.restore_sid) },
	{ "kmsg-none", 0, no_argument, set_kmsg, 0 },
	{ "kmsg-error", 0, no_argument, set_kmsg, 0 },
	{ "kmsg-warning", 0, no_argument, set_kmsg, 0 },
	{ "check", 0, no_argument, FIELD(set_true, restore.verify_only) },
	{ "engine", 0, required_argument, set_engine, 0 },
	{ "verbose", 'v', no_argument, set_verbose, 1 },
	{ "quiet", 'q', no_argument, set_verbose, -1 },
	{ "help", 0, no_argument, show_help, 0 },
	{ "version", 0, no_argument, show_version, 0 },
};

int cr_restart_parse(struct cr_restart_options *o, int argc, char **argv)
{
	int ret;

	memset(o, 0, sizeof(*o));
	o->restore.engine = cr_engine_default();
	o->fd = -1;
	o->restore.pids = CR_PIDS_AUTO;
	o->restore.relocate = &o->relocate;
	for (int i = 0; i < 3; i++)
		o->restore.stdio[i] = i;
	ret = cr_args_parse(options, sizeof(options) / sizeof(options[0]), "",
			    o, UNKNOWN, argc, argv);
	if (ret == UNKNOWN) {
		fputs("Try 'cr_restart --help'.\n", stderr);
		ret = CR_RESTART_FAILED;
	}
	if (ret >= 0)
		return ret;
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
