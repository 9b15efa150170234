/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forge.h - takes a context file apart and puts it together again, with
 * digests that match whatever was changed
 */
#ifndef CR_TEST_FORGE_H
#define CR_TEST_FORGE_H

#include <stddef.h>
#include <stdint.h>

#include "image/writer.h"

#define FORGE_SECTIONS 12

struct forge_section {
	char name[8];
	uint32_t flags;
	uint8_t *payload;
	size_t len;
};

struct forge {
	uint8_t *pages; /* the file up to the first section */
	size_t pages_len;
	struct forge_section sections[FORGE_SECTIONS];
	uint32_t n_sections;
};

/* A context file of a few pages in an unnamed file. */
int forge_sample(enum cr_codec codec);
void forge_load(struct forge *f, int fd);
void forge_copy(struct forge *to, const struct forge *from);
void forge_free(struct forge *f);
struct forge_section *forge_find(struct forge *f, const char *name);
/* Sets the digest of every run whose bytes are in the file. */
void forge_seal_runs(struct forge *f);
/* Replaces the content of fd; *len: its length. */
void forge_store(const struct forge *f, int fd, size_t *len);

#endif
