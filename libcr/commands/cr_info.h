/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_info.h - what the files of cr_info share */
#ifndef CR_INFO_H
#define CR_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "image/reader.h"

/* Sums over one address space or shared memory. */
struct info_space {
	uint64_t mapped; /* bytes of areas */
	uint64_t pages;	 /* bytes of pages in the file, and */
	uint64_t stored; /* what they take there */
	size_t runs;
};

struct info {
	const char *path;
	struct cr_reader *reader;
	const struct cr_image *img;
	struct info_space *spaces; /* of each mm, then each shm */
	struct info_space total;
	size_t n_threads;
	int32_t pid; /* only this process; 0: all */
	bool verified;
};

/* Room for a size like "1023.9 MiB". */
struct info_size {
	char text[24];
};

/* cr_info_text.c: the words for numbers */
struct info_size info_size(uint64_t bytes);
const char *info_process_kind(uint32_t kind);
const char *info_object_kind(uint32_t kind);
const char *info_area_kind(uint32_t kind);
const char *info_scope(uint32_t scope);
const char *info_policy(uint32_t policy);
/* "", or the names as in smaps, separated by spaces; malloc'ed. */
char *info_vm_flags(uint64_t flags);
/* Hexadecimal digits of a digest. */
void info_hex(char *to, const uint8_t *bytes, size_t len);
/* Local time with zone, "2026-11-22 23:50:12 +0000". */
void info_time(char *to, size_t size, uint64_t ns);
/*
 * A string of the file, fit for a terminal: what is not UTF-8, and control
 * characters, become \xNN.  json: control characters stay.  malloc'ed; NULL
 * for NULL.
 */
char *info_printable(const char *s, bool json);
/*
 * The arguments of a process, from its memory or (respawned) as recorded: a
 * NULL-terminated list in one allocation, NULL if unknown.
 */
char **info_command(const struct info *in, const struct cr_process *p);
/* The same as one printable line; never NULL, malloc'ed. */
char *info_command_line(const struct info *in, const struct cr_process *p);
/* Allocation that cannot fail for these small sizes: ends the program. */
void *info_alloc(size_t n, size_t size);

/* One part of the output each. */
void info_print_summary(const struct info *in);
void info_print_tree(const struct info *in);
void info_print_memory(const struct info *in);
void info_print_files(const struct info *in);
void info_print_threads(const struct info *in);
void info_print_json(const struct info *in);
/* cr_info_system.c: not of a file, but of this machine */
void info_print_system(bool json);
/* Bytes of pages in the file within [start, end) of a space. */
uint64_t info_stored_in(const struct info *in, uint32_t space, uint64_t start,
			uint64_t end);
bool info_selected(const struct info *in, const struct cr_process *p);

#endif
