/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - slurm-checkpoint: checkpoint a job, and look at its checkpoints */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "plugins/slurm/command/command.h"

#define MAIN_MOST 999999

static const char usage[] =
	"usage: slurm-checkpoint [options] VERB JOB[_TASK] [MaxWait=S] [ImageDir=DIR]\n"
	"\n"
	"  able      can the job be checkpointed now? Yes, No, Began at TIME\n"
	"  create    checkpoint it; it runs on\n"
	"  vacate    checkpoint it, then end it\n"
	"  requeue   checkpoint it, then requeue it\n"
	"  restart   start a job again from its last checkpoint\n"
	"  error     code and text of the last failure\n"
	"  disable, enable   forbid checkpoints, allow them again\n"
	"  list      the checkpoints there are\n"
	"  show      one of them in detail\n"
	"\n"
	"  -w, --max-wait=S       seconds to give the ranks (default 60)\n"
	"  -i, --image-dir=DIR    another directory for this checkpoint\n"
	"  -d, --dir=DIR          the job's --checkpoint-dir\n"
	"  -g, --generation=N     show: which one\n"
	"      --json             show: the manifest\n"
	"  -q, --quiet\n"
	"      --help, --version\n";

/* A positive number, or 0. */
static int main_number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *end || end == text || n < 1 || n > MAIN_MOST ? 0 : n;
}

static int main_image_dir(struct cr_command *c, const char *dir)
{
	c->image_dir = dir;
	if (*dir != '/')
		return cr_command_fail("%s: must be an absolute path", dir);
	return 0;
}

static int main_key(struct cr_command *c, const char *arg)
{
	if (!strncasecmp(arg, "MaxWait=", 8)) {
		c->max_wait = main_number(arg + 8);
		if (!c->max_wait)
			return cr_command_fail("%s: not a number of seconds",
					       arg);
		return 0;
	}
	if (!strncasecmp(arg, "ImageDir=", 9))
		return main_image_dir(c, arg + 9);
	if (!strcasecmp(arg, "StickToNodes"))
		return cr_command_fail("StickToNodes is not supported: give "
				       "the nodes with scontrol update "
				       "ReqNodeList=");
	return cr_command_fail("%s: what is that?", arg);
}

static int main_job(struct cr_command *c, const char *arg)
{
	struct cr_error err = { 0 };
	int rc = cr_jobctl_find(arg, &c->job, &err);

	if (rc)
		cr_command_fail("%s", err.text);
	return rc == -ESRCH ? 1 : rc ? 2 : 0;
}

static int main_run(struct cr_command *c, const char *verb)
{
	static const char *const asked[] = { "able",	"create",  "vacate",
					     "requeue", "error",   "disable",
					     "enable",	NULL };

	for (int i = 0; asked[i]; i++)
		if (!strcasecmp(verb, asked[i]))
			return cr_command_ask(c, asked[i]);
	if (!strcasecmp(verb, "list"))
		return cr_command_list(c);
	if (!strcasecmp(verb, "show"))
		return cr_command_show(c);
	if (!strcasecmp(verb, "restart"))
		return cr_command_restart(c);
	cr_command_fail("%s: no such verb", verb);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "max-wait", 1, NULL, 'w' },	{ "image-dir", 1, NULL, 'i' },
		{ "dir", 1, NULL, 'd' },	{ "generation", 1, NULL, 'g' },
		{ "json", 0, NULL, 'j' },	{ "quiet", 0, NULL, 'q' },
		{ "help", 0, NULL, 'h' },	{ "version", 0, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct cr_command c = { 0 };
	char key[4200];
	int o;

	while ((o = getopt_long(argc, argv, "w:i:d:g:q", opts, NULL)) != -1) {
		switch (o) {
		case 'w':
			snprintf(key, sizeof(key), "MaxWait=%s", optarg);
			if (main_key(&c, key))
				return 2;
			break;
		case 'i':
			if (main_image_dir(&c, optarg))
				return 2;
			break;
		case 'd':
			c.dir = optarg;
			break;
		case 'g':
			c.generation = main_number(optarg);
			if (!c.generation) {
				cr_command_fail("%s: not a generation's number",
						optarg);
				return 2;
			}
			break;
		case 'j':
			c.json = true;
			break;
		case 'q':
			c.quiet = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			printf("slurm-checkpoint (%s) %s\n", PACKAGE,
			       PACKAGE_VERSION);
			return 0;
		default:
			return 2;
		}
	}
	if (argc - optind < 2) {
		fputs(usage, stderr);
		return 2;
	}
	o = main_job(&c, argv[optind + 1]);
	if (o)
		return o;
	for (int i = optind + 2; i < argc; i++)
		if (main_key(&c, argv[i]))
			return 2;
	return main_run(&c, argv[optind]);
}
