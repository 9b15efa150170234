/* SPDX-License-Identifier: GPL-2.0-or-later */
/* segment.h - the thread pointer of the lower half's code: GS, not FS */
#ifndef CR_LOWER_SEGMENT_H
#define CR_LOWER_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A library's file, as a whole in memory, and one piece of its text. */
struct cr_segment_text {
	const unsigned char *file;
	size_t size;
	size_t offset, len; /* of the text in the file */
};

/*
 * Calls found(offset in the text) for the FS prefix of each instruction.
 * False when the text cannot be told apart for certain; found may have been
 * called all the same.
 */
bool cr_segment_scan(const struct cr_segment_text *t,
		     void (*found)(size_t at, void *arg), void *arg);

#endif
