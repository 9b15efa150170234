/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_info.c - tells what is in a context file */
#include <config.h>

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands/cr_info.h"
#include "commands/descriptors.h"

enum part {
	PART_SUMMARY = 1,
	PART_TREE = 2,
	PART_MEMORY = 4,
	PART_FILES = 8,
	PART_THREADS = 16,
	PART_ALL = 31,
};

struct options {
	unsigned int parts;
	bool verify, json, system;
	int32_t pid;
};

static const char help[] =
	"Usage: cr_info [OPTION]... FILE...\n"
	"Tell what is in context files. FILE - is the standard input.\n"
	"\n"
	"What to show (a summary and the tree of processes by default):\n"
	"  -t, --tree         processes, who made whom, and their threads\n"
	"  -m, --memory       memory areas and how much of them is stored\n"
	"  -f, --files        open files\n"
	"  -T, --threads      threads with their state\n"
	"  -a, --all          all of these\n"
	"  -p, --pid=PID      of this process only\n"
	"      --json         everything, as JSON\n"
	"\n"
	"      --verify       check the digests of all pages\n"
	"      --system       not of a file: what this machine offers\n"
	"      --help         this text\n"
	"      --version      the version\n"
	"\n"
	"The exit status is 0, 1 if a file is damaged or cannot be read, 2 if\n"
	"the arguments make no sense.\n";

static void count(struct info *in)
{
	const struct cr_image *img = in->img;

	in->spaces =
		info_alloc(img->n_mms + img->n_shms + 1, sizeof(*in->spaces));
	for (size_t i = 0; i < img->n_mms; i++)
		for (size_t k = 0; k < img->mms[i].n_areas; k++) {
			const struct cr_area *area = &img->mms[i].areas[k];

			if (area->kind != CR_AREA_VSYSCALL)
				in->spaces[i].mapped += area->end - area->start;
		}
	for (size_t i = 0; i < img->n_shms; i++)
		in->spaces[img->n_mms + i].mapped = img->shms[i].size;
	for (size_t i = 0; i < img->n_runs; i++) {
		struct info_space *space = &in->spaces[img->runs[i].space];

		space->pages += img->runs[i].len;
		space->stored += img->runs[i].stored;
		space->runs++;
	}
	for (size_t i = 0; i < img->n_mms + img->n_shms; i++) {
		in->total.mapped += in->spaces[i].mapped;
		in->total.pages += in->spaces[i].pages;
		in->total.stored += in->spaces[i].stored;
		in->total.runs += in->spaces[i].runs;
	}
	for (size_t i = 0; i < img->n_procs; i++)
		in->n_threads += img->procs[i].n_threads;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int verify(struct info *in, struct cr_error *err)
{
	double start = seconds(), took;
	int rc = cr_reader_verify(in->reader, err);

	if (rc) {
		cr_error_prefix(err, "%s", in->path);
		return rc;
	}
	took = seconds() - start;
	in->verified = true;
	fprintf(stderr, "%s: verified, %s in %.2f s\n", in->path,
		info_size(cr_reader_size(in->reader)).text, took);
	return 0;
}

static bool has_pid(const struct info *in)
{
	for (size_t i = 0; i < in->img->n_procs; i++)
		if (info_selected(in, &in->img->procs[i]))
			return true;
	return false;
}

static void show(const struct info *in, const struct options *opt)
{
	static void (*const print[])(const struct info *) = {
		info_print_summary, info_print_tree,	info_print_memory,
		info_print_files,   info_print_threads,
	};
	const char *gap = "";

	if (opt->json) {
		info_print_json(in);
		return;
	}
	for (size_t i = 0; i < sizeof(print) / sizeof(print[0]); i++)
		if (opt->parts & 1u << i) {
			fputs(gap, stdout);
			print[i](in);
			gap = "\n";
		}
}

static int info(const char *path, const struct options *opt)
{
	struct info in = { .path = path, .pid = opt->pid };
	struct cr_error err = { 0 };
	int rc;

	if (!strcmp(path, "-")) {
		in.path = "standard input";
		rc = cr_reader_open_fd(&in.reader, STDIN_FILENO, &err);
	} else {
		rc = cr_reader_open(&in.reader, path, &err);
	}
	if (rc)
		goto out;
	in.img = cr_reader_image(in.reader);
	count(&in);
	if (!has_pid(&in)) {
		rc = cr_error_set(&err, -1, "%s: there is no process %d",
				  in.path, in.pid);
		goto out;
	}
	if (opt->verify)
		rc = verify(&in, &err);
	if (!rc)
		show(&in, opt);
out:
	if (rc)
		fprintf(stderr, "cr_info: %s\n", err.text);
	free(in.spaces);
	cr_reader_destroy(in.reader);
	return rc;
}

static int32_t parse_pid(const char *text)
{
	char *end;
	long pid = strtol(text, &end, 10);

	if (*end || end == text || pid <= 0 || pid > INT32_MAX) {
		fprintf(stderr, "cr_info: \"%s\" is not a process id\n", text);
		exit(2);
	}
	return (int32_t)pid;
}

static void parse(int argc, char **argv, struct options *opt)
{
	enum { OPT_JSON = 256, OPT_VERIFY, OPT_SYSTEM, OPT_HELP, OPT_VERSION };
	static const struct option options[] = {
		{ "tree", no_argument, NULL, 't' },
		{ "memory", no_argument, NULL, 'm' },
		{ "files", no_argument, NULL, 'f' },
		{ "threads", no_argument, NULL, 'T' },
		{ "all", no_argument, NULL, 'a' },
		{ "pid", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "verify", no_argument, NULL, OPT_VERIFY },
		{ "system", no_argument, NULL, OPT_SYSTEM },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ NULL, 0, NULL, 0 },
	};

	for (int c;
	     (c = getopt_long(argc, argv, "tmfTap:", options, NULL)) != -1;)
		switch (c) {
		case 't':
			opt->parts |= PART_TREE;
			break;
		case 'm':
			opt->parts |= PART_MEMORY;
			break;
		case 'f':
			opt->parts |= PART_FILES;
			break;
		case 'T':
			opt->parts |= PART_THREADS;
			break;
		case 'a':
			opt->parts |= PART_ALL;
			break;
		case 'p':
			opt->pid = parse_pid(optarg);
			break;
		case OPT_JSON:
			opt->json = true;
			break;
		case OPT_VERIFY:
			opt->verify = true;
			break;
		case OPT_SYSTEM:
			opt->system = true;
			break;
		case OPT_HELP:
			fputs(help, stdout);
			exit(0);
		case OPT_VERSION:
			puts("cr_info (" PACKAGE_NAME ") " PACKAGE_VERSION);
			exit(0);
		default:
			fputs("Try 'cr_info --help'.\n", stderr);
			exit(2);
		}
	if (!opt->parts && !opt->verify)
		opt->parts = PART_SUMMARY | PART_TREE;
}

int main(int argc, char **argv)
{
	struct options opt = { 0 };
	int status = 0;

	if (cr_descriptors_fill())
		return 1;
	setlocale(LC_ALL, "");
	parse(argc, argv, &opt);
	if (opt.system)
		info_print_system(opt.json);
	if (optind == argc && !opt.system) {
		fputs("cr_info: which file?\nTry 'cr_info --help'.\n", stderr);
		return 2;
	}
	for (int i = optind; i < argc; i++) {
		if (i > optind && opt.parts && !opt.json)
			putchar('\n');
		if (info(argv[i], &opt))
			status = 1;
	}
	if (fflush(stdout) || ferror(stdout)) {
		perror("cr_info: cannot write");
		return 1;
	}
	return status;
}
