/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_info_files.c - open files and threads of a context file */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/cr_info.h"

#define REGS_RIP 16 /* index in NT_PRSTATUS's 27 registers */

static const char *access_mode(uint32_t flags)
{
	static const char *const words[] = { "r", "w", "rw", "-" };

	return flags & O_PATH ? "path" : words[flags & O_ACCMODE];
}

static void print_file(const struct cr_file *file)
{
	char *path = info_printable(file->id.path, false);

	if (file->kind == CR_OBJ_STDIO)
		printf("descriptor %d of cr_restart%s%s", file->stdio_fd,
		       path ? ", was " : "", path ? path : "");
	else
		printf("%s", path ? path : info_object_kind(file->kind));
	if (file->object_id)
		printf(" #%" PRIx64, file->object_id);
	if (file->id.deleted)
		printf(" (deleted)");
	if (file->flags & O_APPEND)
		printf(" (append)");
	if (file->flags & O_NONBLOCK)
		printf(" (nonblocking)");
	if (file->data.len)
		printf(" (%s inside)", info_size(file->data.len).text);
	putchar('\n');
	free(path);
}

static void print_fds(const struct info *in, const struct cr_process *p)
{
	char *command = info_command_line(in, p);

	printf("Open files of %" PRId32 " (%.60s)\n", p->pid, command);
	free(command);
	if (p->fds_of != CR_NONE && &in->img->procs[p->fds_of] != p) {
		printf("  the same as those of %" PRId32 "\n",
		       in->img->procs[p->fds_of].pid);
		return;
	}
	printf("  %5s %-9s %-4s %12s %4s  %s\n", "FD", "KIND", "MODE", "OFFSET",
	       "FILE", "WHAT");
	for (size_t i = 0; i < p->n_fds; i++) {
		const struct cr_fd *fd = &p->fds[i];
		const struct cr_file *file = &in->img->files[fd->file];

		printf("  %4" PRId32 "%c %-9s %-4s %12" PRId64 " %4" PRIu32
		       "  ",
		       fd->fd, fd->cloexec ? 'c' : ' ',
		       info_object_kind(file->kind), access_mode(file->flags),
		       file->offset, fd->file);
		print_file(file);
	}
}

void info_print_files(const struct info *in)
{
	const char *gap = "";

	for (size_t i = 0; i < in->img->n_procs; i++) {
		const struct cr_process *p = &in->img->procs[i];

		if (p->kind == CR_PROC_ZOMBIE || !info_selected(in, p))
			continue;
		fputs(gap, stdout);
		gap = "\n";
		print_fds(in, p);
	}
}

/* Where the thread is: address, and file with offset if it lies in one. */
static void print_place(const struct info *in, const struct cr_process *p,
			const struct cr_thread *t)
{
	const struct cr_mm *mm;
	uint64_t ip;

	if (t->regs.len < (REGS_RIP + 1) * sizeof(ip) || p->mm == CR_NONE) {
		puts("-");
		return;
	}
	memcpy(&ip, (char *)t->regs.data + REGS_RIP * sizeof(ip), sizeof(ip));
	printf("%012" PRIx64, ip);
	mm = &in->img->mms[p->mm];
	for (size_t i = 0; i < mm->n_areas; i++) {
		const struct cr_area *area = &mm->areas[i];
		const char *name = area->name, *slash;
		char *printable;

		if (ip < area->start || ip >= area->end)
			continue;
		if (area->file != CR_NONE)
			name = in->img->mapped[area->file].path;
		if (!name)
			break;
		slash = strrchr(name, '/');
		printable = info_printable(slash ? slash + 1 : name, false);
		printf(" %s+%#" PRIx64, printable,
		       ip - area->start + area->offset);
		free(printable);
	}
	putchar('\n');
}

static void print_thread(const struct info *in, const struct cr_process *p,
			 const struct cr_thread *t)
{
	char *name = info_printable(t->comm, false);

	printf("  %7" PRId32 "  %-16s %-8s %4" PRId32 " %7zu %016" PRIx64 "  ",
	       t->tid, name, info_policy(t->sched_policy), t->nice,
	       t->n_pending, t->sigmask);
	free(name);
	if (t->tid == p->pid && cr_image_main_ended(in->img, p) >= 0)
		puts("ended");
	else
		print_place(in, p, t);
}

void info_print_threads(const struct info *in)
{
	const char *gap = "";

	for (size_t i = 0; i < in->img->n_procs; i++) {
		const struct cr_process *p = &in->img->procs[i];
		char *command;

		if (!p->n_threads || !info_selected(in, p))
			continue;
		command = info_command_line(in, p);
		printf("%sThreads of %" PRId32 " (%.60s), %zu signal%s "
		       "pending for all\n",
		       gap, p->pid, command, p->n_pending,
		       p->n_pending == 1 ? "" : "s");
		free(command);
		gap = "\n";
		printf("  %7s  %-16s %-8s %4s %7s %-16s  %s\n", "TID", "NAME",
		       "POLICY", "NICE", "PENDING", "BLOCKED", "AT");
		for (size_t k = 0; k < p->n_threads; k++)
			print_thread(in, p, &p->threads[k]);
	}
}
