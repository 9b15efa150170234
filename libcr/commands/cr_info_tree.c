/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_info_tree.c - the summary of a context file, and its tree of processes */
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/cr_info.h"

#define NOBODY SIZE_MAX

/* Who made whom, by index in img->procs. */
struct link {
	size_t parent, first_child, next_sibling;
};

struct tree {
	const struct info *in;
	struct link *links;
	size_t first_root;
	size_t width; /* columns of the terminal, or SIZE_MAX */
	bool utf8;
};

static void print_line(const char *what, const char *text)
{
	char *printable = info_printable(text ? text : "?", false);

	printf("  %-10s %s\n", what, printable);
	free(printable);
}

void info_print_summary(const struct info *in)
{
	const struct cr_image *img = in->img;
	char when[64], digest[33], *text;

	text = info_printable(in->path, false);
	printf("%s: %zu process%s, %zu thread%s, file of %s\n", text,
	       img->n_procs, img->n_procs == 1 ? "" : "es", in->n_threads,
	       in->n_threads == 1 ? "" : "s",
	       info_size(cr_reader_size(in->reader)).text);
	free(text);
	info_time(when, sizeof(when), img->created_ns);
	info_hex(digest, cr_reader_digest(in->reader), 16);
	print_line("made", when);
	print_line("on", img->hostname);
	print_line("kernel", img->kernel);
	print_line("by", img->creator);
	printf("  %-10s %s of %" PRId32 "\n", "request", info_scope(img->scope),
	       img->root_pid);
	printf("  %-10s %s mapped, %s in the file", "memory",
	       info_size(in->total.mapped).text,
	       info_size(in->total.pages).text);
	if (in->total.stored != in->total.pages)
		printf(", compressed to %s", info_size(in->total.stored).text);
	printf(" (%zu run%s)\n", in->total.runs,
	       in->total.runs == 1 ? "" : "s");
	printf("  %-10s %zu open, %zu mapped\n", "files", img->n_files,
	       img->n_mapped);
	print_line("digest", digest);
}

struct pid_place {
	int32_t pid;
	size_t index;
};

static int compare_pids(const void *a, const void *b)
{
	const struct pid_place *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void link_tree(struct tree *tree)
{
	const struct cr_image *img = tree->in->img;
	struct pid_place *places = info_alloc(img->n_procs, sizeof(*places));

	tree->links = info_alloc(img->n_procs, sizeof(*tree->links));
	tree->first_root = NOBODY;
	for (size_t i = 0; i < img->n_procs; i++) {
		places[i] = (struct pid_place){ img->procs[i].pid, i };
		tree->links[i] = (struct link){ NOBODY, NOBODY, NOBODY };
	}
	qsort(places, img->n_procs, sizeof(*places), compare_pids);
	/* From the last on, so that lists come out in order. */
	for (size_t i = img->n_procs; i-- > 0;) {
		struct pid_place key = { img->procs[i].ppid, 0 }, *parent;
		size_t *list = &tree->first_root;

		parent = bsearch(&key, places, img->n_procs, sizeof(*places),
				 compare_pids);
		if (parent) {
			tree->links[i].parent = parent->index;
			list = &tree->links[parent->index].first_child;
		}
		tree->links[i].next_sibling = *list;
		*list = i;
	}
	free(places);
}

/* The lines that lead to process i; returns the columns they take. */
static size_t print_branch(const struct tree *tree, size_t i, bool below)
{
	static const char *const ascii[] = { "|  ", "   ", "|- ", "`- " };
	static const char *const lines[] = { "│  ", "   ", "├─ ", "└─ " };
	const char *const *signs = tree->utf8 ? lines : ascii;
	size_t depth = 0, at = i;
	bool *last;

	for (size_t k = i; tree->links[k].parent != NOBODY;
	     k = tree->links[k].parent)
		depth++;
	last = info_alloc(depth + 1, sizeof(*last));
	for (size_t k = depth; k > 0; k--) {
		last[k] = tree->links[at].next_sibling == NOBODY;
		at = tree->links[at].parent;
	}
	for (size_t k = 1; k < depth; k++)
		fputs(signs[last[k]], stdout);
	if (depth)
		fputs(signs[(below ? 0 : 2) + last[depth]], stdout);
	free(last);
	if (below)
		fputs(signs[tree->links[i].first_child == NOBODY], stdout);
	return 3 * (depth + below);
}

static void print_command(const struct tree *tree, const struct cr_process *p,
			  size_t room)
{
	char *line = info_command_line(tree->in, p);

	if (p->kind == CR_PROC_ZOMBIE)
		printf("%s (ended, ", line);
	else if (strlen(line) > room && room > 3)
		printf("%.*s...", (int)room - 3, line);
	else
		fputs(line, stdout);
	if (p->kind == CR_PROC_ZOMBIE && WIFSIGNALED(p->exit_status))
		printf("killed by signal %d)", WTERMSIG(p->exit_status));
	else if (p->kind == CR_PROC_ZOMBIE)
		printf("exit status %d)", WEXITSTATUS(p->exit_status));
	else if (p->kind == CR_PROC_RESPAWNED)
		fputs(" (run anew at a restart)", stdout);
	else if (p->stopped)
		printf(" (stopped by signal %d)", p->stop_signal);
	putchar('\n');
	free(line);
}

/* Threads of one name that follow each other are one line. */
static void print_threads(const struct tree *tree, size_t i)
{
	const struct cr_process *p = &tree->in->img->procs[i];
	size_t k = 1;

	while (k < p->n_threads) {
		const char *comm = p->threads[k].comm;
		char *name = info_printable(comm, false);
		size_t n = 0;

		printf("%55s", "");
		print_branch(tree, i, true);
		printf("{%s}", name);
		free(name);
		for (; k < p->n_threads && !strcmp(p->threads[k].comm, comm);
		     k++, n++)
			if (n < 8)
				printf(" %" PRId32, p->threads[k].tid);
		if (n > 8)
			printf(" and %zu more", n - 8);
		putchar('\n');
	}
}

static void print_process(const struct tree *tree, size_t i)
{
	const struct cr_process *p = &tree->in->img->procs[i];
	const struct info_space *space =
		p->mm == CR_NONE ? NULL : &tree->in->spaces[p->mm];
	size_t used = 55;

	printf("%7" PRId32 " %7" PRId32 " %7" PRId32 " %5zu", p->pid, p->pgid,
	       p->sid, p->n_threads);
	printf(" %11s %11s  ", space ? info_size(space->mapped).text : "-",
	       space ? info_size(space->pages).text : "-");
	used += print_branch(tree, i, false);
	print_command(tree, p, tree->width > used ? tree->width - used : 0);
	print_threads(tree, i);
}

/* The process after i when every parent comes before its children. */
static size_t next_process(const struct tree *tree, size_t i)
{
	if (tree->links[i].first_child != NOBODY)
		return tree->links[i].first_child;
	while (i != NOBODY && tree->links[i].next_sibling == NOBODY)
		i = tree->links[i].parent;
	return i == NOBODY ? NOBODY : tree->links[i].next_sibling;
}

void info_print_tree(const struct info *in)
{
	struct tree tree = { .in = in, .width = SIZE_MAX };
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		tree.width = size.ws_col;
	tree.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	link_tree(&tree);
	printf("%7s %7s %7s %5s %11s %11s  %s\n", "PID", "PGID", "SID", "THR",
	       "MAPPED", "STORED", "COMMAND");
	for (size_t i = tree.first_root; i != NOBODY;
	     i = next_process(&tree, i))
		if (info_selected(in, &in->img->procs[i]))
			print_process(&tree, i);
	free(tree.links);
}
