/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* format.h - the frame of a context file: doc/context-file.md in numbers */
#ifndef CR_FORMAT_H
#define CR_FORMAT_H

#include "image/model.h"

#define CR_FORMAT_MAGIC "\x89STLPT\r\n"
#define CR_FORMAT_END_MAGIC "\x89STLEND\n"
#define CR_FORMAT_MAGIC_SIZE 8
#define CR_FORMAT_VERSION 1
#define CR_FORMAT_ARCH 62 /* EM_X86_64 */

#define CR_HEADER_SIZE 64
#define CR_TRAILER_SIZE 64
#define CR_DATA_OFFSET CR_PAGE_SIZE /* where page data begins */
#define CR_DIGEST_SIZE 16

#define CR_SECTION_HEADER_SIZE 48
#define CR_SECTION_NAME_SIZE 8
#define CR_SECTION_REQUIRED 1u /* flag */
#define CR_SECTIONS_MAX 1024

#define CR_STRING_MAX (1u << 20)
#define CR_RUN_MAX_COMPRESSED (1u << 20)
#define CR_RUN_MAX_PLAIN (1u << 30)

struct cr_pack;

/* A kind of section: its payload, written and read by one function. */
struct cr_section_kind {
	char name[CR_SECTION_NAME_SIZE + 1];
	void (*pack)(struct cr_pack *p, struct cr_image *img);
	bool later; /* added since: there are files without it */
};

#define CR_SECTION_KINDS 8
/* All of version 1, in the order in which we write them. */
extern const struct cr_section_kind cr_section_kinds[CR_SECTION_KINDS];

#endif
